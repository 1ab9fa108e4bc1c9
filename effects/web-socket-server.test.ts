import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { describe, it, type TestContext } from 'node:test'
import fc from 'fast-check'
import { WebSocket } from 'ws'
import { serveHttp } from './http-server.ts'
import { type AcceptSocket, createUpgrade, type ServerSocket, type SocketOffer } from './web-socket-server.ts'

const MESSAGE_BYTES_MAX = 1024

interface Seen {
  readonly messages: (string | undefined)[]
  readonly sockets: ServerSocket[]
  readonly offers: SocketOffer[]
  readonly closed: Promise<void>
}

const serve = async (t: TestContext, decide: (offer: SocketOffer) => number | undefined = () => undefined) => {
  const ended = Promise.withResolvers<void>()
  const seen: Seen = { messages: [], sockets: [], offers: [], closed: ended.promise }
  const accept: AcceptSocket = (offer) => {
    seen.offers.push(offer)
    return (
      decide(offer) ??
      ((socket) => {
        seen.sockets.push(socket)
        return { message: (text) => void seen.messages.push(text), close: () => ended.resolve() }
      })
    )
  }
  const upgrade = createUpgrade(accept, MESSAGE_BYTES_MAX)
  const listener = await serveHttp(
    () => new Response('plain'),
    { host: '127.0.0.1', port: 0 },
    { connectionsMax: 16, upgrade },
  )
  t.after(() => listener.close())
  return { ...seen, listener, port: listener.address.port, url: `ws://127.0.0.1:${listener.address.port}/connect` }
}

/** A connection that has been upgraded, for saying what no WebSocket would. */
const raw = async (t: TestContext, port: number): Promise<Socket> => {
  const socket = connect(port, '127.0.0.1').on('error', () => {})
  t.after(() => socket.destroy())
  const lines = ['GET /connect HTTP/1.1', 'host: x', 'upgrade: websocket', 'connection: upgrade']
  socket.write([...lines, 'sec-websocket-version: 13', `sec-websocket-key: ${'A'.repeat(22)}==`, '', ''].join('\r\n'))
  await once(socket, 'data')
  return socket
}

describe('WebSockets that come in', () => {
  it('carry text both ways, and requests are answered beside them', async (t) => {
    const { url, port, messages, sockets, offers, closed } = await serve(t)
    const client = new WebSocket(url, { headers: { 'x-forwarded-for': '192.0.2.1' } })
    await once(client, 'open')
    client.send('one')
    client.send(Buffer.of(1))
    sockets[0]?.send('two')
    assert.equal(String((await once(client, 'message'))[0]), 'two')
    assert.equal(await (await fetch(`http://127.0.0.1:${port}/`)).text(), 'plain')
    client.close()
    await closed
    assert.deepEqual(messages, ['one', undefined])
    assert.deepEqual(offers, [{ peerHost: '127.0.0.1', forwarded: '192.0.2.1', path: '/connect' }])
  })

  it('are refused with a status, and what is no offer with 400', async (t) => {
    const { url, port, sockets } = await serve(t, () => 429)
    const client = new WebSocket(url)
    const [error] = (await once(client, 'error').catch((fault: unknown) => [fault])) as [Error]
    assert.match(error.message, /429/)
    const socket = connect(port, '127.0.0.1')
    socket.write('GET /connect HTTP/1.1\r\nhost: x\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n')
    assert.match(String((await once(socket, 'data'))[0]), /^HTTP\/1.1 4/)
    socket.destroy()
    assert.equal(sockets.length, 0)
  })

  it('end when a message is too long, in one piece or in endless ones', async (t) => {
    const whole = await serve(t)
    const client = new WebSocket(whole.url)
    await once(client, 'open')
    client.send('x'.repeat(MESSAGE_BYTES_MAX + 1))
    await whole.closed
    const pieces = await serve(t)
    const socket = await raw(t, pieces.port)
    // A first part, and then empty ones for ever: each masked with nothing.
    socket.write(Buffer.from('0180000000000000', 'hex').subarray(0, 6))
    for (let part = 0; part < 200; part++) socket.write(Buffer.from('008000000000', 'hex'))
    await pieces.closed
    assert.deepEqual([whole.messages, pieces.messages], [[], []])
  })

  it('end for a peer that does not read', async (t) => {
    const { port, sockets, closed } = await serve(t)
    const socket = await raw(t, port)
    socket.pause()
    const over = new AbortController()
    void closed.then(() => over.abort())
    for (let sent = 0; !over.signal.aborted && sent < 100_000; sent++) {
      sockets[0]?.send('x'.repeat(4096))
      if (sent % 100 === 0) await new Promise((resolve) => setImmediate(resolve))
    }
    assert.ok(over.signal.aborted)
  })

  it('stand any bytes', async (t) => {
    const { port, url } = await serve(t)
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), async (bytes) => {
        const socket = await raw(t, port)
        socket.end(bytes)
        socket.resume()
        await once(socket, 'close')
      }),
      { numRuns: 50 },
    )
    const client = new WebSocket(url)
    await once(client, 'open')
    client.terminate()
  })

  it('are broken off when the server closes', async (t) => {
    const { url, listener, closed } = await serve(t)
    const client = new WebSocket(url).on('error', () => {})
    await once(client, 'open')
    await Promise.all([listener.close(), closed, once(client, 'close')])
  })
})
