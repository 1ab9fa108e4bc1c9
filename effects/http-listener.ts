/**
 * Listens for HTTP/1.1 and HTTP/2 alike, with or without TLS, and hands requests over as Node has them.
 *
 * HTTP lets methods be registered that no parser knows yet (RFC 9110 §16.1), and Node's parser of HTTP/1.1 refuses those
 * that it does not know. A request of such a method is caught where the parser stops, and goes in again as a POST, over a
 * connection of its own within this process: the same parser checks all the rest of it, and its method is put back before
 * anybody sees it. The connection ends after that request. HTTP/2 takes any method.
 */
import { createServer, type IncomingMessage, type Server, type ServerOptions, type ServerResponse } from 'node:http'
import {
  createSecureServer,
  createServer as createHttp2Server,
  type Http2Server,
  type ServerHttp2Session,
} from 'node:http2'
import type { AddressInfo, Socket } from 'node:net'
import { Duplex } from 'node:stream'
import { HTTP_CONNECTIONS_MAX, HTTP_LIMITS } from './http-server.ts'
import { type Address, type Listener, NetworkError } from './network.ts'

export type RequestListener = (request: IncomingMessage, response: ServerResponse) => void
/** A request to go on in another protocol. @param head what came after it */
export type UpgradeListener = (request: IncomingMessage, socket: Duplex, head: Buffer) => void

export interface HttpListenerOptions {
  readonly address: Address
  /** PEM. Without it clients speak in the clear: HTTP/1.1, and HTTP/2 with prior knowledge (RFC 9113 §3.3). */
  readonly tls?: { readonly key: Uint8Array; readonly cert: Uint8Array } | undefined
  /** A method that the parser of HTTP/1.1 does not know. Capitals. */
  readonly method: string
  readonly request: RequestListener
  readonly upgrade: UpgradeListener
}

/** A connection over which nothing passes for so long is closed, milliseconds. */
const IDLE_MS = 120_000
/** Requests under way get so long to end when the listener closes, milliseconds. */
const DRAIN_MS = 5_000
const RESPONSE_LISTENERS_MAX = 24
/** How HTTP/2 begins in the clear (RFC 9113 §3.4). */
const PREFACE = 'PRI * HTTP/2.0'

/** @throws ERR_NETWORK_ADDRESS_IN_USE */
export const listenHttp = async (options: HttpListenerOptions): Promise<Listener> => {
  const { address, tls, method, request, upgrade } = options
  const serverOptions: ServerOptions = { ...HTTP_LIMITS, noDelay: true }
  const http1: Server = createServer(serverOptions)
  const http2 = createHttp2Server()
  const secure =
    tls &&
    createSecureServer({ ...HTTP_LIMITS, key: Buffer.from(tls.key), cert: Buffer.from(tls.cert), allowHTTP1: true })
  const open = new Set<Duplex>()
  const responses = new Set<ServerResponse>()
  /** The connections that requests of that method are given, each with its request once that has come. */
  const inner = new WeakMap<Duplex, IncomingMessage | 'none yet'>()

  const onRequest = (incoming: IncomingMessage, response: ServerResponse): void => {
    if (inner.get(incoming.socket) === 'none yet') {
      inner.set(incoming.socket, incoming)
      incoming.method = method
      response.shouldKeepAlive = false
    }
    responses.add(response)
    // Each of those who stand between the service and the client wants to know when it is over.
    response.setMaxListeners(RESPONSE_LISTENERS_MAX)
    response.once('close', () => responses.delete(response))
    request(incoming, response)
  }

  const onClientError = (
    fault: Error & { code?: string; rawPacket?: Buffer; bytesParsed?: number },
    socket: Duplex,
  ) => {
    if (caught.has(socket)) return
    const only = inner.get(socket)
    // What follows the one request of an inner connection is not read.
    if (only && only !== 'none yet' && only.complete) return
    // A copy: the parser reads what comes next into the same memory.
    const packet = fault.rawPacket && Buffer.from(fault.rawPacket)
    const isMethod = fault.code === 'HPE_INVALID_METHOD' && only === undefined
    const start = isMethod && packet ? startOf(packet, `${method} `, fault.bytesParsed ?? 0) : undefined
    if (packet && start !== undefined) {
      caught.add(socket)
      const connection = innerConnection(socket, [Buffer.from('POST '), packet.subarray(start + method.length + 1)])
      inner.set(connection, 'none yet')
      http1.emit('connection', connection)
    } else if (packet?.subarray(0, PREFACE.length).toString('latin1') === PREFACE) {
      caught.add(socket)
      http2.emit('connection', innerConnection(socket, [packet]))
    } else if (socket.writable) {
      socket.write('HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n', () => socket.destroy())
    } else socket.destroy()
  }
  /** Their bytes go elsewhere, and what the parser still says of them is of no interest. */
  const caught = new WeakSet<Duplex>()

  const sessions = new Set<ServerHttp2Session>()
  const onSession = (session: ServerHttp2Session): void => {
    sessions.add(session)
    session.once('close', () => sessions.delete(session))
    session.setTimeout(IDLE_MS, () => session.close())
  }

  for (const server of [http1, http2, ...(secure ? [secure] : [])]) {
    server.on('request', onRequest as never)
    server.on('upgrade', upgrade as never)
    server.on('clientError', onClientError as never)
    server.on('sessionError', () => {})
    server.on('session', onSession as never)
  }
  const listening: Server | Http2Server = secure ?? http1
  listening.on('connection', (socket: Socket) => {
    open.add(socket)
    socket.once('close', () => open.delete(socket))
  })
  ;(listening as Server).maxConnections = HTTP_CONNECTIONS_MAX
  listening.setTimeout(IDLE_MS)
  await new Promise<void>((resolve, reject) => {
    listening.once('error', (cause: NodeJS.ErrnoException) => {
      const text = 'cannot listen: the address is in use or not of this machine'
      reject(new NetworkError('ERR_NETWORK_ADDRESS_IN_USE', text, { cause }))
    })
    listening.listen(address.port, address.host, resolve)
  })
  const bound = listening.address() as AddressInfo
  return {
    address: { host: bound.address, port: bound.port },
    close: () =>
      new Promise((resolve) => {
        const drain = setTimeout(() => {
          for (const socket of open) socket.destroy()
        }, DRAIN_MS)
        listening.close(() => {
          clearTimeout(drain)
          resolve()
        })
        http1.closeIdleConnections()
        for (const session of sessions) session.close()
        for (const response of responses) response.shouldKeepAlive = false
        if (responses.size === 0) for (const socket of open) socket.destroy()
      }),
  }
}

/** Where in a packet the parser stopped because of this word; it stops within it. */
const startOf = (packet: Buffer, word: string, parsed: number): number | undefined => {
  const from = Math.max(0, parsed - word.length)
  const at = packet.indexOf(word, from, 'latin1')
  if (at === -1 || at > parsed) return undefined
  // A request begins the packet, or follows the end of another.
  return at === 0 || packet[at - 1] === 0x0a || at === parsed ? at : undefined
}

/** A connection that goes on where another one stopped, with these bytes first. */
const innerConnection = (outer: Duplex, first: readonly Buffer[]): Duplex => {
  const connection = new Duplex({
    read: () => void outer.resume(),
    write(piece: Buffer, _encoding, done) {
      if (outer.write(piece)) done()
      else outer.once('drain', done)
    },
    final(done) {
      outer.end()
      done()
    },
    destroy(fault, done) {
      // What was written before leaves.
      ;(outer as Socket).destroySoon()
      done(fault)
    },
  })
  // What servers ask of a socket.
  const { remoteAddress, remotePort } = outer as Socket
  Object.assign(connection, {
    ...{ remoteAddress, remotePort, encrypted: (outer as { encrypted?: boolean }).encrypted },
    setTimeout: (ms: number, tell?: () => void) => (outer as Socket).setTimeout?.(ms, tell),
    setNoDelay() {},
    setKeepAlive() {},
  })
  for (const piece of first) connection.push(piece)
  outer.on('data', (piece: Buffer) => {
    if (!connection.push(piece)) outer.pause()
  })
  outer.once('end', () => connection.push(null))
  outer.once('close', () => connection.destroy())
  outer.on('error', () => connection.destroy())
  return connection
}
