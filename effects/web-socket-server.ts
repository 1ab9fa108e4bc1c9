/** WebSockets that come in (RFC 6455), beside the requests of an HTTP server: bounded, and cut off when not read. */
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { type WebSocket, WebSocketServer } from 'ws'
import { plainHost } from './plain-host.ts'

/** Our side of one. */
export interface ServerSocket {
  /** A peer that does not take what is sent to it is cut off. */
  send(text: string): void
  /** Lets what was sent arrive, and ends it. */
  close(): void
}

/** What happens on it. After `close` nothing else does. */
export interface ServerSocketEvents {
  /** @param text undefined for a binary message */
  message(text: string | undefined): void
  close(): void
}

/** A peer that asks for one. */
export interface SocketOffer {
  /** Address that its connection comes from. */
  readonly peerHost: string
  /** Its `X-Forwarded-For` header. */
  readonly forwarded: string | undefined
  readonly path: string
}

/** Decides about an offer. @returns what to do with the socket; or an HTTP status, and it is refused */
export type AcceptSocket = (offer: SocketOffer) => number | ((socket: ServerSocket) => ServerSocketEvents)

/** Takes over the connection of a request to upgrade. */
export type Upgrade = (request: IncomingMessage, connection: Duplex, head: Buffer) => void

/** What may wait for a peer to take it, bytes. */
const WAITING_BYTES_MAX = 64 * 1024
/** Parts of one message; none of a sane client has many. */
const FRAGMENTS_MAX = 64

/** @param messageBytesMax a longer message ends the connection that it comes on */
export const createUpgrade = (accept: AcceptSocket, messageBytesMax: number): Upgrade => {
  const bounds = { maxPayload: messageBytesMax, maxFragments: FRAGMENTS_MAX, maxBufferedChunks: 1024 }
  const plain = { noServer: true, clientTracking: false, perMessageDeflate: false }
  const server = new WebSocketServer({ ...plain, ...bounds, maxPendingAutoPongs: 8 } as typeof plain)
  return (request, connection, head) => {
    // Until the handshake is done nobody else listens.
    const onError = () => connection.destroy()
    connection.on('error', onError)
    const forwarded = [request.headers['x-forwarded-for'] ?? []].flat().join(',')
    const decision = accept({
      peerHost: plainHost(request.socket.remoteAddress ?? ''),
      forwarded: forwarded === '' ? undefined : forwarded,
      path: (request.url ?? '').replace(/\?.*$/s, ''),
    })
    if (typeof decision === 'number') {
      connection.once('finish', () => connection.destroy())
      connection.end(`HTTP/1.1 ${decision} Refused\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`)
      return
    }
    server.handleUpgrade(request, connection, head, (socket) => {
      connection.off('error', onError)
      attach(socket, decision)
    })
  }
}

const attach = (socket: WebSocket, open: (socket: ServerSocket) => ServerSocketEvents): void => {
  const events = open({
    send(text) {
      if (socket.bufferedAmount > WAITING_BYTES_MAX) return socket.terminate()
      socket.send(text)
    },
    close: () => socket.close(1000),
  })
  socket.on('message', (data, isBinary) => events.message(isBinary ? undefined : (data as Buffer).toString()))
  // What is wrong is told by `close`, which follows.
  socket.on('error', () => socket.terminate())
  socket.on('close', () => events.close())
}
