/** Clients that want more than they may, or nothing good. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { Duplex } from 'node:stream'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { takeBytes } from '../effects/take-bytes.ts'
import { createTestTime } from '../effects/testing.ts'
import { GREETING_BYTES, HELLO_ANSWER } from '../protocol/relay/hello.ts'
import { createTestRelay } from './test-relay.ts'

const answerOf = async (connection: Duplex): Promise<number> => (await takeBytes(connection, 1))[0] ?? -1
/** Resolves when the relay has closed it; what it still says is not of interest. */
const closed = async (connection: Duplex): Promise<void> => {
  connection.resume()
  if (!connection.readableEnded && !connection.closed)
    await Promise.race([once(connection, 'end'), once(connection, 'close')])
}
const settle = async () => {
  for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve))
}

describe('a third party', () => {
  it('is told that the channel is full, by whichever way it comes', async (t) => {
    const { proven, post } = await createTestRelay(t)
    const { channel } = await proven()
    const asRecipient = await post('/join', { role: 'recipient', channel })
    assert.deepEqual([asRecipient.status, asRecipient.body.code], [409, 'ERR_CHANNEL_FULL'])
    const asSender = await post('/join', { role: 'sender', channel })
    assert.deepEqual([asSender.status, asSender.body.code], [409, 'ERR_CHANNEL_OCCUPIED'])
    const guessing = await post('/channel', { channel, uuid: crypto.randomUUID() })
    assert.deepEqual([guessing.status, guessing.body.code], [409, 'ERR_CHANNEL_FULL'])
  })

  it('can neither close nor burn a channel, nor write to it, nor see what it is like', async (t) => {
    const { proven, post, ask, helloAs } = await createTestRelay(t)
    const of = await proven()
    const { channel, sender } = of
    const before = await ask('/channel', { channel, uuid: sender })
    const uuid = crypto.randomUUID()
    for (const wish of [{}, { close: true }, { close: true, wrong: true }, { h_k: 'AAAA' }, { x: 'AAAA' }]) {
      const { status, body } = await post('/channel', { channel, uuid, ...wish })
      assert.equal(status, 409)
      assert.deepEqual(Object.keys(body).toSorted(), ['code', 'detail', 'status', 'title', 'type'])
    }
    const { connection } = await helloAs('sender', of, {}, uuid)
    assert.equal(await answerOf(connection), HELLO_ANSWER.refused)
    assert.deepEqual(await ask('/channel', { channel, uuid: sender }), before)
  })

  it('never comes in, in whatever order many try everything', async (t) => {
    const { post } = await createTestRelay(t, {
      settings: {
        joinsPerMinute: 1_000_000,
        requestsPerMinute: 1_000_000,
        wrongCodesPerHour: 1_000_000,
        channelsPerPlaceMax: 1_000_000,
      },
    })
    const wish = fc.constantFrom<object>(
      {},
      { x: 'AAAA' },
      { y: 'AAAA', hh_k: 'AAAA' },
      { h_k: 'AAAA' },
      { close: true },
    )
    const step = fc.oneof(
      fc.record({ join: fc.constantFrom('sender', 'recipient'), client: fc.nat({ max: 4 }) }),
      fc.record({ wish, client: fc.nat({ max: 4 }) }),
    )
    let runs = 0
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
        const channel = `run${++runs}`
        const secrets = new Map<number, string>()
        const joined: string[] = []
        for (const one of steps) {
          if ('join' in one) {
            const { status, body } = await post('/join', { role: one.join, channel })
            if (status !== 200) continue
            joined.push(one.join)
            secrets.set(one.client, String(body.uuid))
          } else {
            const uuid = secrets.get(one.client) ?? '00000000-0000-4000-8000-000000000000'
            const { status } = await post('/channel', { channel, uuid, ...one.wish })
            if (!secrets.has(one.client)) assert.notEqual(status, 200)
          }
        }
        assert.ok(joined.length <= 2 && new Set(joined).size === joined.length, joined.join())
      }),
    )
  })
})

describe('a hello', () => {
  it('that was heard before is worth nothing on another connection', async (t) => {
    const { proven, helloAs, connect } = await createTestRelay(t)
    const of = await proven()
    const first = await helloAs('sender', of)
    assert.equal(await answerOf(first.connection), HELLO_ANSWER.waiting)
    const again = await connect({ port: 4_400 })
    await takeBytes(again, GREETING_BYTES)
    again.write(first.bytes)
    assert.equal(await answerOf(again), HELLO_ANSWER.refused)
    await closed(again)
  })

  it('with the secret of the other role, of no channel, or for a stream too many is refused, always alike', async (t) => {
    const { proven, helloAs } = await createTestRelay(t)
    const of = await proven(2)
    const tries = [
      await helloAs('sender', of, {}, of.recipient),
      await helloAs('recipient', of, {}, of.sender),
      await helloAs('sender', of, { channel: 'nowhere' }),
      await helloAs('sender', of, { stream: 2 }),
    ]
    for (const { connection } of tries) {
      assert.equal(await answerOf(connection), HELLO_ANSWER.refused)
      await closed(connection)
    }
  })

  it('is good on every port: the stream that it names counts, and the first of an end wins', async (t) => {
    const { proven, helloAs } = await createTestRelay(t)
    const of = await proven(2)
    const one = await helloAs('sender', of, { stream: 1 }, of.sender, 4_400)
    assert.equal(await answerOf(one.connection), HELLO_ANSWER.waiting)
    const second = await helloAs('sender', of, { stream: 1 }, of.sender, 4_401)
    assert.equal(await answerOf(second.connection), HELLO_ANSWER.occupied)
    const other = await helloAs('recipient', of, { stream: 0 }, of.recipient, 4_400)
    assert.equal(await answerOf(other.connection), HELLO_ANSWER.waiting)
    const peer = await helloAs('recipient', of, { stream: 1 }, of.recipient, 4_401)
    assert.equal(await answerOf(peer.connection), HELLO_ANSWER.stapled)
    assert.equal(await answerOf(one.connection), HELLO_ANSWER.stapled)
    const third = await helloAs('sender', of, { stream: 1 }, of.sender, 4_401)
    assert.equal(await answerOf(third.connection), HELLO_ANSWER.occupied)
  })

  it('of a later generation takes the place of an earlier one, whose pair breaks', async (t) => {
    const { proven, helloAs } = await createTestRelay(t)
    const of = await proven()
    const [a, b] = [await helloAs('sender', of), await helloAs('recipient', of)]
    assert.equal(await answerOf(b.connection), HELLO_ANSWER.stapled)
    const anew = await helloAs('sender', of, { generation: 1 })
    assert.equal(await answerOf(anew.connection), HELLO_ANSWER.waiting)
    await Promise.all([closed(a.connection), closed(b.connection)])
    const stale = await helloAs('sender', of, { generation: 0 })
    assert.equal(await answerOf(stale.connection), HELLO_ANSWER.occupied)
  })

  it('that does not come, or not to its end, is waited for ten seconds', async (t) => {
    const time = createTestTime()
    const { proven, connect } = await createTestRelay(t, { clock: time.clock })
    await proven()
    for (const begun of [[], [1], [1, 0, 0, 0, 0, 32, 55]]) {
      const connection = await connect({ port: 4_400 })
      await takeBytes(connection, GREETING_BYTES)
      connection.write(Uint8Array.from(begun))
      await time.pass(9_900)
      assert.ok(!connection.destroyed)
      await time.pass(200)
      await closed(connection)
    }
  })

  it('of any bytes, however many, is refused or waited for, and nothing breaks', async (t) => {
    const time = createTestTime()
    const { connect, relay } = await createTestRelay(t, { clock: time.clock })
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 5_000 }), async (bytes) => {
        const connection = await connect({ port: 4_400 })
        await takeBytes(connection, GREETING_BYTES)
        connection.write(bytes)
        await time.pass(10_001)
        connection.resume()
        await closed(connection)
      }),
    )
    assert.equal(relay.pairs(), 0)
  })

  it('is waited for from 64 of one address at once', async (t) => {
    const { connect, clientAt } = await createTestRelay(t)
    const open = await Promise.all(Array.from({ length: 64 }, () => connect({ port: 4_400 })))
    const one = await connect({ port: 4_400 })
    await closed(one)
    const other = await clientAt('203.0.113.200').network.connect({ port: 4_400 })
    await takeBytes(other, GREETING_BYTES)
    open[0]?.destroy()
    await settle()
    await takeBytes(await connect({ port: 4_400 }), GREETING_BYTES)
  })
})

describe('requests', () => {
  it('of any shape are answered with a problem, and nothing breaks', async (t) => {
    const { relay } = await createTestRelay(t, {
      settings: { requestsPerMinute: 1_000_000, joinsPerMinute: 1_000_000 },
    })
    const member = fc.constantFrom(
      'role',
      'channel',
      'curve',
      'uuid',
      'x',
      'y',
      'hh_k',
      'h_k',
      'close',
      'streams',
      'since',
      '__proto__',
    )
    const body = fc.oneof(
      fc.json(),
      fc.string({ unit: 'binary' }),
      fc.dictionary(member, fc.jsonValue()).map((value) => JSON.stringify(value)),
      fc.nat({ max: 5_000 }).map((depth) => '['.repeat(depth)),
    )
    await fc.assert(
      fc.asyncProperty(fc.constantFrom('/join', '/channel'), body, async (path, text) => {
        const request = new Request(`http://relay.example${path}`, { method: 'POST', body: text })
        const answer = await relay.fetch(request, '192.0.2.1')
        const problem = (await answer.json()) as { code?: string; channel?: string }
        if (answer.status === 200) return assert.ok(problem.channel)
        assert.ok(
          answer.status >= 400 && answer.status < 500 && problem.code?.startsWith('ERR_'),
          JSON.stringify(problem),
        )
      }),
      { numRuns: 300 },
    )
  })

  it('that are too large, of another method, or for nothing that is there are told so', async (t) => {
    const { relay } = await createTestRelay(t)
    const codeOf = async (path: string, init: RequestInit) => {
      const answer = await relay.fetch(new Request(`http://relay.example${path}`, init), '192.0.2.1')
      return [answer.status, ((await answer.json()) as { code: string }).code]
    }
    assert.deepEqual(await codeOf('/join', { method: 'POST', body: 'x'.repeat(2_049) }), [413, 'ERR_TOO_LARGE'])
    assert.deepEqual(await codeOf('/join', {}), [405, 'ERR_METHOD'])
    assert.deepEqual(await codeOf('/limits', { method: 'POST', body: '' }), [405, 'ERR_METHOD'])
    assert.deepEqual(await codeOf('/', {}), [404, 'ERR_NOT_FOUND'])
  })

  it('too many of one address are refused for a while; of IPv6 a whole /64 is one address', async (t) => {
    const time = createTestTime()
    const { post } = await createTestRelay(t, { clock: time.clock, settings: { requestsPerMinute: 3 } })
    const status = async (host: string) => (await post('/join', { role: 'recipient', channel: 'nowhere' }, host)).status
    for (let i = 0; i < 3; i++) assert.equal(await status(`2001:db8:1:2::${i}`), 404)
    assert.equal(await status('2001:db8:1:2:ffff::9'), 429)
    assert.equal(await status('2001:db8:1:3::1'), 404)
    assert.equal(await status('::ffff:192.0.2.9'), 404)
    await time.pass(20_000)
    assert.equal(await status('2001:db8:1:2::7'), 404)
    assert.equal(await status('2001:db8:1:2::8'), 429)
  })

  it('are counted by what a proxy tells only when the proxy is one that is trusted', async (t) => {
    const settings = { requestsPerMinute: 1, trustedProxies: ['192.0.2.250', '2001:db8::1'] }
    const { post } = await createTestRelay(t, { settings })
    const status = async (peer: string, forwarded: string) =>
      (await post('/join', { role: 'recipient', channel: 'nowhere' }, peer, { 'x-forwarded-for': forwarded })).status
    // Of a stranger that pretends, its own address counts.
    assert.equal(await status('192.0.2.9', '198.51.100.1'), 404)
    assert.equal(await status('192.0.2.9', '198.51.100.2'), 429)
    // Behind the proxy the last address that it did not get from another proxy counts, not what the client made up.
    assert.equal(await status('192.0.2.250', '198.51.100.1'), 404)
    assert.equal(await status('192.0.2.250', '203.0.113.1, 198.51.100.1'), 429)
    assert.equal(await status('192.0.2.250', '198.51.100.2, 2001:db8::1'), 404)
    assert.equal(await status('192.0.2.250', 'nonsense, 198.51.100.2'), 429)
  })

  it('for channels are bounded: a minute’s joins, an address’s channels, the relay’s', async (t) => {
    const time = createTestTime()
    const settings = { channelsPerPlaceMax: 2, channelsMax: 3, joinsPerMinute: 5 }
    const { post } = await createTestRelay(t, { clock: time.clock, settings })
    const join = async (host: string) => (await post('/join', { role: 'sender' }, host)).body.code
    assert.deepEqual(
      [await join('192.0.2.1'), await join('192.0.2.1'), await join('192.0.2.1')],
      [undefined, undefined, 'ERR_TOO_MANY'],
    )
    assert.deepEqual([await join('192.0.2.2'), await join('192.0.2.3')], [undefined, 'ERR_BUSY'])
    for (let i = 0; i < 3; i++) await join('192.0.2.1')
    const late = await post('/join', { role: 'recipient', channel: 'x' }, '192.0.2.1')
    assert.deepEqual([late.status, late.body.code], [429, 'ERR_TOO_MANY'])
    await time.pass(60_000)
    assert.equal((await post('/join', { role: 'recipient', channel: 'x' }, '192.0.2.1')).status, 404)
  })
})

describe('guessing', () => {
  it('costs a channel for each guess, and ends for an hour after ten', async (t) => {
    const time = createTestTime()
    const { ask, post, log } = await createTestRelay(t, { clock: time.clock, settings: { channelsPerPlaceMax: 100 } })
    const guess = async (): Promise<unknown> => {
      const { channel, uuid } = await ask('/join', { role: 'sender' }, '198.51.100.1')
      await ask('/channel', { channel, uuid, x: 'AAAA' }, '198.51.100.1')
      const joined = await post('/join', { role: 'recipient', channel }, '203.0.113.66')
      if (joined.status !== 200) return joined.body.code
      const party = { channel, uuid: joined.body.uuid }
      await ask('/channel', { ...party, y: 'AAAA', hh_k: 'AAAA' }, '203.0.113.66')
      // The sender finds that the words were others.
      const seen = await ask('/channel', { channel, uuid, close: true, wrong: true }, '198.51.100.1')
      const again = await post('/channel', { ...party, y: 'AAAA', hh_k: 'AAAA' }, '203.0.113.66')
      assert.deepEqual([seen.ended, again.body.code], ['burned', 'ERR_CHANNEL_OVER'])
      return 'guessed'
    }
    for (let i = 0; i < 10; i++) assert.equal(await guess(), 'guessed')
    assert.equal(await guess(), 'ERR_TOO_MANY_WRONG_CODES')
    await time.pass(360_000)
    assert.equal(await guess(), 'guessed')
    assert.equal(await guess(), 'ERR_TOO_MANY_WRONG_CODES')
    assert.equal(log.said.filter((line) => line.startsWith('relay.burned')).length, 11)
  })

  it('is counted when it is made, however many channels were joined before', async (t) => {
    const { ask, post } = await createTestRelay(t, { settings: { wrongCodesPerHour: 2, channelsPerPlaceMax: 100 } })
    const joined: { channel: unknown; uuid: unknown }[] = []
    for (let i = 0; i < 4; i++) {
      const { channel, uuid } = await ask('/join', { role: 'sender' }, '198.51.100.1')
      await ask('/channel', { channel, uuid, x: 'AAAA' }, '198.51.100.1')
      joined.push({ channel, uuid: (await ask('/join', { role: 'recipient', channel }, '203.0.113.66')).uuid })
    }
    const codes = []
    for (const party of joined) {
      const { body } = await post('/channel', { ...party, y: 'AAAA', hh_k: 'AAAA' }, '203.0.113.66')
      codes.push(body.code)
    }
    const late = 'ERR_TOO_MANY_WRONG_CODES'
    assert.deepEqual(codes, [undefined, undefined, late, late])
  })

  it('is none where the code is right', async (t) => {
    const { proven } = await createTestRelay(t, { settings: { wrongCodesPerHour: 2 } })
    for (let i = 0; i < 5; i++) await proven()
  })
})
