/**
 * Metered access for services that are functions from `Request` to `Response`: Hono, and all that speaks Fetch.
 *
 * A use is charged, durably, before the first byte of its answer leaves. An answer whose body costs by the bit is charged
 * as it flows; it breaks off where the money does.
 */
import { canonicalHost } from '../protocol/payment-headers.ts'
import { announcedDigest } from '../protocol/payment-proof.ts'
import type { HeaderLines, Use } from './admission.ts'
import { checkedStream, createDigestCheck, type Sha256 } from './body-digest.ts'
import type { OwnAnswer } from './endpoints.ts'
import { GatewayError } from './errors.ts'
import type { Gateway } from './index.ts'
import { VOUCHER_BODY_BYTES_MAX } from './limits.ts'
import type { Meter } from './meter.ts'
import type { Incoming } from './vouchers.ts'

/** What Node's adaptors hand on with a request: headers are read and written here at a tenth of the cost. */
interface NodeBindings {
  readonly incoming?: {
    readonly url?: string | undefined
    readonly headers: Readonly<Record<string, string | string[] | undefined>>
  }
  readonly outgoing?: { setHeader?(name: string, value: string): unknown }
}

export type FetchHandler<Env> = (request: Request, env: Env) => Response | Promise<Response>

/** Only success is charged. */
export const isCharged = (status: number): boolean => status >= 200 && status < 300

/**
 * A service that costs what the gateway's settings say.
 * @param createSha256 for bodies with a `Content-Digest`
 */
export const meterFetch = <Env = unknown>(
  gateway: Gateway,
  createSha256: () => Sha256,
  handler: FetchHandler<Env>,
): ((request: Request, env?: Env) => Promise<Response>) => {
  const serve = async (incoming: Incoming, request: Request, env: Env): Promise<Response> => {
    const own = gateway.own(incoming, () => readVoucherText(request))
    if (own) return toResponse(await own)
    const use = await gateway.admit(incoming)
    if (!use) return handler(request, env)
    let response: Response
    try {
      response = await handler(withCheckedBody(incoming, request, createSha256), env)
    } catch (error) {
      await use.release()
      throw error
    }
    if (!isCharged(response.status)) {
      await use.release()
      return tell(response, use.headers(), env)
    }
    if (use.meter) return meteredResponse(response, use, use.meter)
    return tell(response, await use.commit(), env)
  }

  return async (request, env) => {
    const incoming = incomingOf(request, (env as NodeBindings | undefined)?.incoming, gateway.scheme)
    try {
      return await serve(incoming, request, env as Env)
    } catch (error) {
      return toResponse(await gateway.refusal(error, incoming))
    }
  }
}

export const incomingOf = (request: Request, node: NodeBindings['incoming'], scheme: 'http' | 'https'): Incoming => {
  const headers = node?.headers
  const header = headers
    ? (name: string) => {
        const value = headers[name]
        return Array.isArray(value) ? value.join(', ') : value
      }
    : (name: string) => request.headers.get(name) ?? undefined
  const target = node?.url ?? targetOf(request.url)
  const host = header('host') ?? new URL(request.url).host
  return {
    method: request.method,
    target,
    host: canonicalHost(host, `${scheme}:`),
    header,
    headers: () => request.headers,
  }
}

/** Path and query as they were written. */
const targetOf = (url: string): string => {
  const start = url.indexOf('/', url.indexOf('://') + 3)
  const target = start === -1 ? '/' : url.slice(start)
  const fragment = target.indexOf('#')
  return fragment === -1 ? target : target.slice(0, fragment)
}

export const readVoucherText = async (request: Request): Promise<string> => {
  const decoder = new TextDecoder()
  let [text, length] = ['', 0]
  for await (const piece of request.body ?? []) {
    length += piece.length
    if (length > VOUCHER_BODY_BYTES_MAX) throw new GatewayError('ERR_TOO_LARGE', 'a voucher is at most 16 KiB')
    text += decoder.decode(piece, { stream: true })
  }
  return text
}

const withCheckedBody = (incoming: Incoming, request: Request, createSha256: () => Sha256): Request => {
  const announced = incoming.header('content-digest')
  const expected = announced === undefined ? undefined : announcedDigest(announced)
  if (expected === undefined || !request.body) return request
  const body = checkedStream(request.body, createDigestCheck(createSha256(), expected))
  const { method, headers, signal } = request
  return new Request(request.url, { method, headers, signal, body, duplex: 'half' } as RequestInit)
}

export const toResponse = ({ status, headers, body }: OwnAnswer): Response =>
  new Response(JSON.stringify(body), { status, headers })

const tell = (response: Response, lines: HeaderLines, env: unknown): Response => {
  const { outgoing } = (env ?? {}) as NodeBindings
  if (!outgoing?.setHeader) return withHeaders(response, lines)
  for (const [name, value] of lines) outgoing.setHeader(name, value)
  return response
}

const withHeaders = (response: Response, lines: HeaderLines): Response => {
  try {
    for (const [name, value] of lines) response.headers.set(name, value)
    return response
  } catch {
    // The answer of somebody else's fetch, whose headers cannot be changed.
    const headers = new Headers(response.headers)
    for (const [name, value] of lines) headers.set(name, value)
    return new Response(response.body, { status: response.status, statusText: response.statusText, headers })
  }
}

const meteredResponse = async (response: Response, use: Use, meter: Meter): Promise<Response> => {
  const lines = use.headers()
  if (!response.body) return withHeaders(response, await use.commit())
  const reader = response.body.getReader() as ReadableStreamDefaultReader<Uint8Array>
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      try {
        const { done, value } = await reader.read()
        if (done) {
          await use.commit()
          return controller.close()
        }
        const paid = await meter.pay(value.length)
        if (paid > 0) controller.enqueue(value.subarray(0, paid))
        if (paid < value.length) throw new GatewayError('ERR_BALANCE_SHORT', 'the money has come to its end')
      } catch (error) {
        await Promise.all([reader.cancel().catch(() => {}), use.release().catch(() => {})])
        controller.error(error)
      }
    },
    async cancel(reason) {
      await Promise.all([reader.cancel(reason), use.release()])
    },
  })
  const headers = new Headers(response.headers)
  for (const [name, value] of lines) headers.set(name, value)
  return new Response(body, { status: response.status, headers })
}
