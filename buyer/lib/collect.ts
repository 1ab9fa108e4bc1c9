/** Collecting credentials: endpoints in the vendor's order, again and again until one answers or hope ends. */
import { nowSeconds } from '../../effects/clock.ts'
import { keyHashOf } from '../../protocol/cert-info.ts'
import type { Server } from '../../protocol/credentials.ts'
import { parseVendorUri } from '../../protocol/vendor-uri.ts'
import { BuyerError } from '../errors.ts'
import { askForCredentials, Refused } from './cert-info.ts'
import type { BuyerEffects } from './effects.ts'
import type { Keyring } from './keyring.ts'
import { changeOrder, findOrder, type KeyringOrder } from './keyring-content.ts'
import { COLLECT_WAIT_MS, RETRY_MS_MAX, RETRY_MS_MIN } from './limits.ts'
import { anchorOf, readPricedListing, vendorIn, type Market } from './market.ts'
import { askEndpoint, provenBy } from './price-of-vendor.ts'

export interface Credentials {
  readonly orderId: string
  readonly servers: readonly Server[]
  /** End of the paid time as the vendor counts it, unix seconds. */
  readonly expiresSeconds: number
  readonly collectedAtSeconds: number
}

export interface CollectOptions {
  /** Ask the vendor even if there are credentials that have not expired. */
  readonly refresh?: boolean
  /** Wait no longer than this for a vendor that says "not now", milliseconds. */
  readonly waitMs?: number
  /** Told, in a sentence, what is waited for. */
  readonly tell?: (sentence: string) => void
  readonly signal?: AbortSignal
}

/** Credentials that are in the keyring and have not expired. */
export const keptCredentials = (order: KeyringOrder, nowSec: number): Credentials | undefined =>
  order.credentials && order.credentials.expiresSeconds > nowSec
    ? { orderId: order.orderId, ...order.credentials }
    : undefined

/**
 * Fetches the credentials of an order and keeps them in the keyring.
 * @throws ERR_ORDER_UNKNOWN | ERR_ORDER_NOT_RUNNING | ERR_NOT_YET_CONFIRMED | ERR_VENDOR_UNREACHABLE |
 *   ERR_VENDOR_UNTRUSTED | ERR_VENDOR_REFUSED | ERR_ANSWER_OF_OTHER_ORDER | ChainError
 */
export const collect = async (
  effects: BuyerEffects,
  market: Market,
  keyring: Keyring,
  wanted: string,
  { waitMs = COLLECT_WAIT_MS, tell = () => {}, signal }: CollectOptions = {},
): Promise<Credentials> => {
  const order = findOrder(await keyring.read(), wanted)
  let pauseMs = RETRY_MS_MIN
  // Pauses are added up instead of reading the clock, which may jump.
  for (let waitedMs = 0; ; waitedMs += pauseMs) {
    const outcome = await askAll(effects, market, order, signal)
    if ('servers' in outcome) {
      const { servers, expiresSeconds } = outcome
      const credentials = { servers: [...servers], expiresSeconds, collectedAtSeconds: nowSeconds(effects.clock) }
      await keyring.update((content) => changeOrder(content, order.orderId, (old) => ({ ...old, credentials })))
      return { orderId: order.orderId, ...credentials }
    }
    const { fault, askedAgainAfterMs } = outcome
    if (askedAgainAfterMs === undefined) throw fault
    if (waitedMs > 0) pauseMs = Math.min(pauseMs * 2, RETRY_MS_MAX)
    pauseMs = Math.min(Math.max(pauseMs, askedAgainAfterMs), RETRY_MS_MAX)
    if (waitedMs + pauseMs > waitMs) throw fault
    tell(`${fault.message}; asking again in ${Math.ceil(pauseMs / 1000)} s`)
    await effects.clock.sleep(pauseMs, signal)
  }
}

/** Why an endpoint gave nothing. */
interface NotNow {
  readonly fault: Error
  /** Undefined: asking again will not help. */
  readonly askedAgainAfterMs: number | undefined
}

/** One round: every endpoint once, until one answers. The chain is read anew, for it may have changed. */
const askAll = async (
  effects: BuyerEffects,
  market: Market,
  order: KeyringOrder,
  signal: AbortSignal | undefined,
): Promise<Awaited<ReturnType<typeof askForCredentials>> | NotNow> => {
  const uri = vendorIn(market, order.vendor)
  const onChain = await runningOnChain(effects, market, order, signal)
  if (onChain !== 'running') return onChain
  const listing = await readPricedListing(market, uri, signal)
  const anchor = anchorOf(uri, listing)
  const faults: NotNow[] = []
  for (const { text } of listing.vendor.endpoints) {
    try {
      const proven = provenBy(await askEndpoint(effects, text, anchor, signal))
      return await askForCredentials(effects, proven, order, signal)
    } catch (error) {
      if (signal?.aborted) throw error
      faults.push(notNow(error))
    }
  }
  const none = new BuyerError('ERR_VENDOR_UNREACHABLE', 'the vendor has registered no endpoint')
  return faults.toSorted(byWeight)[0] ?? { fault: none, askedAgainAfterMs: undefined }
}

/**
 * What the vendor itself says decides, then that somebody poses as the vendor, then that nobody answers. Among equals
 * the one that asks to wait.
 */
const byWeight = (a: NotNow, b: NotNow): number =>
  weightOf(b.fault) - weightOf(a.fault) ||
  Number(a.askedAgainAfterMs === undefined) - Number(b.askedAgainAfterMs === undefined)

const weightOf = ({ code }: Error & { readonly code?: string }): number =>
  code === 'ERR_VENDOR_UNREACHABLE' ? 0 : code === 'ERR_VENDOR_UNTRUSTED' ? 1 : 2

const runningOnChain = async (
  { clock }: Pick<BuyerEffects, 'clock'>,
  { reader, payments }: Market,
  { vendor, planId, key }: KeyringOrder,
  signal: AbortSignal | undefined,
): Promise<'running' | NotNow> => {
  const { vendorId } = parseVendorUri(vendor)
  const name = { vendorId, planId, keyHash: keyHashOf(key) }
  const { startedAt, endsAt, cancelled } = await reader.order(payments, name, 'latest', signal)
  if (startedAt === 0) {
    return { fault: new BuyerError('ERR_NOT_YET_CONFIRMED', 'the payment is not on chain yet'), askedAgainAfterMs: 0 }
  }
  if (cancelled || endsAt <= nowSeconds(clock)) {
    const text = cancelled ? 'this order was cancelled: buy again' : 'the paid time of this order is over: extend it'
    return { fault: new BuyerError('ERR_ORDER_NOT_RUNNING', text), askedAgainAfterMs: undefined }
  }
  return 'running'
}

/** Sorts a fault of one endpoint: the order is paid and runs, so a vendor that has not seen that yet will. */
const notNow = (error: unknown): NotNow => {
  if (error instanceof Refused) {
    if (!error.passing) return { fault: error, askedAgainAfterMs: undefined }
    const waits = new BuyerError('ERR_NOT_YET_CONFIRMED', 'the vendor has not seen the payment confirmed yet')
    return { fault: error.status === 402 ? waits : unreachable(error), askedAgainAfterMs: error.retryAfterMs }
  }
  const { code, retryable } = error as { code?: string; retryable?: boolean }
  if (code === undefined) throw error
  return retryable
    ? { fault: unreachable(error), askedAgainAfterMs: 0 }
    : { fault: error as Error, askedAgainAfterMs: undefined }
}

const unreachable = (error: unknown): BuyerError =>
  error instanceof BuyerError && error.code === 'ERR_VENDOR_UNREACHABLE'
    ? error
    : new BuyerError('ERR_VENDOR_UNREACHABLE', `the vendor cannot answer now: ${(error as Error).message}`, {
        cause: error,
      })
