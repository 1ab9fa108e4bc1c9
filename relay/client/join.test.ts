import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { createTestRelay, RELAY_URL, type TestRelay, type TestRelayOptions } from '../test-relay.ts'
import { joinRelay, type JoinOptions, type RelayLink } from './index.ts'

type Options = Partial<JoinOptions>

/** Both ends of a channel, each at an address of its own; the code passes from one to the other. */
const meet = async (
  test: TestRelay,
  {
    sender = {},
    recipient = {},
    tellCode = (code: string) => code,
  }: { sender?: Options; recipient?: Options; tellCode?: (code: string) => string } = {},
  [atSender, atRecipient] = [test.clientAt('198.51.100.7'), test.clientAt('203.0.113.9')],
): Promise<readonly [PromiseSettledResult<RelayLink>, PromiseSettledResult<RelayLink>]> => {
  const told = Promise.withResolvers<string>()
  const common = { relay: RELAY_URL, streams: 1 }
  const sending = joinRelay(atSender, { ...common, role: 'sender', onCode: told.resolve, ...sender })
  sending.catch(told.reject)
  const receiving = told.promise.then((code) =>
    joinRelay(atRecipient, { ...common, role: 'recipient', code: tellCode(code), ...recipient }),
  )
  return Promise.allSettled([sending, receiving])
}

const linked = async (t: TestContext, options: TestRelayOptions = {}, given: Parameters<typeof meet>[1] = {}) => {
  const test = await createTestRelay(t, options)
  const [a, b] = await meet(test, given)
  if (a.status === 'rejected') throw a.reason
  if (b.status === 'rejected') throw b.reason
  t.after(() => Promise.all([a.value.close(), b.value.close()]))
  return { test, sender: a.value, recipient: b.value }
}

const codeOf = (settled: PromiseSettledResult<unknown>): unknown =>
  settled.status === 'rejected' ? (settled.reason as { code?: unknown }).code : 'fulfilled'

describe('the two ends of a channel', () => {
  it('meet with a code, share a secret, and send each other records', async (t) => {
    const { sender, recipient } = await linked(t)
    assert.equal(sender.channel, recipient.channel)
    assert.deepEqual(sender.secret, recipient.secret)
    const [there] = sender.streams
    const [here] = recipient.streams
    assert.ok(there && here)
    await Promise.all([there.send(Uint8Array.of(1, 2)), here.send(Uint8Array.of(3))])
    assert.deepEqual([...((await here.receive()) ?? [])], [1, 2])
    assert.deepEqual([...((await there.receive()) ?? [])], [3])
    const ended = there.end()
    assert.equal(await here.receive(), undefined)
    await ended
    await here.send(Uint8Array.of(4))
    assert.deepEqual([...((await there.receive()) ?? [])], [4])
  })

  it('use as many streams as both want, in the same order', async (t) => {
    const { sender, recipient } = await linked(t, {}, { sender: { streams: 8 }, recipient: { streams: 3 } })
    assert.deepEqual([sender.streams.length, recipient.streams.length], [3, 3])
    for (const [index, stream] of sender.streams.entries()) await stream.send(Uint8Array.of(index))
    for (const [index, stream] of recipient.streams.entries())
      assert.deepEqual([...((await stream.receive()) ?? [])], [index])
  })

  it('agree in another curve when the sender wants one', async (t) => {
    const { test, recipient } = await linked(t, {}, { sender: { suite: 'p384' } })
    assert.equal(recipient.streams.length, 1)
    const [row] = test.database.prepare('select content from channels').all() as { content: string }[]
    assert.equal((JSON.parse(row?.content ?? '') as { suite: string }).suite, 'p384')
  })

  it('meet on a channel and with words of their own choice', async (t) => {
    const { sender } = await linked(t, {}, { sender: { code: 'aunt-abacus-zoom-acorn' } })
    assert.equal(sender.channel, 'aunt')
  })

  it('take a code as people type it', async (t) => {
    await linked(t, {}, { tellCode: (code) => ` ${code.toUpperCase().replaceAll('-', '  ')} ` })
  })

  it('both learn of a wrong code, and the channel is burned', async (t) => {
    const test = await createTestRelay(t)
    let channel = ''
    const [a, b] = await meet(test, {
      tellCode: (code) => {
        channel = code.split('-')[0] ?? ''
        return `${channel}-abacus-abacus`
      },
    })
    assert.deepEqual([codeOf(a), codeOf(b)], ['ERR_WRONG_CODE', 'ERR_WRONG_CODE'])
    const late = await test.post('/join', { role: 'recipient', channel })
    assert.deepEqual([late.status, late.body.code], [410, 'ERR_CHANNEL_OVER'])
    assert.ok(test.log.said.some((line) => line.startsWith('relay.burned')))
  })

  it('lose nothing by a mistyped word: it is refused before anything is sent', async (t) => {
    const test = await createTestRelay(t)
    for (const code of ['7-mustard-reunoin', '7-mustard', '-mustard-reunion', '', '7', 'seven 7 mustard reunion']) {
      const joining = joinRelay(test.clientAt('203.0.113.9'), { relay: RELAY_URL, role: 'recipient', code, streams: 1 })
      await assert.rejects(joining, { code: 'ERR_CODE_INVALID', retryable: false })
    }
    assert.deepEqual(test.log.said, [])
  })

  it('are told when the channel is full, unknown or closed', async (t) => {
    const { test, sender } = await linked(t)
    const join = (code: string) =>
      joinRelay(test.clientAt('192.0.2.3'), { relay: RELAY_URL, role: 'recipient', code, streams: 1 })
    await assert.rejects(join(`${sender.channel}-abacus-abacus`), { code: 'ERR_CHANNEL_FULL' })
    await assert.rejects(join('9999999-abacus-abacus'), { code: 'ERR_CHANNEL_UNKNOWN' })
    await sender.close()
    await assert.rejects(join(`${sender.channel}-abacus-abacus`), { code: 'ERR_CHANNEL_OVER' })
  })

  it('connect anew after a break, with other keys', async (t) => {
    const { sender, recipient } = await linked(t, {}, { sender: { streams: 2 }, recipient: { streams: 2 } })
    for (let round = 0; round < 3; round++) {
      sender.streams[0]?.close()
      const [again, there] = await Promise.all([sender.reconnect(), recipient.reconnect()])
      for (const [index, stream] of again.entries()) {
        await stream.send(Uint8Array.of(round, index))
        assert.deepEqual([...((await there[index]?.receive()) ?? [])], [round, index])
      }
    }
  })

  it('stop waiting when they are told to', async (t) => {
    const test = await createTestRelay(t)
    const stopping = new AbortController()
    const joining = joinRelay(test.clientAt('198.51.100.7'), {
      relay: RELAY_URL,
      role: 'sender',
      streams: 1,
      signal: stopping.signal,
      onCode: () => stopping.abort(new Error('enough')),
    })
    await assert.rejects(joining, /enough/)
  })

  it('say that what answers is no relay', async (t) => {
    const test = await createTestRelay(t)
    const client = test.clientAt('198.51.100.7')
    const answers: [Response, string][] = [
      [new Response('<html>', { status: 200 }), 'ERR_RELAY_ANSWER'],
      [Response.json({ channel: '7' }), 'ERR_RELAY_ANSWER'],
      [new Response('', { status: 404 }), 'ERR_RELAY_ANSWER'],
      [new Response('', { status: 502 }), 'ERR_RELAY_BUSY'],
      [Response.json({ code: 'ERR_DRAINING', title: 't', detail: 'd' }, { status: 503 }), 'ERR_RELAY_BUSY'],
      [Response.json({ code: 'ERR_CURVE', title: 't', detail: 'd' }, { status: 400 }), 'ERR_RELAY_REFUSED'],
    ]
    for (const [answer, code] of answers) {
      const network = { ...client.network, fetch: async () => answer }
      const joining = joinRelay({ ...client, network }, { relay: RELAY_URL, role: 'sender', streams: 1 })
      await assert.rejects(joining, { code })
    }
  })
})
