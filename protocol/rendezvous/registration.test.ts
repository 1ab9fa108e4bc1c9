import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { largeRsaKey, rsaKeyPair } from '../../sim/rsa-keys.ts'
import { base64url } from '../bytes.ts'
import { createJose } from '../jose.ts'
import { canonicalJson } from '../json.ts'
import { publicKeyOf, type RsaKeyPair, type RsaPrivateKey } from '../keys.ts'
import { REGISTRATION_BYTES_MAX } from '../limits.ts'
import {
  type ClientRecord,
  openRegistration,
  type RegistrationBody,
  registrationBodySchema,
  signRegistration,
  thumbprintText,
  verifyOldKey,
  verifyRecord,
} from './registration.ts'
import { pinnedUuid } from './uuid.ts'

const jose = createJose()
const server = 'http://rendezvous.example'
const [first, second, third] = [rsaKeyPair(0), rsaKeyPair(1), rsaKeyPair(2)]
const uuid = pinnedUuid(first.publicKey)
const randomUuid = '919108f7-52d1-4320-9bac-f847db4148a8'
const nonce = new Uint8Array(16)

const register = (keys: RsaKeyPair, version: number, old?: RsaPrivateKey, of = uuid, at = server) =>
  signRegistration(jose, { server: at, uuid: of, version, tsSeconds: 1_000, nonce }, keys, old)

const recordOf = (keys: RsaKeyPair, version: number, ...history: RegistrationBody[]): ClientRecord => ({
  ...{ uuid, publicKey: { ...keys.publicKey }, version, pinned: true, history },
})

const untrusted = { code: 'ERR_RECORD_UNTRUSTED' }

describe('a registration', () => {
  it('SEED 002 §4: is signed by the key that it registers', async () => {
    const body = await register(first, 1)
    const opened = await openRegistration(jose, body)
    assert.deepEqual(opened, { server, uuid, key: first.publicKey, version: 1, tsSeconds: 1_000 })
    const other = await register(second, 1, undefined, randomUuid)
    const stolen = { byNewKey: { ...body.byNewKey, signature: other.byNewKey.signature } }
    await assert.rejects(openRegistration(jose, stolen), { code: 'ERR_JWS_INVALID' })
  })

  it('of a UUID that follows from a key takes no other key', async () => {
    await assert.rejects(openRegistration(jose, await register(second, 1)), { code: 'ERR_UUID' })
    await openRegistration(jose, await register(second, 1, undefined, randomUuid))
  })

  it('takes keys of 2048 to 4096 bits, and the longest fits the limit', async () => {
    const large = { privateKey: largeRsaKey, publicKey: publicKeyOf(largeRsaKey) }
    const body = await register(large, 1, largeRsaKey, pinnedUuid(large.publicKey))
    assert.ok(JSON.stringify(body).length <= REGISTRATION_BYTES_MAX)
    assert.ok(registrationBodySchema.safeParse(body).success)
    await openRegistration(jose, body)
    const statement = JSON.parse(Buffer.from(base64url.decode(body.byNewKey.payload)).toString()) as { key: object }
    const weak = { ...statement, key: { ...statement.key, n: 'AQAB'.repeat(40) } }
    const signed = await jose.sign(canonicalJson(weak), largeRsaKey)
    await assert.rejects(openRegistration(jose, { byNewKey: signed }), { code: 'ERR_KEY_INVALID' })
  })

  it('that changes the key is signed by the old one too', async () => {
    const change = await register(second, 2, first.privateKey)
    await verifyOldKey(jose, change, first.publicKey)
    const wrong = { code: 'ERR_JWS_INVALID' }
    await assert.rejects(verifyOldKey(jose, await register(second, 2), first.publicKey), wrong)
    await assert.rejects(verifyOldKey(jose, await register(second, 2, third.privateKey), first.publicKey), wrong)
    const another = await register(second, 3, first.privateKey)
    const mixed = { byNewKey: change.byNewKey, ...(another.byOldKey && { byOldKey: another.byOldKey }) }
    await assert.rejects(verifyOldKey(jose, mixed, first.publicKey), wrong)
  })

  it('is canonical JSON of exactly its members', async () => {
    const { byNewKey } = await register(first, 1)
    const text = Buffer.from(base64url.decode(byNewKey.payload)).toString()
    for (const changed of [` ${text}`, text.replace('"nonce"', '"ncone"'), text.replace('{', '{"a":1,'), 'null']) {
      const signed = await jose.sign(Buffer.from(changed), first.privateKey)
      await assert.rejects(openRegistration(jose, { byNewKey: signed }), { code: 'ERR_STATEMENT' })
    }
  })

  it('that is any JSON at all is refused with a code', async () => {
    await fc.assert(
      fc.asyncProperty(fc.json(), async (payload) => {
        const byNewKey = {
          payload: base64url.encode(Buffer.from(payload)),
          protected: 'eyJhbGciOiJSUzI1NiJ9',
          signature: 'AA',
        }
        await assert.rejects(openRegistration(jose, { byNewKey }), { code: 'ERR_STATEMENT' })
      }),
    )
  })
})

describe('the record of a client', async () => {
  const one = await register(first, 1)
  const two = await register(second, 2, first.privateKey)
  const three = await register(third, 7, second.privateKey)
  const expected = { server, uuid }

  it('SEED 002 §2.1.3: proves the key, through every change of it', async () => {
    assert.equal((await verifyRecord(jose, recordOf(first, 1, one), expected)).key.n, first.publicKey.n)
    assert.equal((await verifyRecord(jose, recordOf(third, 7, one, two, three), expected)).key.n, third.publicKey.n)
  })

  it('of a hostile server is not believed', async () => {
    const skipped = await register(third, 2, third.privateKey)
    const elsewhere = await register(first, 1, undefined, uuid, 'http://other.example')
    const lies: Record<string, ClientRecord> = {
      'another key': { ...recordOf(first, 1, one), publicKey: { ...second.publicKey } },
      'another version': recordOf(first, 2, one),
      'a change that the old key never signed': recordOf(third, 2, one, skipped),
      'a change left out': recordOf(third, 7, one, three),
      'the beginning left out': recordOf(second, 2, two),
      'changes in another order': recordOf(second, 2, one, three, two),
      'a registration for another server': recordOf(first, 1, elsewhere),
      'a registration of another client': recordOf(second, 1, await register(second, 1, undefined, randomUuid)),
    }
    for (const [lie, record] of Object.entries(lies)) {
      await assert.rejects(verifyRecord(jose, record, expected), untrusted, lie)
    }
  })

  it('agrees with what was known before, and is not older', async () => {
    const known = { version: 2, thumbprint: thumbprintText(second.publicKey) }
    await verifyRecord(jose, recordOf(third, 7, one, two, three), { ...expected, known })
    await assert.rejects(verifyRecord(jose, recordOf(first, 1, one), { ...expected, known }), untrusted)
    const swapped = { version: 1, thumbprint: thumbprintText(second.publicKey) }
    await assert.rejects(verifyRecord(jose, recordOf(first, 1, one), { ...expected, known: swapped }), untrusted)
  })
})
