import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import dns from 'node:dns'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import { describe, it, type TestContext } from 'node:test'
import { createServer as createTlsServer } from 'node:tls'
import { deflateRawSync } from 'node:zlib'
import fc from 'fast-check'
import { createHeads } from './heads-node.ts'
import type { LogFields } from './log.ts'
import { silentLog } from './log.ts'
import { createDial } from './network-node.ts'
import { MESSAGE_BYTES_MAX, PAUSE_MS_MAX, PAUSE_MS_MIN, SILENCE_MS_MAX, SUBSCRIBE_MS_MAX } from './subscription-node.ts'
import {
  createTestTime,
  frame,
  listening,
  recordingProxy,
  unusedPort,
  type WebSocketPeer,
  webSocketServer,
} from './testing.ts'

const SUBSCRIBED = JSON.stringify({ jsonrpc: '2.0', id: 1, result: '0x9ce59a13059e417087c02d3236a0b1cc' })
const headOf = (hash: string) =>
  JSON.stringify({
    jsonrpc: '2.0',
    method: 'eth_subscription',
    params: { subscription: '0x9ce59a13059e417087c02d3236a0b1cc', result: { number: '0x1', hash } },
  })
const HEAD = headOf(`0x${'ab'.repeat(32)}`)

const alphabetic = (a = '', b = ''): number => (a < b ? -1 : 1)

const CLOSED = 'chain.heads-closed'
const OPEN = 'chain.heads-open {"node":1}'
const closed = (code: string) => `${CLOSED} ${JSON.stringify({ node: 1, code })}`

/** Listens, and gives everything that comes of it in its order. */
const listenTo = (t: TestContext, urls: readonly string[], dial = createDial({})) => {
  const time = createTestTime()
  const happened: string[] = []
  let wake = () => {}
  const note = (what: string) => {
    happened.push(what)
    wake()
  }
  const line = (event: string, fields?: LogFields) => note(`${event} ${JSON.stringify(fields)}`)
  const stop = new AbortController()
  t.after(() => stop.abort())
  const effects = {
    clock: time.clock,
    random: { bytes: () => Uint8Array.of(255) },
    log: { ...silentLog, info: line, warn: line },
  }
  createHeads(effects, dial, urls).listen(() => note('head'), stop.signal)
  return {
    ...time,
    stop: () => stop.abort(),
    async next() {
      while (happened.length === 0) await new Promise<void>((resolve) => (wake = resolve))
      return happened.shift()
    },
  }
}

/** It can be heard what comes from now on, and there is reason to look for what came before. */
const opened = async (next: () => Promise<string | undefined>) => {
  assert.equal(await next(), OPEN)
  assert.equal(await next(), 'head')
}

/** A node's WebSocket: each connection is served by the next of these, the last of them over and over. */
const node = async (t: TestContext, ...serves: ((peer: WebSocketPeer) => unknown)[]): Promise<string> => {
  let count = 0
  const server = webSocketServer((peer) => serves[Math.min(count++, serves.length - 1)]?.(peer))
  return `ws://127.0.0.1:${await listening(t, server)}/`
}

const open = ({ socket, handshake }: WebSocketPeer) => socket.write(handshake)

/** Compresses, though nobody asked for it. */
const compressing = (handshake: string): string =>
  handshake.replace('\r\n\r\n', '\r\nsec-websocket-extensions: permessage-deflate\r\n\r\n')

/** Subscribes whoever asks for it. */
const subscribe = async (peer: WebSocketPeer) => {
  open(peer)
  await peer.receive()
  peer.socket.write(frame(SUBSCRIBED))
}

const tellOne = async (peer: WebSocketPeer) => {
  await subscribe(peer)
  peer.socket.write(frame(HEAD))
}

describe('a subscription to heads', () => {
  it('is asked for once, and each head is told', async (t) => {
    const asked: unknown[] = []
    const url = await node(t, async (peer) => {
      open(peer)
      asked.push(JSON.parse(await peer.receive()))
      peer.socket.write(Buffer.concat([frame(SUBSCRIBED), frame(HEAD), frame(headOf(`0x${'CD'.repeat(32)}`))]))
    })
    const { next } = listenTo(t, [url])
    await opened(next)
    assert.equal(await next(), 'head')
    assert.equal(await next(), 'head')
    assert.deepEqual(asked, [{ jsonrpc: '2.0', id: 1, method: 'eth_subscribe', params: ['newHeads'] }])
  })

  it('is had of every node that has a WebSocket', async (t) => {
    const urls = [await node(t, tellOne), await node(t, tellOne)]
    const { next } = listenTo(t, urls)
    const first: (string | undefined)[] = []
    while (first.length < 6) first.push(await next())
    const second = 'chain.heads-open {"node":2}'
    assert.deepEqual(first.toSorted(alphabetic), [OPEN, second, 'head', 'head', 'head', 'head'])
  })

  it('sends no header that tells who we are; user and password of the URL as others do', async (t) => {
    const requests: (readonly string[])[] = []
    const url = await node(t, (peer) => {
      requests.push(peer.request)
      return tellOne(peer)
    })
    const { next } = listenTo(t, [`${url.replace('ws://', 'ws://user:p%40ss@')}path?key=1`])
    await opened(next)
    const [[first, ...headers] = []] = requests
    assert.equal(first, 'GET /path?key=1 HTTP/1.1')
    const names = ['authorization', 'connection', 'host', 'sec-websocket-key', 'sec-websocket-version', 'upgrade']
    assert.deepEqual(headers.map((header) => header.split(':')[0]).toSorted(alphabetic), names)
    assert.ok(headers.includes(`authorization: Basic ${Buffer.from('user:p@ss').toString('base64')}`))
  })

  it('is not had of what is no WebSocket URL, which the error does not repeat', () => {
    const effects = { ...createTestTime(), random: { bytes: () => Uint8Array.of(0) }, log: silentLog }
    for (const bad of ['', 'node.example', 'https://access-key@node.example']) {
      assert.throws(() => createHeads(effects, createDial({}), [bad]), {
        name: 'TypeError',
        message: 'a JSON-RPC endpoint is a URL with ws: or wss:',
      })
    }
  })
})

describe('a connection that cannot be used', () => {
  const refusal = { jsonrpc: '2.0', id: 1, error: { code: -32_601, message: 'no eth_subscribe here' } }
  const answering =
    (...frames: Buffer[]) =>
    async (peer: WebSocketPeer) => {
      open(peer)
      await peer.receive()
      peer.socket.write(Buffer.concat(frames))
    }
  const half = 'x'.repeat(MESSAGE_BYTES_MAX / 2)
  const bomb = frame(deflateRawSync(Buffer.alloc(2 * MESSAGE_BYTES_MAX)))
  bomb[0] = (bomb[0] ?? 0) | 0x40
  const faults: [what: string, code: string, serve: (peer: WebSocketPeer) => unknown][] = [
    ['a refused subscription', 'ERR_CHAIN_REFUSED', answering(frame(JSON.stringify(refusal)))],
    ['what is no JSON', 'ERR_CHAIN_MALFORMED', answering(frame('head!'))],
    ['another message', 'ERR_CHAIN_MALFORMED', answering(frame('{"jsonrpc":"2.0","id":2,"result":"0x1"}'))],
    ['a head without a hash', 'ERR_CHAIN_MALFORMED', answering(frame(headOf('0x12')))],
    ['a binary message', 'ERR_CHAIN_MALFORMED', answering(frame(HEAD, 2))],
    ['a message that is too long', 'ERR_CHAIN_UNREACHABLE', answering(frame(`${half}${half}x`))],
    ['one that grows', 'ERR_CHAIN_UNREACHABLE', ({ socket, handshake }) =>
      socket.write(Buffer.concat([Buffer.from(compressing(handshake)), bomb]))], // prettier-ignore
    ['one in parts', 'ERR_CHAIN_UNREACHABLE', answering(frame(half, 1, false), frame(half, 0, false), frame('x', 0))],
    ['endless parts', 'ERR_CHAIN_UNREACHABLE', answering(frame('', 1, false), ...Array(99).fill(frame('', 0, false)))],
    ['bytes that are no text', 'ERR_CHAIN_UNREACHABLE', answering(frame(Uint8Array.of(0xc3, 0x28)))],
    ['a frame of an unknown kind', 'ERR_CHAIN_UNREACHABLE', answering(frame('', 11))],
    ['a goodbye', 'ERR_CHAIN_UNREACHABLE', async (peer) => {
      await answering(frame(Uint8Array.of(3, 232), 8))(peer)
      peer.socket.end()
    }], // prettier-ignore
    ['a goodbye with half a reason', 'ERR_CHAIN_UNREACHABLE', answering(frame(Uint8Array.of(3), 8))],
    ['an end', 'ERR_CHAIN_UNREACHABLE', (peer) => (open(peer), peer.socket.end())],
    ['a reset', 'ERR_CHAIN_UNREACHABLE', (peer) => (open(peer), peer.socket.resetAndDestroy())],
    ['an end before the handshake', 'ERR_CHAIN_UNREACHABLE', ({ socket }) => socket.end()],
    ['a handshake that proves nothing', 'ERR_CHAIN_UNREACHABLE', ({ socket, handshake }) =>
      socket.write(handshake.replace(/accept: ..../, 'accept: AAAA'))], // prettier-ignore
    ['an HTTP error', 'ERR_CHAIN_UNREACHABLE', ({ socket }) => socket.write('HTTP/1.1 429 Slow\r\n\r\n')],
    ['a way to somewhere else', 'ERR_CHAIN_UNREACHABLE', ({ socket }) =>
      socket.write('HTTP/1.1 302 Found\r\nlocation: ws://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n')], // prettier-ignore
  ]
  for (const [what, code, serve] of faults) {
    it(`because of ${what}, is made again after a pause`, async (t) => {
      const ended = Promise.withResolvers<void>()
      const first = async (peer: WebSocketPeer) => {
        peer.socket.once('close', () => ended.resolve())
        await serve(peer)
        // Only who reads sees the end.
        peer.socket.resume()
      }
      const { next, pass } = listenTo(t, [await node(t, first, tellOne)])
      let seen = await next()
      while (seen === OPEN || seen === 'head') seen = await next()
      assert.equal(seen, closed(code))
      await ended.promise
      await pass(PAUSE_MS_MIN)
      await opened(next)
      assert.equal(await next(), 'head')
    })
  }

  const hanging: [what: string, serve: (peer: WebSocketPeer) => unknown][] = [
    ['whose handshake hangs', () => {}],
    ['whose handshake trickles', ({ socket }) => socket.write('HTTP/1.1 101 Switching Protocols\r\nx')],
    ['whose subscription is not answered', open],
    ['that tells heads without an answer', (peer) => (open(peer), peer.socket.write(frame(HEAD)))],
  ]
  for (const [what, serve] of hanging) {
    it(`${what} is given up after a time, and made again`, async (t) => {
      const met = Promise.withResolvers<void>()
      const first = (peer: WebSocketPeer) => {
        met.resolve()
        return serve(peer)
      }
      const { next, pass } = listenTo(t, [await node(t, first, tellOne)])
      await met.promise
      await pass(SUBSCRIBE_MS_MAX)
      let seen = await next()
      if (seen === 'head') seen = await next()
      assert.equal(seen, closed('ERR_CHAIN_TIMEOUT'))
      await pass(PAUSE_MS_MIN)
      await opened(next)
    })
  }

  it('because nothing comes any more is given up, and one on which something comes is not', async (t) => {
    const tells = Promise.withResolvers<() => void>()
    const first = async (peer: WebSocketPeer) => {
      await subscribe(peer)
      tells.resolve(() => void peer.socket.write(frame(HEAD)))
    }
    const { next, pass } = listenTo(t, [await node(t, first, tellOne)])
    await opened(next)
    await pass(SUBSCRIBE_MS_MAX)
    const tell = await tells.promise
    for (let i = 0; i < 3; i++) {
      tell()
      assert.equal(await next(), 'head')
      await pass(SILENCE_MS_MAX)
    }
    await pass(SILENCE_MS_MAX)
    assert.equal(await next(), closed('ERR_CHAIN_TIMEOUT'))
    await pass(PAUSE_MS_MIN)
    await opened(next)
  })

  it('is made again later each time, up to a bound, and soon again once it told a head', async (t) => {
    const port = await unusedPort()
    const { next, pass } = listenTo(t, [`ws://127.0.0.1:${port}`])
    for (let boundMs = PAUSE_MS_MIN; boundMs < 4 * PAUSE_MS_MAX; boundMs *= 2) {
      assert.equal(await next(), closed('ERR_CHAIN_UNREACHABLE'))
      await pass(Math.min(boundMs, PAUSE_MS_MAX) - 1)
      if (boundMs * 2 < 4 * PAUSE_MS_MAX) await pass(1)
    }
    const server = webSocketServer(async (peer) => {
      await tellOne(peer)
      peer.socket.end()
    })
    await listening(t, server, port)
    await pass(1)
    for (let i = 0; i < 3; i++) {
      await opened(next)
      assert.equal(await next(), 'head')
      assert.equal(await next(), closed('ERR_CHAIN_UNREACHABLE'))
      await pass(PAUSE_MS_MIN)
    }
  })

  it('whatever comes over it, in any chunks, tells no more heads than it has, and ends nothing else', async (t) => {
    let chunks: readonly Uint8Array[] = []
    let answer: (handshake: string) => string
    const url = await node(t, async (peer) => {
      const { socket, handshake } = peer
      socket.write(answer(handshake))
      for (const chunk of chunks) {
        socket.write(chunk)
        await new Promise((resolve) => setImmediate(resolve))
      }
      socket.end()
    })
    const answers = [() => '', (handshake: string) => handshake, compressing]
    const anyFrame = fc
      .tuple(fc.uint8Array({ maxLength: 200 }), fc.nat({ max: 15 }), fc.boolean(), fc.nat({ max: 7 }))
      .map(([payload, opcode, isLast, reserved]) => {
        const bytes = frame(payload, opcode, isLast)
        bytes[0] = (bytes[0] ?? 0) | (reserved === 0 ? 0x40 : reserved === 1 ? 0x20 : 0)
        return bytes
      })
    const piece = fc.oneof(
      fc.constantFrom(frame(SUBSCRIBED), frame(HEAD), frame(HEAD, 1, false), frame('', 9), frame('', 0)),
      anyFrame,
      fc.uint8Array({ maxLength: 30 }),
      fc.json().map((json) => frame(json)),
    )
    const stream = fc.tuple(fc.array(piece, { maxLength: 10 }), fc.array(fc.nat({ max: 400 }), { maxLength: 5 }))
    await fc.assert(
      fc.asyncProperty(stream, fc.constantFrom(...answers), async ([pieces, cuts], chosen) => {
        const bytes = Buffer.concat(pieces)
        const ends = [...cuts.filter((cut) => cut < bytes.length).toSorted((a, b) => a - b), bytes.length]
        chunks = ends.map((end, at) => bytes.subarray(ends[at - 1] ?? 0, end))
        answer = chosen
        const { next, stop } = listenTo(t, [url])
        let heads = 0
        for (;;) {
          const seen = await next()
          if (seen?.startsWith(CLOSED)) break
          if (seen === 'head') heads++
        }
        stop()
        const sent = bytes.toString('latin1')
        assert.ok(heads <= sent.split(HEAD).length - 1 + (sent.includes(SUBSCRIBED) ? 1 : 0))
      }),
      { numRuns: 200 },
    )
  })
})

describe('when it is not listened any more', () => {
  const states: [what: string, serve: (peer: WebSocketPeer) => unknown][] = [
    ['in the handshake', () => {}],
    ['before the answer', open],
    ['while heads are told', tellOne],
  ]
  for (const [what, serve] of states) {
    it(`a connection is broken off ${what}`, async (t) => {
      const met = Promise.withResolvers<WebSocketPeer>()
      const url = await node(t, async (peer) => {
        await serve(peer)
        met.resolve(peer)
      })
      const { stop, waiting } = listenTo(t, [url])
      const { socket } = await met.promise
      stop()
      if (!socket.closed) await new Promise((resolve) => socket.resume().once('close', resolve))
      assert.equal(waiting(), 0)
    })
  }

  it('nothing keeps the program alive', async (t) => {
    const mute = createServer((socket) => socket.on('error', () => {}))
    const urls = [
      await node(t, tellOne),
      `ws://127.0.0.1:${await listening(t, mute)}`,
      `wss://127.0.0.1:${(mute.address() as { port: number }).port}`,
      `ws://127.0.0.1:${await unusedPort()}`,
    ]
    const module = (name: string) => JSON.stringify(import.meta.resolve(name))
    const program = `
      const { createNodeEffects } = await import(${module('./node.ts')})
      const { heads } = createNodeEffects({ service: 'test', home: '/nowhere', rpc: ${JSON.stringify(urls)}, logLevel: 'silent' })
      const stop = new AbortController()
      heads.listen(() => { console.log('head'); stop.abort() }, stop.signal)`
    const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const [said, [code]] = await Promise.all([text(child.stdout), once(child, 'exit')])
    assert.deepEqual([said, code], ['head\n', 0])
  })
})

describe('through a SOCKS5 proxy', () => {
  it('a WebSocket goes there, with the name unresolved', async (t) => {
    const { port } = new URL(await node(t, tellOne))
    const { proxy, destinations } = await recordingProxy(t, Number(port), 'user:p%40ss@')
    const lookups = t.mock.method(dns, 'lookup', () => assert.fail('asked the local DNS'))
    const { next } = listenTo(t, ['ws://node.onion:81/'], createDial({ proxy }))
    await opened(next)
    assert.equal(await next(), 'head')
    assert.deepEqual(destinations, [{ addressType: 3, host: 'node.onion', port: 81 }])
    assert.equal(lookups.mock.callCount(), 0)
  })

  it('one with TLS goes there, with the certificate checked against the name', async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'chrove-heads-'))
    t.after(() => rmSync(folder, { recursive: true }))
    const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')]
    execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2',
      '-subj', '/CN=node.invalid', '-addext', 'subjectAltName=DNS:node.invalid', '-keyout', key, '-out', cert,
    ], { stdio: 'ignore' }) // prettier-ignore
    const plain: Server = webSocketServer(tellOne)
    const server = createTlsServer({ key: readFileSync(key), cert: readFileSync(cert) }, (socket) =>
      plain.emit('connection', socket),
    )
    const { proxy, destinations } = await recordingProxy(t, await listening(t, server))
    const program = `
      const { createNodeEffects } = await import(${JSON.stringify(import.meta.resolve('./node.ts'))})
      const rpc = ['wss://node.invalid', 'wss://other.invalid']
      const options = { service: 'test', home: '/nowhere', proxy: '${proxy}', logLevel: 'info' }
      createNodeEffects({ ...options, rpc }).heads.listen(() => {}, new AbortController().signal)`
    const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
      env: { ...process.env, NODE_EXTRA_CA_CERTS: cert },
      stdio: ['ignore', 'inherit', 'pipe'],
    })
    t.after(() => child.kill())
    const outcomes = new Map<number, string>()
    for await (const line of createInterface({ input: child.stderr })) {
      const { node: place, event } = JSON.parse(line) as { node: number; event: string }
      if (!outcomes.has(place)) outcomes.set(place, event)
      if (outcomes.size === 2) break
    }
    assert.deepEqual([outcomes.get(1), outcomes.get(2)], ['chain.heads-open', CLOSED])
    assert.deepEqual(
      destinations.toSorted((a, b) => alphabetic(a.host, b.host)),
      ['node.invalid', 'other.invalid'].map((host) => ({ addressType: 3, host, port: 443 })),
    )
  })
})
