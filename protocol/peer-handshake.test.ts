import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { largeRsaKey, rsaKeyPair } from '../sim/rsa-keys.ts'
import { createJose } from './jose.ts'
import { publicKeyOf, type RsaKeyPair } from './keys.ts'
import { createPortableAead } from './relay/aead.ts'
import {
  answerAsTarget,
  beginAsSource,
  isKnock,
  knockOf,
  KNOCK_BYTES,
  type Meeting,
  SHARE_BYTES,
  type Side,
} from './peer-handshake.ts'

const jose = createJose()
const [alice, bob, mallory] = [rsaKeyPair(0), rsaKeyPair(1), rsaKeyPair(2)]
const party = ({ publicKey: key }: RsaKeyPair, digit: number) => ({
  uuid: `0000000${digit}-0000-4000-8000-000000000000`,
  key,
})
const meeting: Meeting = {
  ...{ server: 'http://rendezvous.example', request: '919108f7-52d1-4320-9bac-f847db4148a8' },
  ...{ source: party(alice, 1), target: party(bob, 2) },
}

let secrets = 0
const tools = ({ privateKey }: RsaKeyPair) => ({
  ...{ jose, createAead: createPortableAead, privateKey, secret: new Uint8Array(32).fill(++secrets) },
})

/** Both ends, each with what it believes. @param change of what travels; undefined stays as it is */
const meet = async (
  { source = meeting, target = meeting, dialers = ['source', 'source'] as readonly [Side, Side], keys = [alice, bob] },
  change: (place: 'first' | 'second' | 'third', bytes: Uint8Array) => Uint8Array = (_, bytes) => bytes,
) => {
  const [sourceKeys = alice, targetKeys = bob] = keys
  const asked = beginAsSource(source, dialers[0], tools(sourceKeys))
  const answered = await answerAsTarget(target, dialers[1], tools(targetKeys), change('first', asked.first))
  assert.equal(answered.second.length, asked.secondBytes)
  const proven = await asked.check(change('second', answered.second))
  const third = await proven.third()
  assert.equal(third.length, answered.thirdBytes)
  return { source: proven.keys, target: await answered.check(change('third', third)), third }
}

const refused = { code: 'ERR_PEER_HANDSHAKE' }
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')

describe('the handshake of two clients', () => {
  it('gives both the same keys, one for each direction, and others each time', async () => {
    const [one, two] = [await meet({}), await meet({})]
    assert.equal(hex(one.source.sending), hex(one.target.receiving))
    assert.equal(hex(one.source.receiving), hex(one.target.sending))
    const all = [one, two].flatMap(({ source }) => [hex(source.sending), hex(source.receiving)])
    assert.equal(new Set(all).size, 4)
  })

  it('takes keys of different lengths', async () => {
    const large = { privateKey: largeRsaKey, publicKey: publicKeyOf(largeRsaKey) }
    const both = { ...meeting, target: { ...meeting.target, key: large.publicKey } }
    await meet({ source: both, target: both, keys: [alice, large] })
  })

  it('fails for who has not the key, on either side', async () => {
    await assert.rejects(meet({ keys: [alice, mallory] }), refused)
    await assert.rejects(meet({ keys: [mallory, bob] }), refused)
  })

  it('fails where the two do not mean the same meeting', async () => {
    const others: Record<string, Meeting> = {
      request: { ...meeting, request: '00000000-0000-4000-8000-000000000000' },
      server: { ...meeting, server: 'http://other.example' },
      "source's name": { ...meeting, source: { ...meeting.source, uuid: meeting.target.uuid } },
      "target's name": { ...meeting, target: { ...meeting.target, uuid: meeting.source.uuid } },
      "source's key": { ...meeting, source: { ...meeting.source, key: mallory.publicKey } },
    }
    for (const [what, other] of Object.entries(others)) await assert.rejects(meet({ target: other }), refused, what)
    await assert.rejects(meet({ dialers: ['source', 'target'] }), refused)
  })

  it('fails when a bit of it is changed on the way, and for shares of small order', async () => {
    await fc.assert(
      fc.asyncProperty(fc.constantFrom('first', 'second', 'third'), fc.nat(), fc.nat(7), async (place, at, bit) => {
        const flip = (where: string, bytes: Uint8Array) => {
          if (where !== place) return bytes
          const changed = bytes.slice()
          const index = at % changed.length
          changed[index] = (changed[index] ?? 0) ^ (1 << bit)
          return changed
        }
        await assert.rejects(meet({}, flip), refused)
      }),
      { numRuns: 30 },
    )
    for (const place of ['first', 'second']) {
      const nothing = (where: string, bytes: Uint8Array) =>
        where === place ? Uint8Array.from([...new Uint8Array(SHARE_BYTES), ...bytes.subarray(SHARE_BYTES)]) : bytes
      await assert.rejects(meet({}, nothing), refused)
    }
  })

  it('cannot be replayed: what was said before opens nothing', async () => {
    const { third } = await meet({})
    await assert.rejects(
      meet({}, (place, bytes) => (place === 'third' ? third : bytes)),
      refused,
    )
  })

  it('begins with a knock that tells a stranger nothing, and is good for one request and one side', () => {
    const knock = knockOf(meeting.request, 'source')
    assert.equal(knock.length, KNOCK_BYTES)
    assert.ok(isKnock(knock, meeting.request, 'source'))
    assert.ok(!isKnock(knock, meeting.request, 'target'))
    assert.ok(!isKnock(knock, '00000000-0000-4000-8000-000000000000', 'source'))
  })
})
