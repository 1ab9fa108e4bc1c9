/** A request as it is sent, once or again: whole in memory, so that each time is the same. */
import { sha256 } from '@noble/hashes/sha2.js'
import { base64url } from '../../../protocol/bytes.ts'
import { formatContentDigest } from '../../../protocol/payment-proof.ts'
import { IDEMPOTENCY_KEY } from '../../../protocol/payment-headers.ts'
import type { Random } from '../../../effects/random.ts'
import { BuyerError } from '../../errors.ts'
import { PAID_ANSWER_MS, PAID_BODY_BYTES_MAX, PAID_IDLE_MS } from '../limits.ts'
import type { PayingKit } from './kit.ts'
import { hostOf } from './vendors.ts'

export interface Asked {
  readonly url: URL
  readonly host: string
  readonly method: string
  /** Path and query. */
  readonly target: string
  readonly headers: Headers
  readonly body: Uint8Array<ArrayBuffer> | undefined
  readonly bodyDigest: string | undefined
  readonly idempotencyKey: string
  readonly signal: AbortSignal | undefined
}

const KEY_BYTES = 16

/** Reads a request, and gives it an idempotency key of its own unless it has one. */
export const readRequest = async (
  random: Random,
  request: Request,
  signal: AbortSignal | undefined,
): Promise<Asked> => {
  const url = new URL(request.url)
  const bytes = request.body ? new Uint8Array(await request.arrayBuffer()) : undefined
  const body = bytes?.length === 0 ? undefined : bytes
  if (body && body.length > PAID_BODY_BYTES_MAX) {
    throw new BuyerError('ERR_PAYMENT_REFUSED', `a request that is paid has at most ${PAID_BODY_BYTES_MAX} bytes`)
  }
  const given = request.headers.get('idempotency-key')
  if (given !== null && !IDEMPOTENCY_KEY.test(given)) {
    throw new BuyerError('ERR_PAYMENT_REFUSED', 'an idempotency key is 1 to 128 visible ASCII characters')
  }
  const bodyDigest = body && base64url.encode(sha256(body))
  const headers = new Headers(request.headers)
  if (bodyDigest !== undefined) headers.set('content-digest', formatContentDigest(bodyDigest))
  return {
    url,
    host: hostOf(url),
    method: request.method,
    target: url.pathname + url.search,
    headers,
    body,
    bodyDigest,
    idempotencyKey: given ?? base64url.encode(random.bytes(KEY_BYTES)),
    signal: signal ? AbortSignal.any([request.signal, signal]) : request.signal,
  }
}

/** The same with a header more. */
export const withHeader = (asked: Asked, name: string, value: string): Asked => {
  const headers = new Headers(asked.headers)
  headers.set(name, value)
  return { ...asked, headers }
}

/** Sends it. @throws NetworkError, or the signal's reason */
export const send = (
  { streams }: Pick<PayingKit, 'streams'>,
  { url, method, headers, body, signal }: Asked,
  payment: Readonly<Record<string, string>>,
): Promise<Response> => {
  const all = new Headers(headers)
  for (const [name, value] of Object.entries(payment)) all.set(name, value)
  const request = new Request(url, { method, headers: all, ...(body && { body }) })
  return streams.open(request, { answerMs: PAID_ANSWER_MS, idleMs: PAID_IDLE_MS, ...(signal && { signal }) })
}
