/** SEED 003, step by step: what the document says happens, over the wire as it says it. */
import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { takeBytes } from '../effects/take-bytes.ts'
import { base64url } from '../protocol/bytes.ts'
import { agreementEntropyBytes, beginAgreement, type Role } from '../protocol/relay/agreement.ts'
import { encodeHello, GREETING_BYTES, HELLO_ANSWER } from '../protocol/relay/hello.ts'
import type { SuiteName } from '../protocol/relay/suites.ts'
import { createTestRelay, type TestRelay } from './test-relay.ts'

const words = ['mustard', 'reunion']
const SENDER = '198.51.100.7'
const RECIPIENT = '203.0.113.9'

interface Party {
  readonly channel: string
  readonly uuid: string
}

/** One side's computing: what it sends is text. */
const side = (role: Role, channel: string, suite: SuiteName = 'p256', said = words) => {
  const agreement = beginAgreement(
    { suite, channel, role, words: said },
    crypto.getRandomValues(new Uint8Array(agreementEntropyBytes(suite))),
  )
  return {
    share: base64url.encode(agreement.share),
    agree: (peer: unknown) => {
      const { hhK, hK } = agreement.agree(base64url.decode(String(peer)), 1)
      return { hhK: base64url.encode(hhK), hK: base64url.encode(hK) }
    },
  }
}

/** A channel in which the document's steps have happened up to and with this one. */
const upTo = async (t: TestContext, step: number) => {
  const test = await createTestRelay(t)
  const { ask } = test
  const sender = (await ask('/join', { role: 'sender' }, SENDER)) as unknown as Party
  const { channel } = sender
  const alice = side('sender', channel)
  const asSender = (fields: object = {}) => ask('/channel', { channel, uuid: sender.uuid, ...fields }, SENDER)
  if (step >= 3) await asSender({ x: alice.share })
  if (step < 5) return { ...test, sender, recipient: sender, asSender, asRecipient: asSender, alice, bob: alice }
  const recipient = (await ask('/join', { role: 'recipient', channel }, RECIPIENT)) as unknown as Party
  const asRecipient = (fields: object = {}) => ask('/channel', { channel, uuid: recipient.uuid, ...fields }, RECIPIENT)
  const bob = side('recipient', channel)
  const { x } = await asRecipient()
  if (step >= 7) await asRecipient({ y: bob.share, hh_k: bob.agree(x).hhK })
  if (step >= 9) await asSender({ h_k: alice.agree((await asSender()).y).hK })
  return { ...test, sender, recipient, asSender, asRecipient, alice, bob }
}

const connectAs = async (test: Pick<TestRelay, 'connect'>, role: Role, { channel, uuid }: Party, port = 4_400) => {
  const connection = await test.connect({ port })
  const greeting = await takeBytes(connection, GREETING_BYTES)
  connection.write(encodeHello({ role, stream: 0, generation: 0, channel }, uuid, greeting))
  return connection
}

describe('SEED 003', () => {
  it('step 1: the sender receives an empty channel', async (t) => {
    const { ask } = await createTestRelay(t)
    const joined = await ask('/join', { role: 'sender' })
    assert.match(String(joined.channel), /^\d{1,3}$/)
    assert.match(String(joined.uuid), /^[0-9a-f-]{36}$/)
    assert.deepEqual([joined.x, joined.y, joined.full, joined.stapled], [undefined, undefined, false, false])
  })

  it('step 1: or the channel it asks for, or an error when that is occupied; with the curve it asks for', async (t) => {
    const { ask, post } = await createTestRelay(t)
    const joined = await ask('/join', { role: 'sender', channel: 'family', curve: 'p521' })
    assert.deepEqual([joined.channel, joined.curve], ['family', 'p521'])
    const again = await post('/join', { role: 'sender', channel: 'family' })
    assert.deepEqual([again.status, again.body.code], [409, 'ERR_CHANNEL_OCCUPIED'])
  })

  for (const suite of ['p256', 'p384', 'p521', 'siec'] as const) {
    it(`steps 2 to 10 with ${suite}: X and Y are made from the words, and both come to the same proofs`, async (t) => {
      const { ask } = await createTestRelay(t)
      const sender = (await ask('/join', { role: 'sender', curve: suite })) as unknown as Party
      const { channel } = sender
      const alice = side('sender', channel, suite)
      await ask('/channel', { channel, uuid: sender.uuid, x: alice.share })
      const recipient = (await ask('/join', { role: 'recipient', channel })) as unknown as Party & { x: string }
      const bob = side('recipient', channel, suite)
      const atBob = bob.agree(recipient.x)
      await ask('/channel', { channel, uuid: recipient.uuid, y: bob.share, hh_k: atBob.hhK })
      const atAlice = alice.agree((await ask('/channel', { channel, uuid: sender.uuid })).y)
      assert.deepEqual(atAlice, atBob)
      await ask('/channel', { channel, uuid: sender.uuid, h_k: atAlice.hK })
      assert.equal((await ask('/channel', { channel, uuid: recipient.uuid })).h_k, atBob.hK)
    })
  }

  it('step 3: X is written once, with channel and UUID, and by the sender', async (t) => {
    const { post, sender, asSender, alice } = await upTo(t, 3)
    const { channel, uuid } = sender
    assert.equal((await asSender()).x, alice.share)
    assert.equal((await post('/channel', { channel, uuid, x: alice.share })).body.code, 'ERR_WRITTEN')
    assert.equal((await post('/channel', { channel, x: alice.share })).body.code, 'ERR_REQUEST_SHAPE')
    assert.equal((await post('/channel', { uuid, x: alice.share })).body.code, 'ERR_REQUEST_SHAPE')
    const stranger = await post('/channel', { channel, uuid: crypto.randomUUID(), x: alice.share })
    assert.deepEqual([stranger.status, stranger.body.code], [403, 'ERR_NOT_A_PARTY'])
  })

  it('step 4: the channel and the words are for people to tell; no message has a place for words', async (t) => {
    const { post, sender } = await upTo(t, 3)
    const told = await post('/channel', { ...sender, pw: 'mustard-reunion' })
    assert.deepEqual([told.status, told.body.code], [400, 'ERR_REQUEST_SHAPE'])
  })

  it('step 5: the recipient joins and receives a UUID of its own; where nobody is there is nothing to join', async (t) => {
    const { recipient, sender, post } = await upTo(t, 5)
    assert.match(recipient.uuid, /^[0-9a-f-]{36}$/)
    assert.notEqual(recipient.uuid, sender.uuid)
    const nobody = await post('/join', { role: 'recipient', channel: 'nowhere' })
    assert.deepEqual([nobody.status, nobody.body.code], [404, 'ERR_CHANNEL_UNKNOWN'])
  })

  it('step 6: the recipient gets X, and an error for what builds on it before it is there', async (t) => {
    const { ask, post, asSender, sender, alice } = await upTo(t, 1)
    const { channel } = sender
    const { uuid } = await ask('/join', { role: 'recipient', channel })
    const early = await post('/channel', { channel, uuid, y: alice.share, hh_k: alice.share })
    assert.deepEqual([early.status, early.body.code], [409, 'ERR_TOO_EARLY'])
    await asSender({ x: alice.share })
    assert.equal((await ask('/channel', { channel, uuid })).x, alice.share)
  })

  it('step 7: Y and H(H(k)) come together and once, from the recipient', async (t) => {
    const { post, sender, recipient, bob } = await upTo(t, 7)
    const again = await post('/channel', {
      channel: recipient.channel,
      uuid: recipient.uuid,
      y: bob.share,
      hh_k: bob.share,
    })
    assert.equal(again.body.code, 'ERR_WRITTEN')
    const alone = await post('/channel', { channel: recipient.channel, uuid: recipient.uuid, y: bob.share })
    assert.equal(alone.body.code, 'ERR_REQUEST_SHAPE')
    const other = await post('/channel', { channel: sender.channel, uuid: sender.uuid, y: bob.share, hh_k: bob.share })
    assert.deepEqual([other.status, other.body.code], [403, 'ERR_ROLE'])
  })

  it('step 8: the sender gets Y and H(H(k)), and finds that they come from the same words', async (t) => {
    const { asSender, alice } = await upTo(t, 7)
    const { y, hh_k } = await asSender()
    assert.equal(alice.agree(y).hhK, hh_k)
    const mallory = side('sender', 'other')
    assert.notEqual(mallory.agree(y).hhK, hh_k)
  })

  it('step 9: the relay takes H(k) when it opens H(H(k)), and else burns the channel', async (t) => {
    const good = await upTo(t, 9)
    assert.ok((await good.asRecipient()).h_k)
    const { asSender, asRecipient, post, sender } = await upTo(t, 7)
    const { hh_k } = await asSender()
    await asSender({ h_k: hh_k })
    const seen = await asRecipient()
    assert.deepEqual([seen.ended, seen.h_k], ['burned', undefined])
    const late = await post('/channel', { channel: sender.channel, uuid: sender.uuid, h_k: hh_k })
    assert.deepEqual([late.status, late.body.code], [410, 'ERR_CHANNEL_OVER'])
  })

  it('step 10: the recipient gets H(k) and finds that it is its own', async (t) => {
    const { asRecipient, bob } = await upTo(t, 9)
    const { h_k, x } = await asRecipient()
    assert.equal(h_k, bob.agree(x).hK)
  })

  it('steps 11 and 13: each connects and proves who it is; before the proof nobody is let in', async (t) => {
    const early = await upTo(t, 7)
    const [refused] = await takeBytes(await connectAs(early, 'sender', early.sender), 1)
    assert.equal(refused, HELLO_ANSWER.notProven)
    const test = await upTo(t, 9)
    const [waiting] = await takeBytes(await connectAs(test, 'sender', test.sender), 1)
    assert.equal(waiting, HELLO_ANSWER.waiting)
  })

  it('steps 14 to 17: the relay staples the two, says so to both and to whoever of them asks, and bytes pass', async (t) => {
    const test = await upTo(t, 9)
    assert.equal((await test.asSender()).stapled, false)
    const a = await connectAs(test, 'sender', test.sender)
    assert.deepEqual([...(await takeBytes(a, 1))], [HELLO_ANSWER.waiting])
    const b = await connectAs(test, 'recipient', test.recipient, 4_401)
    assert.deepEqual([...(await takeBytes(a, 1))], [HELLO_ANSWER.stapled])
    assert.deepEqual([...(await takeBytes(b, 1))], [HELLO_ANSWER.stapled])
    assert.equal((await test.asSender()).stapled, true)
    a.write('there')
    b.write('and back')
    assert.equal(Buffer.from(await takeBytes(b, 5)).toString(), 'there')
    assert.equal(Buffer.from(await takeBytes(a, 8)).toString(), 'and back')
  })

  it('step 18: whoever takes part can close, at any time, which ends the connections; what is not there is an error', async (t) => {
    for (const step of [1, 3, 5, 7, 9]) {
      const test = await upTo(t, step)
      assert.equal((await test.asRecipient({ close: true })).ended, 'closed')
      assert.equal((await test.asSender()).ended, 'closed')
      const late = await test.post('/join', { role: 'recipient', channel: test.sender.channel })
      assert.deepEqual([late.status, late.body.code], [410, 'ERR_CHANNEL_OVER'])
    }
    const { asRecipient, sender, recipient, connect, post } = await upTo(t, 9)
    const a = await connectAs({ connect }, 'sender', sender)
    const b = await connectAs({ connect }, 'recipient', recipient)
    await takeBytes(b, 1)
    const closed = Promise.all([a, b].map((end) => new Promise((resolve) => end.once('close', resolve))))
    await asRecipient({ close: true })
    await closed
    const unknown = await post('/channel', { channel: 'nowhere', uuid: recipient.uuid })
    assert.deepEqual([unknown.status, unknown.body.code], [404, 'ERR_CHANNEL_UNKNOWN'])
  })

  it('the first paragraph: with the rule on, a third address is told that the channel is full, whatever it knows', async (t) => {
    const test = await createTestRelay(t, { settings: { twoAddresses: true } })
    const { channel, uuid } = (await test.ask('/join', { role: 'sender' }, SENDER)) as unknown as Party
    await test.ask('/join', { role: 'recipient', channel }, RECIPIENT)
    const third = await test.post('/channel', { channel, uuid }, '192.0.2.77')
    assert.deepEqual([third.status, third.body.code], [409, 'ERR_CHANNEL_FULL'])
    assert.equal((await test.ask('/channel', { channel, uuid }, SENDER)).full, true)
  })

  it('the first paragraph: and a connection from a third address is refused, with whatever secret', async (t) => {
    for (const twoAddresses of [true, false]) {
      const test = await createTestRelay(t, { settings: { twoAddresses } })
      const of = await test.proven()
      const from = test.clientAt('192.0.2.77').network
      const third = await test.helloAs('sender', of, {}, of.sender, 4_400, from)
      const expected = twoAddresses ? HELLO_ANSWER.refused : HELLO_ANSWER.waiting
      assert.deepEqual([...(await takeBytes(third.connection, 1))], [expected])
      const first = await test.helloAs('sender', of, { generation: 1 })
      assert.deepEqual([...(await takeBytes(first.connection, 1))], [HELLO_ANSWER.waiting])
    }
  })
})
