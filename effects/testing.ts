/** For tests: time that passes when told to, and the other side of connections. */
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import type { TestContext } from 'node:test'

/** Lets everything that is ready go on. */
const settle = () => new Promise((resolve) => setImmediate(resolve))

/** Virtual time: a sleep ends when `pass` has come to its end, and no sooner. */
export const createTestTime = () => {
  let nowMs = 0
  let jumpMs = 0
  const sleepers = new Set<{ readonly endMs: number; readonly wake: () => void }>()
  const sleeps: number[] = []
  return {
    sleeps,
    jump(ms: number) {
      jumpMs += ms
    },
    clock: {
      nowMs: () => nowMs + jumpMs,
      sleep: (ms: number, signal?: AbortSignal) =>
        new Promise<void>((resolve, reject) => {
          if (signal?.aborted) return reject(signal.reason as Error)
          sleeps.push(ms)
          const sleeper = { endMs: nowMs + ms, wake: resolve }
          sleepers.add(sleeper)
          signal?.addEventListener('abort', () => {
            sleepers.delete(sleeper)
            reject(signal.reason as Error)
          })
        }),
    },
    async pass(ms: number) {
      await settle()
      const endMs = nowMs + ms
      for (;;) {
        const [next] = [...sleepers].sort((a, b) => a.endMs - b.endMs)
        if (!next || next.endMs > endMs) break
        nowMs = Math.max(nowMs, next.endMs)
        sleepers.delete(next)
        next.wake()
        await settle()
      }
      nowMs = endMs
      await settle()
    },
    waiting: () => sleepers.size,
  }
}

/** Listens on a free port of loopback until the test ends. */
export const listening = async (t: TestContext, server: Server, port = 0): Promise<number> => {
  const open = new Set<Socket>()
  server.on('connection', (socket) => open.add(socket))
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    for (const socket of open) socket.destroy()
    return new Promise((resolve) => server.close(resolve))
  })
  return (server.address() as AddressInfo).port
}

/** A port on which nobody listens. */
export const unusedPort = async (): Promise<number> => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

export interface SocksRecord {
  readonly proxy: URL
  readonly destinations: { addressType: number; host: string; port: number }[]
  readonly logins: string[]
}

/** Exactly so many bytes of a connection, what follows left in it. */
const read = async (socket: Socket, length: number): Promise<Buffer> => {
  for (;;) {
    const bytes = socket.read(length) as Buffer | null
    if (bytes) return bytes
    await once(socket, 'readable')
  }
}

/** A SOCKS5 proxy that writes down what it is asked for and leads every connection to one local port. */
export const recordingProxy = async (t: TestContext, target: number, login = '', reply = 0): Promise<SocksRecord> => {
  const destinations: SocksRecord['destinations'] = []
  const logins: string[] = []
  const serve = async (socket: Socket) => {
    const take = (length: number) => read(socket, length)
    const [, methods = 0] = await take(2)
    const method = (await take(methods))[0] ?? 255
    socket.write(Uint8Array.of(5, method))
    if (method === 2) {
      const username = await take((await take(2))[1] ?? 0)
      const password = await take((await take(1))[0] ?? 0)
      logins.push(`${username.toString()}:${password.toString()}`)
      socket.write(Uint8Array.of(1, 0))
    }
    const [, , , addressType = 0] = await take(4)
    const host = addressType === 3 ? await take((await take(1))[0] ?? 0) : await take(addressType === 1 ? 4 : 16)
    const port = (await take(2)).readUInt16BE()
    destinations.push({ addressType, host: addressType === 3 ? host.toString() : host.toString('hex'), port })
    const upstream = connect(target, '127.0.0.1').on('error', () => socket.destroy())
    // The reply and the first bytes of the destination leave together.
    socket.cork()
    socket.write(Uint8Array.of(5, reply, 0, 3, 4, 0x68, 0x6f, 0x73, 0x74, 0, 0))
    upstream.once('data', (chunk) => (socket.write(chunk), socket.uncork(), upstream.pipe(socket)))
    upstream.once('end', () => (socket.end(), socket.uncork()))
    setImmediate(() => socket.uncork())
    socket.pipe(upstream)
  }
  const server = createServer((socket) => void serve(socket.on('error', () => {})).catch(() => socket.destroy()))
  const port = await listening(t, server)
  return { proxy: new URL(`socks5h://${login}127.0.0.1:${port}`), destinations, logins }
}

/** A connection to a WebSocket server as bare as can be, which says whatever a test wants to (RFC 6455). */
export interface WebSocketPeer {
  readonly socket: Socket
  /** Lines of the request. */
  readonly request: readonly string[]
  /** The answer that completes the handshake. */
  readonly handshake: string
  /** The text of the next message, which is a short one. */
  receive(): Promise<string>
}

/** One frame from a server. */
export const frame = (payload: string | Uint8Array, opcode = 1, isLast = true): Buffer => {
  const bytes = Buffer.from(payload)
  const first = opcode | (isLast ? 0x80 : 0)
  if (bytes.length < 126) return Buffer.concat([Buffer.of(first, bytes.length), bytes])
  const length = Buffer.alloc(8)
  length.writeBigUInt64BE(BigInt(bytes.length))
  return Buffer.concat([Buffer.of(first, 127), length, bytes])
}

/** @param serve gets each connection once its request has come */
export const webSocketServer = (serve: (peer: WebSocketPeer) => unknown): Server =>
  createServer((socket) => {
    const meet = async () => {
      let head = ''
      while (!head.endsWith('\r\n\r\n')) head += (await read(socket, 1)).toString('latin1')
      const [, key = ''] = /^sec-websocket-key: (.*)\r$/im.exec(head) ?? []
      const proof = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64')
      const receive = async () => {
        const [, length = 0] = await read(socket, 2)
        const mask = await read(socket, 4)
        return (await read(socket, length & 127)).map((byte, at) => byte ^ (mask[at % 4] ?? 0)).toString()
      }
      const lines = ['HTTP/1.1 101 Switching Protocols', 'upgrade: websocket', 'connection: upgrade']
      const handshake = [...lines, `sec-websocket-accept: ${proof}`, '', ''].join('\r\n')
      await serve({ socket, request: head.trimEnd().split('\r\n'), handshake, receive })
    }
    socket.on('error', () => {})
    void meet().catch(() => socket.destroy())
  })
