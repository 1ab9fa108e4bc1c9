import assert from 'node:assert/strict'
import type { Duplex } from 'node:stream'
import { buffer, text } from 'node:stream/consumers'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import type { Address } from '../effects/network.ts'
import { calm, createFaults, only, type FaultRates } from './faults.ts'
import { createLife } from './life.ts'
import { createLoop, SIM_EPOCH_MS } from './loop.ts'
import { createSimNetwork, type HttpHandler } from './network.ts'
import { createSimRandom } from './random.ts'
import { createTrace } from './trace.ts'

const LIMITS = { timeoutMs: 5000, bodyBytesMax: 1000 }
const TIMEOUT = { code: 'ERR_NETWORK_TIMEOUT', retryable: true }
const UNREACHABLE = { code: 'ERR_NETWORK_UNREACHABLE', retryable: true }

/** Two hosts, `client` and `server`. */
const createWorld = (rates: FaultRates = calm, seed = 1) => {
  const loop = createLoop()
  const trace = createTrace(loop)
  const network = createSimNetwork({ loop, trace, random: createSimRandom(seed), faults: createFaults(rates) })
  const lives = { client: createLife(), server: createLife() }
  const client = network.host('client', lives.client)
  const server = network.host('server', lives.server)
  const get = (path = '/', init: RequestInit = {}, limits = LIMITS) =>
    client.fetch(new Request(`http://server${path}`, init), limits)
  const run = <T>(promise: Promise<T>) => loop.runUntil(promise, 60_000)
  return { loop, trace, network, lives, client, server, get, run }
}

/** Serves on port 80 and keeps the paths that were asked for. */
const serving = (world: ReturnType<typeof createWorld>, handler: HttpHandler = () => new Response('ok')) => {
  const paths: string[] = []
  world.server.serve(80, (request, peer) => {
    paths.push(new URL(request.url).pathname)
    return handler(request, peer)
  })
  return paths
}

describe('an HTTP exchange', () => {
  it('carries method, path, headers and bytes both ways, by name or by address', async () => {
    const world = createWorld()
    world.server.serve(8080, async (request, peer) => {
      const body = Buffer.from(await request.arrayBuffer()).toString('hex')
      const seen = [
        request.method,
        new URL(request.url).search,
        request.headers.get('x-a'),
        request.headers.get('host'),
      ]
      return new Response(`${seen.join(' ')} ${body} ${peer.host}`, { status: 402, headers: { 'content-cost': '7' } })
    })
    for (const host of ['server', world.server.ip]) {
      const init = { method: 'REFUND', headers: { 'x-a': 'b' }, body: new Uint8Array([1, 2, 255]) }
      const answer = await world.run(world.client.fetch(new Request(`http://${host}:8080/p?q=1`, init), LIMITS))
      assert.equal(await answer.text(), `REFUND ?q=1 b ${host}:8080 0102ff ${world.client.ip}`)
      assert.deepEqual([answer.status, answer.headers.get('content-cost')], [402, '7'])
    }
  })

  it('takes time', async () => {
    const world = createWorld()
    serving(world)
    await world.run(world.get())
    assert.ok(world.loop.nowMs() > SIM_EPOCH_MS)
  })

  it('speaks http and https alone', async () => {
    const world = createWorld()
    const ftp = world.client.fetch(new Request('ftp://server/'), LIMITS)
    await assert.rejects(world.run(ftp), { code: 'ERR_NETWORK_PROTOCOL' })
  })

  it('reaches oneself as localhost', async () => {
    const world = createWorld()
    world.client.serve(80, (_, peer) => new Response(peer.host))
    const answer = await world.run(world.client.fetch(new Request('http://localhost/'), LIMITS))
    assert.equal(await answer.text(), '127.0.0.1')
  })

  it('is refused where nobody listens, and where no host is', async () => {
    const world = createWorld()
    await assert.rejects(world.run(world.get()), UNREACHABLE)
    await assert.rejects(world.run(world.client.fetch(new Request('http://nowhere/'), LIMITS)), UNREACHABLE)
  })

  it('asks where it may go', async () => {
    const world = createWorld()
    const paths = serving(world)
    world.client.serve(80, () => new Response('inside'))
    const asked: string[] = []
    const allow = (ip: string) => asked.push(ip) > 2
    for (const host of ['server', 'localhost']) {
      const refused = world.client.fetch(new Request(`http://${host}/`), { ...LIMITS, allow })
      await assert.rejects(world.run(refused), { code: 'ERR_NETWORK_FORBIDDEN' })
    }
    await world.run(world.client.fetch(new Request('http://server/'), { ...LIMITS, allow }))
    assert.deepEqual(asked, [world.server.ip, '127.0.0.1', world.server.ip])
    assert.deepEqual(paths, ['/'])
  })

  it('ends at its time limit when the handler hangs, or the body never ends', async () => {
    const endless = () =>
      new Response(new ReadableStream({ start: (controller) => controller.enqueue(new Uint8Array(9)) }))
    for (const handler of [() => new Promise<Response>(() => {}), endless]) {
      const world = createWorld()
      serving(world, handler)
      await assert.rejects(world.run(world.get()), TIMEOUT)
      assert.equal(world.loop.nowMs(), SIM_EPOCH_MS + LIMITS.timeoutMs)
    }
  })

  it('refuses bodies beyond the limit, and endless ones', async () => {
    const pull = (controller: ReadableStreamDefaultController) => controller.enqueue(new Uint8Array(400))
    const tooLong = [() => new Response('x'.repeat(1001)), () => new Response(new ReadableStream({ pull }))]
    for (const handler of tooLong) {
      const world = createWorld()
      serving(world, handler)
      await assert.rejects(world.run(world.get()), { code: 'ERR_NETWORK_BODY_TOO_LARGE', retryable: false })
    }
    const world = createWorld()
    serving(world, () => new Response('x'.repeat(1000)))
    assert.equal((await (await world.run(world.get())).text()).length, 1000)
  })

  it('ends when its signal aborts', async () => {
    const world = createWorld()
    const paths = serving(world)
    const abort = new AbortController()
    world.loop.schedule(0, () => abort.abort(new Error('enough')))
    await assert.rejects(world.run(world.get('/', {}, { ...LIMITS, signal: abort.signal } as typeof LIMITS)), /enough/)
    await assert.rejects(world.get('/', {}, { ...LIMITS, signal: abort.signal } as typeof LIMITS), /enough/)
    await assert.rejects(world.get('/', { signal: abort.signal }), /enough/)
    await world.loop.run('idle')
    assert.deepEqual(paths, ['/'])
  })
})

describe('faults of HTTP exchanges', () => {
  it('loss of the request: it times out and never arrives', async () => {
    const world = createWorld(only({ 'request-loss': 1 }))
    const paths = serving(world)
    await assert.rejects(world.run(world.get()), TIMEOUT)
    await world.loop.run('idle')
    assert.deepEqual(paths, [])
  })

  it('loss of the answer: it times out and was handled', async () => {
    const world = createWorld(only({ 'response-loss': 1 }))
    const paths = serving(world)
    await assert.rejects(world.run(world.get()), TIMEOUT)
    assert.deepEqual(paths, ['/'])
  })

  it('duplication: it is handled twice and answered once', async () => {
    const world = createWorld(only({ duplicate: 1 }))
    const paths = serving(world)
    assert.equal(await (await world.run(world.get())).text(), 'ok')
    await world.loop.run('idle')
    assert.deepEqual(paths, ['/', '/'])
  })

  it('slowness: a later one overtakes', async () => {
    const world = createWorld(only({ slow: 0.5 }))
    const paths = serving(world)
    const names = Array.from({ length: 20 }, (_, at) => `/${at}`)
    await world.run(Promise.allSettled(names.map((name) => world.get(name, {}, { ...LIMITS, timeoutMs: 30_000 }))))
    assert.notDeepEqual(paths, names)
    assert.deepEqual([...paths].sort(), [...names].sort())
  })

  it('reset: it was handled and fails before its time limit', async () => {
    const world = createWorld(only({ reset: 1 }))
    const paths = serving(world)
    await assert.rejects(world.run(world.get()), UNREACHABLE)
    assert.deepEqual(paths, ['/'])
    assert.ok(world.loop.nowMs() < SIM_EPOCH_MS + LIMITS.timeoutMs)
  })

  it('truncation: the body is a shorter beginning', async () => {
    const world = createWorld(only({ truncate: 1 }))
    serving(world, () => new Response('0123456789'))
    const answer = await (await world.run(world.get())).text()
    assert.ok(answer.length < 10 && '0123456789'.startsWith(answer))
  })

  it('partition: nothing passes until it is over', async () => {
    const world = createWorld()
    const paths = serving(world)
    world.network.partition('server', 'client')
    await assert.rejects(world.run(world.get()), TIMEOUT)
    assert.deepEqual(paths, [])
    world.network.join('client', 'server')
    assert.equal((await world.run(world.get())).status, 200)
  })

  it('a hanging host takes requests and never answers, until healed', async () => {
    const world = createWorld()
    const paths = serving(world)
    world.network.hang('server')
    await assert.rejects(world.run(world.get()), TIMEOUT)
    world.network.heal()
    await world.run(world.get('/after'))
    assert.deepEqual(paths, ['/after'])
  })

  it('end when the network heals', async () => {
    const everything = Object.fromEntries(Object.keys(calm).map((kind) => [kind, 1])) as FaultRates
    const world = createWorld(everything)
    const paths = serving(world)
    await assert.rejects(world.run(world.get('/before')), TIMEOUT)
    world.network.partition('client', 'server')
    world.network.heal()
    for (let at = 0; at < 20; at++) assert.equal(await (await world.run(world.get('/after'))).text(), 'ok')
    assert.equal(paths.length, 20)
  })
})

describe('a crash', () => {
  it('of the server breaks exchanges under way, and leaves nobody listening', async () => {
    const world = createWorld()
    serving(world, () => {
      world.loop.schedule(1, () => world.lives.server.end())
      return new Promise(() => {})
    })
    await assert.rejects(world.run(world.get()), UNREACHABLE)
    assert.ok(world.loop.nowMs() < SIM_EPOCH_MS + LIMITS.timeoutMs)
    await assert.rejects(world.run(world.get()), UNREACHABLE)
    world.network.host('server', createLife()).serve(80, () => new Response('reborn'))
    assert.equal(await (await world.run(world.get())).text(), 'reborn')
  })

  it('of the client leaves its exchanges pending for ever', async () => {
    const world = createWorld()
    const paths = serving(world)
    const outcomes: string[] = []
    void world.get('/first').finally(() => outcomes.push('first'))
    world.loop.schedule(1, () => {
      world.lives.client.end()
      void world.get('/second').finally(() => outcomes.push('second'))
    })
    await world.loop.run('idle')
    assert.deepEqual([paths, outcomes], [['/first'], []])
  })

  it('resets the connections of its peers and says nothing to its own', async () => {
    const world = createWorld()
    const { client, server } = await connected(world)
    const events: string[] = []
    client.on('error', (error: NodeJS.ErrnoException) => events.push(`client ${error.code}`))
    server.on('error', () => events.push('server'))
    server.on('close', () => events.push('server'))
    server.on('data', () => events.push('server'))
    client.write('too late')
    world.lives.server.end()
    await world.loop.run('idle')
    assert.deepEqual(events, ['client ECONNRESET'])
  })
})

/** A connection from the client to the server. */
const connected = async (world: ReturnType<typeof createWorld>) => {
  let accepted: Duplex | undefined
  let peer: Address | undefined
  const listener = await world.server.listen({ host: '0.0.0.0', port: 7000 }, (connection, from) => {
    accepted = connection
    peer = from
  })
  const client = await world.run(world.client.connect({ host: 'server', port: 7000 }, 60_000))
  return { listener, client, server: accepted as Duplex, peer: peer as Address }
}

describe('a TCP connection', () => {
  it('carries bytes both ways, each side ending on its own', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer(),
        fc.array(fc.uint8Array({ maxLength: 200 })),
        fc.array(fc.uint8Array()),
        async (seed, up, down) => {
          const world = createWorld(only({ rechunk: 0.7, slow: 0.3 }), seed)
          const { client, server } = await connected(world)
          for (const chunk of up) client.write(chunk)
          client.end()
          // The server answers only once the client has ended: half-close.
          const answered = buffer(server).then((received) => {
            for (const chunk of down) server.write(chunk)
            server.end()
            return received
          })
          const [received, answer] = await world.loop.runUntil(Promise.all([answered, buffer(client)]), 10_000_000)
          assert.deepEqual([received, answer], [Buffer.concat(up), Buffer.concat(down)])
          await world.loop.run('idle')
          assert.ok(client.closed && server.closed)
        },
      ),
      { numRuns: 50 },
    )
  })

  it('copies bytes', async () => {
    const world = createWorld()
    const { client, server } = await connected(world)
    const chunk = Buffer.from('before')
    client.end(chunk)
    await world.loop.run({ timeMs: world.loop.nowMs() })
    chunk.write('after!')
    assert.equal(await world.run(text(server)), 'before')
  })

  it('holds a sender back whose peer does not read', async () => {
    const world = createWorld()
    const { client, server } = await connected(world)
    const chunk = Buffer.alloc(16 * 1024)
    let written = 0
    const pump = () => {
      while (written < 1000) {
        written++
        if (!client.write(chunk)) return
      }
      client.end()
    }
    client.on('drain', pump)
    pump()
    await world.loop.run('idle')
    assert.ok(written < 20, `${written} chunks went out`)
    assert.equal((await world.run(buffer(server))).length, 1000 * chunk.length)
  })

  it('tells the listener where it came from', async () => {
    const world = createWorld()
    const { peer } = await connected(world)
    assert.equal(peer.host, world.client.ip)
  })

  it('ends for the peer when one side destroys it, and breaks when the peer writes on', async () => {
    const world = createWorld()
    const { client, server } = await connected(world)
    client.destroy()
    assert.equal(await world.run(text(server)), '')
    server.write('into the void')
    await world.run(new Promise((resolve) => server.on('close', resolve)))
    assert.equal((server.errored as NodeJS.ErrnoException).code, 'ECONNRESET')
  })

  it('breaks for the peer when one side destroys it for an error, or with data unread', async () => {
    const broken = async (destroy: (server: Duplex) => void) => {
      const world = createWorld()
      const { client, server } = await connected(world)
      client.write('never read')
      await world.loop.run('idle')
      destroy(server)
      await world.loop.run('idle')
      return (client.errored as NodeJS.ErrnoException | null)?.code
    }
    assert.equal(await broken((server) => server.destroy()), 'ECONNRESET')
    const readFirst = (server: Duplex) => void server.on('data', () => server.destroy(new Error('a failure')))
    assert.equal(await broken(readFirst), 'ECONNRESET')
  })

  it('ends for a listener whose caller gave up meanwhile', async () => {
    const world = createWorld()
    const abort = new AbortController()
    const accepted: Duplex[] = []
    await world.server.listen({ host: '0.0.0.0', port: 7000 }, (connection) => {
      accepted.push(connection)
      abort.abort(new Error('enough'))
    })
    await assert.rejects(world.run(world.client.connect({ host: 'server', port: 7000 }, 5000, abort.signal)), /enough/)
    assert.equal(await world.run(text(accepted[0] as Duplex)), '')
  })

  it('breaks for both sides by the fault', async () => {
    const world = createWorld()
    const { client, server } = await connected(world)
    const faulty = createWorld(only({ reset: 1 }))
    const ends = await connected(faulty)
    ends.client.write('x')
    await faulty.loop.run('idle')
    assert.ok(ends.client.destroyed && ends.server.destroyed)
    assert.ok(!client.destroyed && !server.destroyed)
  })

  it('waits while its hosts are separated, and loses nothing', async () => {
    const world = createWorld()
    const { client, server } = await connected(world)
    let received = ''
    server.setEncoding('utf8').on('data', (piece: string) => {
      received += piece
    })
    world.network.partition('client', 'server')
    client.write('one ')
    client.write('two ')
    await world.loop.run('idle')
    assert.equal(received, '')
    world.network.join('client', 'server')
    client.write('three')
    await world.loop.run('idle')
    assert.equal(received, 'one two three')
  })

  it('is refused where nobody listens, in time where nothing answers, and by the address policy', async () => {
    const world = createWorld()
    const to = (host: string, allow?: (ip: string) => boolean) =>
      world.run(world.client.connect({ host, port: 7000 }, 5000, undefined, allow))
    await assert.rejects(to('server'), UNREACHABLE)
    await assert.rejects(to('nowhere'), UNREACHABLE)
    const asked: string[] = []
    await assert.rejects(
      to('server', (ip) => {
        asked.push(ip)
        return false
      }),
      { code: 'ERR_NETWORK_FORBIDDEN' },
    )
    assert.deepEqual(asked, [world.server.ip])
    world.network.partition('client', 'server')
    await assert.rejects(to('server'), TIMEOUT)
  })

  it('ends with its listener, which frees the port', async () => {
    const world = createWorld()
    const { listener, client } = await connected(world)
    const again = () => world.server.listen({ host: '0.0.0.0', port: 7000 }, () => {})
    await assert.rejects(again(), { code: 'ERR_NETWORK_ADDRESS_IN_USE' })
    await listener.close()
    assert.equal(await world.run(text(client)), '')
    assert.equal((await again()).address.port, 7000)
    const free = await world.server.listen({ host: '0.0.0.0', port: 0 }, () => {})
    assert.ok(free.address.port > 7000)
  })
})

describe('the network', () => {
  it('does the same for the same seed and something else for another', async () => {
    const story = async (seed: number) => {
      const world = createWorld(only({ 'request-loss': 0.3, duplicate: 0.3, slow: 0.3, reset: 0.2 }), seed)
      serving(world)
      await world.run(Promise.allSettled(Array.from({ length: 30 }, (_, at) => world.get(`/${at}`))))
      return world.trace.hash()
    }
    assert.equal(await story(1), await story(1))
    assert.notEqual(await story(1), await story(2))
  })
})
