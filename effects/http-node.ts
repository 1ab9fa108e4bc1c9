/** HTTP/1.1 exchanges on undici: bounded in time and size, following nothing, decoding nothing, remembering nothing. */
import { Agent } from 'undici'
import { connectorOver, NO_OWN_TIMEOUTS } from './connector.ts'
import { underDeadline } from './network-fault.ts'
import { type AllowIp, type Network, NetworkError } from './network.ts'
import type { Dial } from './tcp-node.ts'

/** An idle connection is kept so long, whatever its server would like. */
export const KEEP_ALIVE_MS = 4_000
/** Connections to one origin at a time; further requests wait, within their own time limit. */
const CONNECTIONS_PER_ORIGIN_MAX = 64

/** Statuses that have no body, and for which `Response` takes none (Fetch §2.2.3). */
const bodiless: ReadonlySet<number> = new Set([204, 205, 304])

/** @param dial opens every connection, so that none goes around the proxy */
export const createFetch = (dial: Dial): Network['fetch'] => {
  const connecting = createAttempts()
  const shared = new Agent({
    connect: connectorOver(dial, connecting),
    connections: CONNECTIONS_PER_ORIGIN_MAX,
    keepAliveTimeout: KEEP_ALIVE_MS,
    keepAliveMaxTimeout: KEEP_ALIVE_MS,
    ...NO_OWN_TIMEOUTS,
  })
  const exchange = async (
    agent: Agent,
    request: Request,
    bodyBytesMax: number,
    signal: AbortSignal,
  ): Promise<Response> => {
    const answer = await agent.request({ ...(await questionOf(request)), signal })
    return toResponse(answer.statusCode, answer.headers, await readBody(answer.body, bodyBytesMax))
  }
  return async (request, { timeoutMs, bodyBytesMax, signal: given, allow }) => {
    const signals = given ? [request.signal, given] : [request.signal]
    // A connection that stands already was opened for somebody who may go where this request may not.
    const agent = allow ? createOwnAgent(dial, connecting, allow) : shared
    try {
      return await connecting.during(() =>
        underDeadline(timeoutMs, signals, (signal) => exchange(agent, request, bodyBytesMax, signal)),
      )
    } finally {
      if (agent !== shared) await agent.destroy()
    }
  }
}

/** A request as undici takes it. @throws ERR_NETWORK_PROTOCOL unless it is for http or https */
export const questionOf = async (request: Request) => {
  const url = new URL(request.url)
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw new NetworkError('ERR_NETWORK_PROTOCOL', 'only http and https are spoken')
  }
  const headers = new Headers(request.headers)
  if (!headers.has('accept-encoding')) headers.set('accept-encoding', 'identity')
  return {
    origin: url.origin,
    path: url.pathname + url.search,
    method: request.method,
    headers: [...headers].flat(),
    body: request.body && new Uint8Array(await request.arrayBuffer()),
  }
}

/** For one exchange: it tells the server that there will be no other. */
const createOwnAgent = (dial: Dial, connecting: Attempts, allow: AllowIp): Agent =>
  new Agent({
    connect: connectorOver((address, signal) => dial(address, signal, allow), connecting),
    connections: 1,
    pipelining: 0,
    ...NO_OWN_TIMEOUTS,
  })

/** undici goes on connecting for a request that was given up; this stops it, so that a program can end. */
export interface Attempts {
  /** Aborts as soon as no exchange waits any more. */
  readonly signal: AbortSignal
  during<Result>(exchange: () => Promise<Result>): Promise<Result>
}

export const createAttempts = (): Attempts => {
  let waiting = 0
  let abandoned = new AbortController()
  return {
    get signal() {
      return abandoned.signal
    },
    async during(exchange) {
      waiting++
      try {
        return await exchange()
      } finally {
        if (--waiting === 0) {
          abandoned.abort()
          abandoned = new AbortController()
        }
      }
    },
  }
}

/** Leaving the loop early destroys the stream and with it the connection. */
const readBody = async (stream: AsyncIterable<Uint8Array>, bytesMax: number): Promise<Uint8Array<ArrayBuffer>> => {
  const chunks: Uint8Array[] = []
  let length = 0
  for await (const chunk of stream) {
    length += chunk.length
    if (length > bytesMax) throw new NetworkError('ERR_NETWORK_BODY_TOO_LARGE', 'the answer is longer than it may be')
    chunks.push(chunk)
  }
  return new Uint8Array(Buffer.concat(chunks))
}

/** @throws ERR_NETWORK_PROTOCOL */
export const toResponse = (
  status: number,
  fields: Readonly<Record<string, string | string[] | undefined>>,
  body: Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array<ArrayBuffer>>,
): Response => {
  try {
    const headers = new Headers()
    for (const [name, values = []] of Object.entries(fields)) {
      for (const value of [values].flat()) headers.append(name, value)
    }
    return new Response(bodiless.has(status) ? null : body, { status, headers })
  } catch {
    throw new NetworkError('ERR_NETWORK_PROTOCOL', 'the answer has a status or a header that HTTP does not have')
  }
}
