/** WebSockets on undici (RFC 6455): our side of one, bounded, closed without waiting for the other side. */
import type { Socket } from 'node:net'
import { Agent, type Dispatcher, WebSocket } from 'undici'
import { connectorOver, NO_OWN_TIMEOUTS } from './connector.ts'
import type { RpcEndpoint } from './rpc-endpoint.ts'
import type { Dial } from './tcp-node.ts'

/** What happens on a WebSocket. After `close` nothing else does. */
export interface WebSocketEvents {
  open(): void
  /** @param text undefined for a binary message */
  message(text: string | undefined): void
  /** It never came about, or is over, or was broken off because the other side broke the rules or a bound. */
  close(): void
}

export interface OpenWebSocket {
  /** Once it is open. */
  send(text: string): void
  /** Breaks off, in whatever state it is. */
  destroy(): void
}

/** Parts of one message; none of a sane server has many. */
const FRAGMENTS_MAX = 64

/** What the handshake needs, and no header that tells who we are. No compression is asked for. */
const handshakeHeaders: ReadonlySet<string> = new Set(['authorization', 'sec-websocket-key', 'sec-websocket-version'])

const withoutOthers: Dispatcher.DispatcherComposeInterceptor = (dispatch) => (options, handler) => {
  const headers = Object.entries(options.headers ?? {}).filter(([name]) => handshakeHeaders.has(name.toLowerCase()))
  return dispatch({ ...options, headers: Object.fromEntries(headers) }, handler)
}

/**
 * Begins to connect; how that goes is told by the events. There is no limit in time.
 * @param dial opens the connection, so that none goes around the proxy
 * @param messageBytesMax a longer message ends it
 */
export const openWebSocket = (
  dial: Dial,
  endpoint: RpcEndpoint,
  messageBytesMax: number,
  events: WebSocketEvents,
): OpenWebSocket => {
  const ending = new AbortController()
  const connect = connectorOver(dial, ending)
  let connection: Socket | undefined
  const agent = new Agent({
    connect: (options, callback) =>
      connect(options, (...[fault, socket]) => {
        if (!socket) return callback(fault, null)
        connection = socket
        // undici waits for the end of both directions, and would never end ours.
        socket.once('end', () => socket.destroy())
        callback(null, socket)
      }),
    connections: 1,
    pipelining: 0,
    webSocket: { maxPayloadSize: messageBytesMax, maxFragments: FRAGMENTS_MAX },
    ...NO_OWN_TIMEOUTS,
  })
  const { url, headers } = endpoint
  const socket = new WebSocket(url, { dispatcher: agent.compose(withoutOthers), headers })
  const destroy = () => {
    ending.abort()
    connection?.destroy()
    agent.destroy().catch(() => {})
  }
  socket.binaryType = 'arraybuffer'
  socket.addEventListener('open', () => events.open())
  socket.addEventListener('message', ({ data }) => events.message(typeof data === 'string' ? data : undefined))
  socket.addEventListener('close', () => {
    destroy()
    events.close()
  })
  return { send: (text) => socket.send(text), destroy }
}

/** Opens WebSockets: see `openWebSocket`. */
export type OpenSocket = (url: string, messageBytesMax: number, events: WebSocketEvents) => OpenWebSocket

/** @param dial opens every connection, so that none goes around the proxy */
export const createSockets =
  (dial: Dial): OpenSocket =>
  (url, messageBytesMax, events) =>
    openWebSocket(dial, { url, headers: {} }, messageBytesMax, events)
