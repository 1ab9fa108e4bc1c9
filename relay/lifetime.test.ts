/** How long things live at a relay: channels, transfers, and the relay itself. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { describe, it } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { takeBytes } from '../effects/take-bytes.ts'
import { createTestTime } from '../effects/testing.ts'
import { HELLO_ANSWER } from '../protocol/relay/hello.ts'
import type { Payments } from './allowance.ts'
import { createTestRelay, type ProvenChannel, type TestRelay } from './test-relay.ts'

const running = async (t: { after(end: () => void): void }, { relay }: Pick<TestRelay, 'relay'>) => {
  const stopping = new AbortController()
  t.after(() => stopping.abort())
  void relay.run(stopping.signal)
}

/** Both ends of a stapled pair, the relay's own bytes read. */
const pairOf = async ({ helloAs }: Pick<TestRelay, 'helloAs'>, of: ProvenChannel) => {
  const { connection: a } = await helloAs('sender', of)
  assert.deepEqual([...(await takeBytes(a, 1))], [HELLO_ANSWER.waiting])
  const { connection: b } = await helloAs('recipient', of)
  await takeBytes(b, 1)
  await takeBytes(a, 1)
  return [a, b] as const
}

describe('a channel', () => {
  it('is forgotten when nothing happens on it for as long as the limits say', async (t) => {
    const time = createTestTime()
    const test = await createTestRelay(t, { clock: time.clock, settings: { idleSeconds: 60 } })
    await running(t, test)
    const { channel, uuid } = await test.ask('/join', { role: 'sender' })
    await time.pass(50_000)
    await test.ask('/channel', { channel, uuid })
    await time.pass(50_000)
    await test.ask('/channel', { channel, uuid })
    await time.pass(70_000)
    const gone = await test.post('/channel', { channel, uuid })
    assert.deepEqual([gone.status, gone.body.code], [404, 'ERR_CHANNEL_UNKNOWN'])
    assert.equal(test.database.prepare('select count(*) as count from channels').pluck().get(), 0)
  })

  it('lives as long as bytes pass, however slowly, and a pair through which none do is broken off', async (t) => {
    const time = createTestTime()
    const test = await createTestRelay(t, { clock: time.clock, settings: { idleSeconds: 60 } })
    await running(t, test)
    const [a, b] = await pairOf(test, await test.proven())
    for (let round = 0; round < 30; round++) {
      a.write(Uint8Array.of(round))
      assert.deepEqual([...(await takeBytes(b, 1))], [round])
      await time.pass(50_000)
    }
    assert.equal(test.relay.pairs(), 1)
    const broken = Promise.all([once(a, 'close'), once(b, 'close')])
    await time.pass(70_000)
    await broken
    assert.equal(test.relay.pairs(), 0)
  })

  it('that is over is remembered for two minutes, so that the other party learns of it', async (t) => {
    const time = createTestTime()
    const test = await createTestRelay(t, { clock: time.clock })
    await running(t, test)
    const { channel, uuid } = await test.ask('/join', { role: 'sender', channel: 'mine' })
    await test.ask('/channel', { channel, uuid, close: true })
    await time.pass(100_000)
    assert.equal((await test.post('/join', { role: 'sender', channel: 'mine' })).body.code, 'ERR_CHANNEL_OCCUPIED')
    await time.pass(30_000)
    assert.equal((await test.post('/join', { role: 'sender', channel: 'mine' })).status, 200)
  })

  it('tells who waits for news as soon as there are any, and after a while that there are none', async (t) => {
    const time = createTestTime()
    const test = await createTestRelay(t, { clock: time.clock })
    const sender = await test.ask('/join', { role: 'sender' })
    const { channel, uuid, version: since } = sender
    const waiting = test.ask('/channel', { channel, uuid, since, waitMs: 25_000 })
    await test.ask('/join', { role: 'recipient', channel })
    assert.equal((await waiting).full, true)
    const { version } = await test.ask('/channel', { channel, uuid })
    const inVain = test.ask('/channel', { channel, uuid, since: version, waitMs: 25_000 })
    await time.pass(25_000)
    assert.equal((await inVain).version, version)
    // A second question of the same party ends the first.
    const first = test.ask('/channel', { channel, uuid, since: version, waitMs: 25_000 })
    const second = test.ask('/channel', { channel, uuid, since: version, waitMs: 25_000 })
    await first
    await test.ask('/channel', { channel, uuid, close: true })
    assert.equal((await second).ended, 'closed')
  })

  it('costs nothing once it is forgotten: after 10,000 of them the heap is as it was', async (t) => {
    setFlagsFromString('--expose-gc')
    const collect = runInNewContext('gc') as () => void
    const heap = async () => {
      // What requests leave behind is let go of in turns: a collection finds it, the next one takes it.
      for (let i = 0; i < 8; i++) {
        collect()
        await new Promise((resolve) => setImmediate(resolve))
      }
      return process.memoryUsage().heapUsed
    }
    const time = createTestTime()
    const many = 1_000_000
    const settings = { channelsPerPlaceMax: many, joinsPerMinute: many, requestsPerMinute: many, idleSeconds: 60 }
    const test = await createTestRelay(t, { clock: time.clock, settings })
    await running(t, test)
    const crowd = async (count: number) => {
      for (let made = 0; made < count; made++)
        await test.post('/join', { role: 'sender' }, `2001:db8:0:${made & 15}::1`)
      await time.pass(70_000)
    }
    // What the first ones leave behind is compiled code.
    await crowd(2_000)
    const before = await heap()
    await crowd(10_000)
    const after = await heap()
    assert.ok(after <= before * 1.05, `${before} bytes before, ${after} after`)
  })
})

describe('a relay', () => {
  it('goes on after it was started anew: with channels, secrets, what was written, and what has passed', async (t) => {
    const first = await createTestRelay(t)
    const of = await first.proven()
    const { channel, uuid } = await first.ask('/join', { role: 'sender', channel: 'early' })
    const before = await first.ask('/channel', { channel: of.channel, uuid: of.sender })
    await first.relay.close()
    const second = await createTestRelay(t, { database: first.database })
    assert.deepEqual(await second.ask('/channel', { channel: of.channel, uuid: of.sender }), before)
    const [a, b] = await pairOf(second, of)
    a.write('still')
    assert.equal(Buffer.from(await takeBytes(b, 5)).toString(), 'still')
    assert.equal((await second.ask('/join', { role: 'recipient', channel })).full, true)
    await second.ask('/channel', { channel, uuid, close: true })
    const third = await createTestRelay(t, { database: first.database })
    assert.equal((await third.post('/join', { role: 'recipient', channel })).body.code, 'ERR_CHANNEL_OVER')
  })

  it('keeps no address, and writes none to its log', async (t) => {
    const test = await createTestRelay(t)
    const of = await test.proven()
    const [a] = await pairOf(test, of)
    a.destroy()
    await test.ask('/channel', { channel: of.channel, uuid: of.sender, close: true, wrong: true })
    const kept = JSON.stringify(test.database.prepare('select * from channels').all())
    const said = test.log.said.join('\n')
    for (const text of [kept, said]) assert.ok(!text.includes('192.0.2'))
    for (const secret of [of.sender, of.recipient, of.channel]) assert.ok(!said.includes(secret))
    assert.ok(kept.includes(of.sender) && said.length > 0)
  })

  it('that is to stop takes nothing new, answers who waits, and lets what passes come to its end', async (t) => {
    const test = await createTestRelay(t)
    const of = await test.proven()
    const [a, b] = await pairOf(test, of)
    const { channel, uuid, version: since } = await test.ask('/join', { role: 'sender' })
    const waiting = test.ask('/channel', { channel, uuid, since, waitMs: 25_000 })
    const draining = test.relay.drain(60_000)
    await waiting
    assert.equal((await test.post('/join', { role: 'sender' })).body.code, 'ERR_DRAINING')
    const health = await test.relay.fetch(new Request('http://relay.example/health'), '192.0.2.1')
    assert.deepEqual([health.status, await health.json()], [503, { ready: false }])
    const { connection } = await test.helloAs('sender', of, { generation: 1 })
    assert.deepEqual([...(await takeBytes(connection, 1))], [HELLO_ANSWER.busy])
    a.end('the last')
    assert.equal(Buffer.from(await takeBytes(b, 8)).toString(), 'the last')
    b.end()
    a.resume()
    b.resume()
    await draining
    assert.equal(test.relay.pairs(), 0)
  })

  it('waits no longer for the end than it is told to', async (t) => {
    const time = createTestTime()
    const test = await createTestRelay(t, { clock: time.clock })
    await pairOf(test, await test.proven())
    const draining = test.relay.drain(30_000)
    await time.pass(30_000)
    await draining
    assert.equal(test.relay.pairs(), 1)
  })

  it('publishes its limits, and counts without naming anybody', async (t) => {
    const test = await createTestRelay(t, { settings: { freeBytes: 1_000_000_000 } })
    const [a, b] = await pairOf(test, await test.proven())
    a.write('12345')
    await takeBytes(b, 5)
    const get = (path: string) => test.relay.fetch(new Request(`http://relay.example${path}`), '192.0.2.1')
    const limits = (await (await get('/limits')).json()) as Record<string, unknown>
    assert.deepEqual(
      [limits.streams, limits.recordBytes, limits.freeBytes, limits.ports],
      [8, 65_536, 1_000_000_000, [4_400, 4_401]],
    )
    const metrics = await (await get('/metrics')).text()
    for (const line of ['chrove_relay_bytes_total 5', 'chrove_relay_pairs 1', 'chrove_relay_channels 1'])
      assert.ok(metrics.includes(line), metrics)
    assert.ok(metrics.includes('chrove_relay_hellos_total{outcome="stapled"} 1'))
  })
})

describe('bytes beyond the free ones', () => {
  const free = 1_000

  it('do not pass when nobody pays: the connections break', async (t) => {
    const test = await createTestRelay(t, { settings: { freeBytes: free } })
    const of = await test.proven()
    const [a, b] = await pairOf(test, of)
    a.write(Buffer.alloc(900))
    await takeBytes(b, 900)
    const broken = Promise.all([once(a, 'close'), once(b, 'close')])
    a.write(Buffer.alloc(200))
    a.resume()
    b.resume()
    await broken
    // Connecting anew gives no more.
    const { connection } = await test.helloAs('sender', of, { generation: 1 })
    await test.helloAs('recipient', of, { generation: 1 })
    connection.write(Buffer.alloc(200))
    connection.resume()
    await once(connection, 'close')
  })

  it('pass as long as somebody pays ahead, and what was paid for and not used is told at the end', async (t) => {
    const asked: number[] = []
    const settled: number[] = []
    const payments: Payments = {
      payFor: async (_channel, bytes) => {
        asked.push(bytes)
        return asked.length === 1 ? bytes : 0
      },
      settle: (_channel, unused) => void settled.push(unused),
      answer: async () => undefined,
    }
    const test = await createTestRelay(t, { settings: { freeBytes: free }, payments })
    const of = await test.proven()
    const [a, b] = await pairOf(test, of)
    for (let i = 0; i < 20; i++) {
      a.write(Buffer.alloc(500))
      await takeBytes(b, 500)
    }
    assert.equal(asked.length, 1)
    await test.ask('/channel', { channel: of.channel, uuid: of.sender, close: true })
    assert.deepEqual(settled, [(asked[0] ?? 0) - (20 * 500 - free)])
  })

  it('do not pass when the one who pays cannot be reached', async (t) => {
    const payments: Payments = {
      payFor: () => Promise.reject(new Error('no ledger')),
      settle: () => {},
      answer: async () => undefined,
    }
    const test = await createTestRelay(t, { settings: { freeBytes: free }, payments })
    const [a, b] = await pairOf(test, await test.proven())
    const broken = Promise.all([once(a, 'close'), once(b, 'close')])
    a.write(Buffer.alloc(2_000))
    a.resume()
    b.resume()
    await broken
  })
})
