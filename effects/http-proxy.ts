/**
 * Hands requests on to another server and its answers back, both bodies as they come (RFC 9110 §7.6). It knows nothing of
 * what they are about: who uses it decides first, and may change what is answered.
 */
import { Agent, type ClientRequest, type IncomingMessage, request as ask, type ServerResponse } from 'node:http'
import { Agent as SecureAgent, request as askSecurely } from 'node:https'
import type { Duplex } from 'node:stream'
import { pipeline } from 'node:stream'

export interface HttpProxy {
  /**
   * Hands a request on.
   * @param failed is called, once, when there is no answer to hand back
   */
  forward(request: IncomingMessage, response: ServerResponse, failed: () => void): void
  /** Asks, without a body, whether a connection may go on in another protocol. @throws when there is no answer */
  upgrade(request: IncomingMessage): Promise<UpgradeAnswer>
  /** Ends connections that nobody uses. */
  close(): void
}

export interface UpgradeAnswer {
  readonly response: IncomingMessage
  /** The connection to the other server, where it agreed; what came with its answer is in it. */
  readonly socket: Duplex | undefined
}

export interface HttpProxySettings {
  readonly upstream: URL
  /** Headers of requests that are not for the other server, lower case; some servers read `_` in a name as `-`. */
  readonly withheld: ReadonlySet<string>
  /** The scheme that clients see. */
  readonly scheme: 'http' | 'https'
}

/** The other server has so long to begin its answer, milliseconds. */
const ANSWER_MS = 120_000
/** Connections to the other server. */
const CONNECTIONS_MAX = 1_024
/** Ours to close before the other server does, milliseconds. */
const KEEP_ALIVE_MS = 4_000

/** For one connection only (RFC 9110 §7.6.1), and those that say so by name. */
const hopByHop: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'proxy-authenticate',
  'proxy-authorization',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'http2-settings',
])

export const createHttpProxy = ({ upstream, withheld, scheme }: HttpProxySettings): HttpProxy => {
  const isSecure = upstream.protocol === 'https:'
  const options = { keepAlive: true, maxSockets: CONNECTIONS_MAX, timeout: ANSWER_MS, keepAliveMsecs: KEEP_ALIVE_MS }
  const agent = isSecure ? new SecureAgent(options) : new Agent(options)
  const base = upstream.pathname.replace(/\/$/, '')

  const begin = (
    request: IncomingMessage,
    headers: Readonly<Record<string, string | string[]>>,
    over: Agent | false = agent,
  ): ClientRequest => {
    const { originalUrl } = request as { originalUrl?: string }
    return (isSecure ? askSecurely : ask)({
      agent: over,
      host: upstream.hostname.replace(/^\[|\]$/g, ''),
      port: upstream.port || (isSecure ? 443 : 80),
      method: request.method,
      path: base + (originalUrl ?? request.url ?? '/'),
      headers,
      setDefaultHeaders: false,
    })
  }

  const requestHeaders = (request: IncomingMessage): Record<string, string | string[]> => {
    const host = hostOf(request)
    const isOurs = (name: string) => withheld.has(name.replaceAll('_', '-')) || name.startsWith(':') || name === 'host'
    const kept = endToEnd(request, isOurs)
    const before = kept['x-forwarded-for']
    const from = request.socket.remoteAddress ?? 'unknown'
    return {
      ...kept,
      host: upstream.host,
      'x-forwarded-for': before === undefined ? from : `${String(before)}, ${from}`,
      'x-forwarded-host': host,
      'x-forwarded-proto': scheme,
    }
  }

  return {
    forward(request, response, failed) {
      const isHttp2 = request.httpVersionMajor === 2
      const hasBody = isHttp2 ? !endsWithHeaders(request) : isAnnounced(request)
      const toSend = requestHeaders(request)
      // By what is sent: a body that nothing frames would be read as the next request of the connection.
      const chunked = hasBody && toSend['content-length'] === undefined ? { 'transfer-encoding': 'chunked' } : undefined
      const asked = begin(request, { ...toSend, connection: 'keep-alive', ...chunked })
      let answered = false
      const fail = () => {
        if (answered) return void response.destroy()
        answered = true
        asked.destroy()
        failed()
      }
      asked.once('error', fail)
      asked.setTimeout(ANSWER_MS, () => answered || fail())
      asked.once('response', (answer) => {
        if (answered) return void answer.resume()
        answered = true
        const { statusCode = 502, statusMessage = '' } = answer
        const headers = endToEnd(answer)
        if (isHttp2) response.writeHead(statusCode, headers)
        else response.writeHead(statusCode, statusMessage, headers)
        pipeline(answer, response, (fault) => {
          // Who reads a part must not take it for the whole.
          if (fault) response.destroy()
        })
      })
      response.once('close', () => response.writableFinished || asked.destroy())
      if (hasBody) pipeline(request, asked, (fault) => fault && asked.destroy())
      else asked.end()
    },

    upgrade: (request) =>
      new Promise((resolve, reject) => {
        const { upgrade = '' } = request.headers
        const { 'content-length': _length, expect: _expect, ...headers } = requestHeaders(request)
        // Nothing follows on a connection that was to go on in another protocol.
        const asked = begin(request, { ...headers, connection: 'Upgrade', upgrade }, false)
        asked.setTimeout(ANSWER_MS, () => asked.destroy(new Error('no answer')))
        asked.on('error', reject)
        request.socket.once('close', () => asked.destroy())
        asked.once('response', (response) => resolve({ response, socket: undefined }))
        asked.once('upgrade', (response, socket, head) => {
          asked.setTimeout(0)
          socket.setTimeout(0)
          socket.on('error', () => socket.destroy())
          if (head.length > 0) socket.unshift(head)
          resolve({ response, socket })
        })
        asked.end()
      }),

    close: () => agent.destroy(),
  }
}

/** Whether HTTP/1.1 says that there is a body (RFC 9112 §6). */
const isAnnounced = ({ headers }: IncomingMessage): boolean =>
  headers['transfer-encoding'] !== undefined || headers['content-length'] !== undefined

/** HTTP/2 says so by its frames. */
const endsWithHeaders = (request: IncomingMessage): boolean =>
  (request as { stream?: { endAfterHeaders?: boolean } }).stream?.endAfterHeaders === true

const hostOf = ({ headers }: IncomingMessage): string => headers.host ?? String(headers[':authority'] ?? '')

/** Headers that go further than one connection, those of one name together. */
export const endToEnd = (
  { headers, headersDistinct }: IncomingMessage,
  drop: (name: string) => boolean = () => false,
): Record<string, string | string[]> => {
  const named = new Set(
    (headers.connection ?? '')
      .toLowerCase()
      .split(',')
      .map((name) => name.trim()),
  )
  // These say where a message ends and whom it is for: they are of no connection, whatever it says.
  for (const name of ['content-length', 'host']) named.delete(name)
  const kept: Record<string, string | string[]> = {}
  for (const [name, values = []] of Object.entries(headersDistinct ?? headers)) {
    if (hopByHop.has(name) || named.has(name) || drop(name)) continue
    const all = [values].flat()
    const [only = ''] = all
    kept[name] = all.length === 1 ? only : all
  }
  return kept
}
