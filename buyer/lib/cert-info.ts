/** One question to one endpoint of a vendor: sends the code, opens the answer. @see SEED 000 cert.info; DESIGN 7 */
import { nowSeconds } from '../../effects/clock.ts'
import { fromUtf8, utf8 } from '../../protocol/bytes.ts'
import { openAnswer, sealCode, type Answer } from '../../protocol/cert-info.ts'
import { ProtocolError } from '../../protocol/errors.ts'
import { parseJson } from '../../protocol/json.ts'
import { publicKeyOf } from '../../protocol/keys.ts'
import { CERT_INFO_ANSWER_BYTES_MAX, NONCE_BYTES } from '../../protocol/limits.ts'
import { parseProblem } from '../../protocol/problem.ts'
import { cleanText } from '../../protocol/text.ts'
import { BuyerError } from '../errors.ts'
import type { BuyerEffects } from './effects.ts'
import { endpointUrl } from '../../protocol/endpoint.ts'
import type { KeyringOrder } from './keyring-content.ts'
import { VENDOR_TIMEOUT_MS } from './limits.ts'
import type { ProvenEndpoint } from './price-of-vendor.ts'

type AskEffects = Pick<BuyerEffects, 'clock' | 'random' | 'network' | 'jose'>

/** Statuses by which a server says that it knows no POST here: the original knew GET only. */
const NO_POST: ReadonlySet<number> = new Set([404, 405, 415, 501])

/** Statuses that say "not now": unpaid so far, a code that cannot be told from a replay, too many, server faults. */
const isPassing = (status: number): boolean => status === 402 || status === 409 || status === 429 || status >= 500

/** The vendor says no; whether for good, and when to ask again. */
export class Refused extends BuyerError {
  readonly status: number
  /** The vendor's own code, `ERR_NOT_PAID` for one. */
  readonly vendorCode: string | undefined
  readonly passing: boolean
  readonly retryAfterMs: number
  constructor(status: number, vendorCode: string | undefined, detail: string, retryAfterMs: number) {
    super('ERR_VENDOR_REFUSED', `the vendor refuses: ${detail}`)
    this.status = status
    this.vendorCode = vendorCode
    this.passing = isPassing(status)
    this.retryAfterMs = retryAfterMs
  }
}

/**
 * Asks a proven endpoint for the credentials of an order. A new question is made each time: a code is good once.
 * @throws Refused | NetworkError | ProtocolError when what comes is no answer of this vendor to this question |
 *   ERR_ANSWER_OF_OTHER_ORDER
 */
export const askForCredentials = async (
  effects: AskEffects,
  { endpoint, keys, tsSeconds }: ProvenEndpoint,
  order: KeyringOrder,
  signal?: AbortSignal,
): Promise<Answer> => {
  const { clock, random, jose } = effects
  const buyer = { privateKey: order.key, publicKey: publicKeyOf(order.key) }
  const ask = async (method: 'GET' | 'POST') => {
    const question = {
      vendor: order.vendor,
      // By a clock that is behind the vendor's it would seem older than a vendor that has just started.
      tsSeconds: Math.max(nowSeconds(clock), tsSeconds),
      nonce: random.bytes(NONCE_BYTES),
      planId: order.planId,
    }
    const code = await sealCode(jose, question, buyer, keys.encryption)
    return { question, response: await send(effects, endpoint, method, code, signal) }
  }

  // A body is in no access log, so POST comes first.
  let { question, response } = await ask('POST')
  if (NO_POST.has(response.status)) ({ question, response } = await ask('GET'))
  const body = new Uint8Array(await response.arrayBuffer())
  if (response.status !== 200) throw refusalIn(response, body)

  const answer = await openAnswer(jose, readText(body), order.key, {
    question,
    vendorSigningKey: keys.signing,
    nowSeconds: nowSeconds(clock),
  })
  if (answer.order.id !== order.orderId || answer.order.plan !== order.planId) {
    throw new BuyerError('ERR_ANSWER_OF_OTHER_ORDER', 'the vendor answered for another order than was asked for')
  }
  return answer
}

const send = (
  { network }: AskEffects,
  endpoint: string,
  method: 'GET' | 'POST',
  code: string,
  signal: AbortSignal | undefined,
): Promise<Response> => {
  const url = endpointUrl(endpoint, 'cert.info')
  if (!url) throw new TypeError('a proven endpoint is a URL')
  if (method === 'GET') url.searchParams.set('code', code)
  const post = () => new Request(url, { method: 'POST', headers: { 'content-type': 'application/jose' }, body: code })
  const request = method === 'GET' ? new Request(url) : post()
  const limits = {
    timeoutMs: VENDOR_TIMEOUT_MS,
    bodyBytesMax: CERT_INFO_ANSWER_BYTES_MAX,
    ...(signal ? { signal } : {}),
  }
  return network.fetch(request, limits)
}

const readText = (body: Uint8Array): string => {
  try {
    return fromUtf8(body).trim()
  } catch (cause) {
    throw new ProtocolError('ERR_ANSWER_SHAPE', 'the answer is no text', { cause })
  }
}

const refusalIn = ({ status, headers }: Response, body: Uint8Array): Refused => {
  const problem = readProblem(body)
  const seconds = /^\d{1,5}$/.exec(headers.get('retry-after') ?? '')?.[0] ?? '0'
  const detail = problem ? `${problem.title}: ${problem.detail}` : `HTTP status ${status}`
  // One line, made of anybody's words.
  const line = cleanText(utf8(detail)).replace(/\s+/g, ' ').slice(0, 300).toWellFormed()
  return new Refused(status, problem?.code, line, Number(seconds) * 1000)
}

const readProblem = (body: Uint8Array) => {
  try {
    return parseProblem(parseJson(body))
  } catch {
    return undefined
  }
}
