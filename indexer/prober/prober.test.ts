/** The prober: whom it asks and when, what it makes of the answers, and where it never goes. */
import assert from 'node:assert/strict'
import dns from 'node:dns'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { syncBuiltinESMExports } from 'node:module'
import type { AddressInfo } from 'node:net'
import { describe, it, type TestContext } from 'node:test'
import type { Log } from '../../effects/log.ts'
import { createNetwork } from '../../effects/network-node.ts'
import { type Network, NetworkError } from '../../effects/network.ts'
import { createRandom } from '../../effects/random.ts'
import { PROBE_BACKOFF_MS_MAX, PROBE_INTERVAL_MS, PROBE_RETRY_MS, PROBES_AT_ONCE } from '../limits.ts'
import { createProjection } from '../store.ts'
import { batchOf, emptyStore, genesis, SOURCE } from '../testing.ts'
import { createProber, type ProberSettings } from './index.ts'
import { createChain, jose, priceDocument } from './testing.ts'

const START_MS = 1_700_000_000_000
const MINUTE_MS = 60_000

/** Answers as it is told, by the URL's host; asks are kept. */
const createFakeNetwork = () => {
  const asked: string[] = []
  const answers = new Map<string, () => Promise<Response> | Response>()
  let open = 0
  let openMost = 0
  const network: Network = {
    fetch: async (request, limits) => {
      const { host } = new URL(request.url)
      asked.push(host)
      assert.ok(limits.timeoutMs > 0 && limits.bodyBytesMax > 0)
      openMost = Math.max(openMost, ++open)
      try {
        const answer = answers.get(host)
        await new Promise((resolve) => setImmediate(resolve))
        if (!answer) throw new NetworkError('ERR_NETWORK_UNREACHABLE', 'nobody is there')
        return await answer()
      } finally {
        open--
      }
    },
    connect: () => assert.fail('the prober speaks HTTP'),
    listen: () => assert.fail('the prober listens to nobody'),
  }
  return { network, asked, answers, openMost: () => openMost }
}

interface Row {
  readonly vendor_id: string
  readonly reachable: number
  readonly verified: number
  readonly code: string
  readonly failures: number
  readonly latency_ms: number
  readonly tried_at: number
  readonly seen_at: number
  readonly uptime: number
}

const open = async (t: TestContext, network: Network, settings: Partial<ProberSettings> = {}) => {
  const db = await emptyStore()
  t.after(() => db.destroy())
  const projection = createProjection(db)
  const blocks = createChain()
  let nowMs = START_MS
  const lines: string[] = []
  const line = (event: string, fields?: object) => void lines.push(`${event} ${JSON.stringify(fields)}`)
  const log: Log = { debug: line, info: line, warn: line, error: line }
  const clock = { nowMs: () => nowMs, sleep: () => assert.fail('a round does not wait') }
  const whole = { addresses: 'public', proxied: false, intervalMs: PROBE_INTERVAL_MS, pauseMs: 1, ...settings } as const
  const start = () => createProber({ clock, random: createRandom(), log, network, jose }, db, SOURCE, whole)
  let prober = start()
  let applied = 0
  const read = async () => {
    await projection.apply(batchOf(blocks.chain.slice(applied)))
    applied = blocks.chain.length
  }
  return {
    ...blocks,
    db,
    lines,
    projection,
    /** Reads the blocks that were made since. */
    read,
    /** Reads them, and lets so much time pass that all vendors have been spread over it. */
    introduce: async () => {
      await read()
      await prober.round()
      nowMs += PROBE_INTERVAL_MS
    },
    rollBack: async () => {
      await projection.rollBack((blocks.chain.at(-1) ?? genesis).block)
      applied = blocks.chain.length
    },
    restart: () => void (prober = start()),
    pass: (ms: number) => void (nowMs += ms),
    round: (signal?: AbortSignal) => prober.round(signal),
    revision: () => prober.revision(),
    /** Asks until nobody is due. */
    rounds: async () => {
      while ((await prober.round()) > 0);
    },
    nowMs: () => nowMs,
    nowSeconds: () => Math.floor(nowMs / 1000),
    nextDueMs: async () => {
      const row = await db.selectFrom('probes').select('due_at_ms').orderBy('due_at_ms').executeTakeFirst()
      return row?.due_at_ms ?? nowMs
    },
    rows: async (): Promise<Row[]> =>
      db.selectFrom('probes').selectAll().orderBy('vendor_id').orderBy('host').execute(),
    vendors: () => db.selectFrom('vendor_probes').selectAll().orderBy('vendor_id').execute(),
  }
}

describe('a probe', () => {
  it('verifies as a buyer does, and says which check fails first', async (t) => {
    const fake = createFakeNetwork()
    const world = await open(t, fake.network)
    const now = world.nowSeconds() + PROBE_INTERVAL_MS / 1000
    const said =
      (text: string, status = 200) =>
      () =>
        new Response(text, { status })
    const cases: readonly (readonly [host: string, answer: () => Response, code: string])[] = [
      ['good.example', said(await priceDocument(1, now)), ''],
      ['stale.example', said(await priceDocument(2, now - 301)), 'ERR_PRICE_FRESH'],
      ['dear.example', said(await priceDocument(3, now, (content) => ({ ...content, PaymentChannels: content.PaymentChannels.map((method) => ({ ...method, Amount: '1' })) }))), 'ERR_PRICE_TERMS'], // prettier-ignore
      ['swapped.example', said(await priceDocument(4, now, (content) => ({ ...content, PublicKeyEnc: content.PublicKey }))), 'ERR_PRICE_ENCRYPTION_KEY'], // prettier-ignore
      ['other.example', said(await priceDocument(5, now, (content) => ({ ...content, ContractAddress: `0x${'c'.repeat(40)}` }))), 'ERR_PRICE_CONTRACT'], // prettier-ignore
      ['changed.example', said((await priceDocument(6, now)).replace('"title":""', '"title":"x"')), 'ERR_PRICE_CONTENT_SIGNATURE'], // prettier-ignore
      ['html.example', said('<html>'), 'ERR_JSON_INVALID'],
      ['empty.example', said('{}'), 'ERR_PRICE_SHAPE'],
      ['missing.example', said('', 404), 'ERR_HTTP_404'],
      ['moved.example', said('', 302), 'ERR_HTTP_302'],
      ['not an endpoint', said(''), 'ERR_ENDPOINT_INVALID'],
      ['ssh.example:22', said(''), 'ERR_ENDPOINT_PORT'],
      ['nobody.example', () => { throw new NetworkError('ERR_NETWORK_TIMEOUT', 'late') }, 'ERR_NETWORK_TIMEOUT'], // prettier-ignore
    ]
    for (const [host, answer] of cases) {
      world.register([host])
      fake.answers.set(host, answer)
    }
    await world.introduce()
    await world.rounds()
    const rows = await world.rows()
    assert.deepEqual(
      rows.map(({ code }) => code),
      cases.map(([, , code]) => code),
    )
    for (const { code, reachable, verified, seen_at, tried_at } of rows) {
      assert.equal(verified, code === '' ? 1 : 0)
      assert.equal(reachable, /^$|^ERR_PRICE|^ERR_JSON/.test(code) ? 1 : 0)
      assert.equal(seen_at, verified === 1 ? tried_at : 0)
    }
    assert.ok(!fake.asked.includes('ssh.example:22'))
  })

  it('is of the plans as they stand when the answer is there', async (t) => {
    const fake = createFakeNetwork()
    const world = await open(t, fake.network)
    world.register(['a.example'])
    await world.introduce()
    fake.answers.set('a.example', async () => new Response(await priceDocument(1, world.nowSeconds())))
    await world.rounds()
    assert.equal((await world.rows())[0]?.verified, 1)
    world.withdrawPlan(1n)
    await world.read()
    world.pass(PROBE_RETRY_MS)
    await world.rounds()
    assert.equal((await world.rows())[0]?.code, 'ERR_PRICE_TERMS')
  })

  it('names no vendor and no endpoint in the log', async (t) => {
    const world = await open(t, createFakeNetwork().network)
    world.register(['secret.example'])
    await world.introduce()
    await world.rounds()
    assert.deepEqual(world.lines, ['probe.round {"asked":1,"verified":0}'])
  })

  it('leaves nothing behind when it is stopped', async (t) => {
    const fake = createFakeNetwork()
    const world = await open(t, fake.network)
    world.register(['a.example'])
    await world.introduce()
    const stopping = new AbortController()
    fake.answers.set('a.example', () => {
      stopping.abort(new Error('enough'))
      throw new NetworkError('ERR_NETWORK_UNREACHABLE', 'gone')
    })
    await assert.rejects(world.round(stopping.signal), /enough/)
    assert.equal((await world.rows())[0]?.tried_at, 0)
  })
})

describe('the schedule', () => {
  it('asks at most once an interval, and backs off from what fails', async (t) => {
    const fake = createFakeNetwork()
    const world = await open(t, fake.network)
    world.register(['good.example'])
    world.register(['dead.example'])
    await world.read()
    fake.answers.set('good.example', async () => new Response(await priceDocument(1, world.nowSeconds())))
    const times: Record<string, number[]> = { 'good.example': [], 'dead.example': [] }
    for (const startMs = world.nowMs(); world.nowMs() - startMs < 2 * 24 * 60 * MINUTE_MS;) {
      fake.asked.length = 0
      await world.rounds()
      for (const host of fake.asked) times[host]?.push(world.nowMs())
      world.pass((await world.nextDueMs()) - world.nowMs())
    }
    const pauses = (host: string) => (times[host] ?? []).slice(1).map((atMs, at) => atMs - (times[host]?.[at] ?? 0))
    const good = pauses('good.example')
    assert.ok(good.length > 120)
    assert.ok(good.every((pauseMs) => pauseMs >= PROBE_INTERVAL_MS && pauseMs <= PROBE_INTERVAL_MS * 1.25))
    assert.ok(new Set(good).size > 1, 'not in step')
    const dead = pauses('dead.example')
    assert.ok((dead[0] ?? 0) <= PROBE_RETRY_MS * 1.25, 'a first failure is looked into soon')
    for (const [at, pauseMs] of dead.slice(1).entries()) {
      const leastMs = Math.min(PROBE_INTERVAL_MS * 2 ** at, PROBE_BACKOFF_MS_MAX)
      assert.ok(pauseMs >= leastMs && pauseMs <= leastMs * 1.25, `${pauseMs} ms after ${at + 2} failures`)
    }
    assert.ok((dead.at(-1) ?? 0) >= PROBE_BACKOFF_MS_MAX)
  })

  it('tells uptime by the day, so that what is asked rarely does not look better', async (t) => {
    const fake = createFakeNetwork()
    const world = await open(t, fake.network, { intervalMs: 6 * 60 * MINUTE_MS })
    world.register(['a.example'])
    await world.read()
    const good = async () => new Response(await priceDocument(1, world.nowSeconds()))
    const days = async (count: number) => {
      for (let quarter = 0; quarter < 4 * count; quarter++) {
        await world.rounds()
        world.pass(6 * 60 * MINUTE_MS)
      }
    }
    fake.answers.set('a.example', good)
    await days(10)
    assert.equal((await world.rows())[0]?.uptime, 1_000_000)
    fake.answers.delete('a.example')
    await days(10)
    const half = (await world.rows())[0]
    assert.ok(half && half.uptime > 420_000 && half.uptime < 580_000, `${half?.uptime}`)
    // A month later nothing of the good days is left, and no more is kept than a month has days.
    await days(31)
    assert.equal((await world.rows())[0]?.uptime, 0)
    const [kept] = await world.vendors()
    assert.ok((JSON.parse(kept?.days ?? '[]') as unknown[]).length <= 30)
    assert.equal(kept?.uptime, 0)
  })

  it('asks at once what a vendor changed, but not sooner than a minute after the last time', async (t) => {
    const fake = createFakeNetwork()
    const world = await open(t, fake.network)
    world.register(['a.example', 'b.example'])
    await world.introduce()
    await world.rounds()
    fake.asked.length = 0
    world.move(1n, ['b.example', 'c.example'])
    await world.read()
    await world.rounds()
    assert.deepEqual(fake.asked, ['c.example'])
    world.pass(PROBE_RETRY_MS)
    await world.rounds()
    assert.deepEqual(fake.asked, ['c.example', 'b.example'])
    assert.equal((await world.rows()).length, 2)
  })

  it('follows a reorg: undone vendors and endpoints are forgotten, also when version numbers are the same', async (t) => {
    const fake = createFakeNetwork()
    const world = await open(t, fake.network)
    world.register(['a.example'])
    world.move(1n, ['b.example'])
    await world.read()
    await world.round()
    world.undo(1n)
    await world.rollBack()
    world.move(1n, ['c.example'], 2)
    await world.read()
    world.pass(2 * PROBE_INTERVAL_MS)
    await world.rounds()
    assert.deepEqual(new Set(fake.asked), new Set(['c.example']))
    await world.projection.rollBack(genesis.block)
    await world.round()
    assert.deepEqual(await world.rows(), [])
    assert.deepEqual(await world.vendors(), [])
  })

  it('goes on after a restart where it was', async (t) => {
    const fake = createFakeNetwork()
    const world = await open(t, fake.network)
    for (let n = 0; n < 5; n++) world.register([`v${n}.example`])
    await world.introduce()
    await world.round()
    world.pass(PROBE_INTERVAL_MS)
    await world.rounds()
    const asked = fake.asked.length
    world.restart()
    await world.rounds()
    assert.equal(fake.asked.length, asked)
  })

  it('asks few at a time, no host and no vendor twice in a round, and lets nobody wait for ever', async (t) => {
    const fake = createFakeNetwork()
    const world = await open(t, fake.network)
    // One that registers the same host many times, one with many endpoints, and forty others.
    for (let n = 0; n < 20; n++) world.register([0, 1, 2, 3].map((path) => `victim.example/${n}/${path}`))
    world.register([1, 2, 3, 4, 5, 6, 7, 8].map((n) => `mirror${n}.example`))
    for (let n = 0; n < 40; n++) world.register([`other${n}.example`])
    await world.introduce()
    fake.asked.length = 0
    await world.round()
    const count = (pattern: RegExp) => fake.asked.filter((host) => pattern.test(host)).length
    assert.ok(count(/victim/) <= 1)
    assert.ok(count(/mirror/) <= 1)
    assert.ok(count(/other/) >= 30, 'the others are not held up')
    assert.ok(fake.openMost() > 1 && fake.openMost() <= PROBES_AT_ONCE)
    const untried = async () => (await world.rows()).filter(({ tried_at }) => tried_at === 0).length
    for (let rounds = 0; (await untried()) > 0; rounds++) {
      assert.ok(rounds < 100, 'everybody has had a turn')
      await world.round()
    }
  })

  it('changes its revision with every change of what it tells', async (t) => {
    const fake = createFakeNetwork()
    const world = await open(t, fake.network)
    const revisions = [world.revision()]
    const note = () => revisions.push(world.revision())
    world.register(['a.example'])
    await world.read()
    await world.round()
    note()
    world.pass(PROBE_INTERVAL_MS)
    await world.round()
    note()
    world.move(1n, ['b.example'])
    await world.read()
    await world.round()
    note()
    assert.equal(new Set(revisions).size, revisions.length)
    await world.round()
    assert.equal(world.revision(), revisions.at(-1))
  })
})

describe('no probe reaches', () => {
  /** Counts connections to this machine, on both of its families; there is to be none. */
  const listen = async (t: TestContext) => {
    let connections = 0
    const bind = async (host: string, port: number) => {
      const server = createServer((_request, response) => response.end())
      server.on('connection', () => connections++)
      const bound = once(server.listen({ host, port }), 'listening').then(() => true)
      // A machine may have no IPv6.
      if (!(await bound.catch(() => false))) return undefined
      t.after(() => server.close())
      return (server.address() as AddressInfo).port
    }
    const port = (await bind('0.0.0.0', 0)) ?? 0
    await bind('::1', port)
    return { port, connections: () => connections }
  }

  const namesLeadTo = (t: TestContext, addresses: readonly string[]) => {
    const found = addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }))
    const answer = (_name: string, _options: object, callback: (fault: null, all: object[]) => void) =>
      callback(null, found)
    t.mock.method(dns, 'lookup', answer as never)
    syncBuiltinESMExports()
    t.after(() => {
      t.mock.restoreAll()
      syncBuiltinESMExports()
    })
  }

  /** Everything that might be taken for this machine. */
  const spellings = (port: number): readonly string[] => [
    ...[
      '127.0.0.1', '127.1', '127.0.1', '0x7f.1', '0x7f000001', '2130706433', '0177.0.0.1', '017700000001', '0', '0.0.0.0',
      '127.255.255.254', '127.0.0.1.', '127。0。0。1', '①②⑦.⓪.⓪.①', 'localhost', 'LOCALHOST', 'localhost.', 'a.localhost',
      '[::1]', '[::]', '[0:0:0:0:0:0:0:1]', '[::ffff:127.0.0.1]', '[::ffff:7f00:1]', '[::127.0.0.1]', '[64:ff9b::127.0.0.1]',
      '[64:ff9b:1::7f00:1]', '[2002:7f00:1::]', '[2001:0:7f00:1::80ff:fffe]', '[fe80::1%25lo]', '[fe80::1%lo]', '[fec0::1]',
      '[fd00:ec2::254]', '[ff02::1]', '169.254.169.254', '100.100.100.200', '10.0.0.1', '192.168.0.1', '168.63.129.16',
    ].flatMap((host) => [`${host}:${port}`, `http://${host}:${port}/a`, `https://${host}:${port}`]),
    `http://public.example@127.0.0.1:${port}`,
    `http://127.0.0.1:${port}#@public.example`,
    `//127.0.0.1:${port}`,
    '::1',
    '::ffff:127.0.0.1',
  ] // prettier-ignore

  it('this machine, its networks or a metadata service, however they are spelled', async (t) => {
    const { port, connections } = await listen(t)
    const world = await open(t, createNetwork())
    const all = spellings(port)
    for (const endpoint of all) world.register([endpoint])
    // These name a host called http.
    const misleading = [`http:\\\\127.0.0.1:${port}`, `http:/127.0.0.1:${port}`]
    world.register(misleading)
    await world.introduce()
    await world.rounds()
    const rows = await world.rows()
    assert.equal(rows.length, all.length + misleading.length)
    for (const [at, { code, tried_at }] of rows.slice(0, all.length).entries()) {
      assert.ok(tried_at > 0)
      assert.ok(['ERR_NETWORK_FORBIDDEN', 'ERR_ENDPOINT_INVALID'].includes(code), `${all[at]}: ${code}`)
    }
    assert.equal(connections(), 0)
  })

  it('this machine through a name that leads to it', async (t) => {
    const { port, connections } = await listen(t)
    namesLeadTo(t, ['127.0.0.1', '::1', '169.254.169.254', '::ffff:127.0.0.1'])
    const world = await open(t, createNetwork())
    world.register([`http://rebinding.example:${port}`])
    await world.introduce()
    await world.rounds()
    assert.equal((await world.rows())[0]?.code, 'ERR_NETWORK_FORBIDDEN')
    assert.equal(connections(), 0)
  })

  it('where a redirect leads', async (t) => {
    const { port, connections } = await listen(t)
    const fake = createFakeNetwork()
    const location = `http://127.0.0.1:${port}/`
    fake.answers.set('a.example', () => new Response(null, { status: 302, headers: { location } }))
    const world = await open(t, fake.network)
    world.register(['a.example'])
    await world.introduce()
    await world.rounds()
    assert.equal((await world.rows())[0]?.code, 'ERR_HTTP_302')
    assert.deepEqual(fake.asked, ['a.example'])
    assert.equal(connections(), 0)
  })

  it('a private address or a local name through a proxy', async (t) => {
    const fake = createFakeNetwork()
    const world = await open(t, fake.network, { proxied: true })
    const names = ['printer', 'printer.local', 'metadata.google.internal', 'router.home.arpa', 'x.localhost.']
    for (const endpoint of [...spellings(8080), ...names]) world.register([endpoint])
    world.register(['vendor.example'])
    world.register(['vendor.onion'])
    await world.introduce()
    await world.rounds()
    assert.deepEqual(fake.asked.toSorted(), ['vendor.example', 'vendor.onion'])
  })

  it('but does reach this machine when that is allowed', async (t) => {
    const { port, connections } = await listen(t)
    const world = await open(t, createNetwork(), { addresses: 'any' })
    world.register([`http://127.1:${port}`])
    await world.introduce()
    await world.rounds()
    assert.equal((await world.rows())[0]?.code, 'ERR_JSON_INVALID')
    assert.equal(connections(), 1)
  })
})

describe('what is nobody’s fault', () => {
  const failing = (code: 'ERR_NETWORK_PROXY' | 'ERR_NETWORK_UNREACHABLE') => () => {
    throw new NetworkError(code, 'no')
  }

  it('is not held against an endpoint: a proxy that is down, or none for an onion address', async (t) => {
    for (const proxied of [true, false]) {
      const fake = createFakeNetwork()
      const world = await open(t, fake.network, { proxied })
      world.register(['a.onion'])
      world.register(['b.onion'])
      for (const host of ['a.onion', 'b.onion']) fake.answers.set(host, failing('ERR_NETWORK_PROXY'))
      await world.introduce()
      await world.rounds()
      assert.equal(fake.asked.length, 2, 'and it is not asked over and over')
      assert.ok((await world.rows()).every(({ tried_at }) => tried_at === 0))
    }
  })

  it('is held against it where the proxy has reached others', async (t) => {
    const fake = createFakeNetwork()
    const world = await open(t, fake.network, { proxied: true })
    world.register(['a.onion'])
    world.register(['b.onion'])
    fake.answers.set('a.onion', failing('ERR_NETWORK_PROXY'))
    fake.answers.set('b.onion', failing('ERR_NETWORK_UNREACHABLE'))
    await world.introduce()
    await world.rounds()
    assert.deepEqual(
      (await world.rows()).map(({ code }) => code),
      ['ERR_NETWORK_PROXY', 'ERR_NETWORK_UNREACHABLE'],
    )
  })
})
