/** Answers a buyer's code with the credentials that its key has paid for. @see SEED 000 cert.info; DESIGN 7 */
import type { Clock } from '../effects/clock.ts'
import { nowSeconds } from '../effects/clock.ts'
import { toHex, utf8 } from '../protocol/bytes.ts'
import { openCode, sealAnswer, type OpenedCode } from '../protocol/cert-info.ts'
import type { Server } from '../protocol/credentials.ts'
import type { FlattenedJws, Jose } from '../protocol/jose.ts'
import { SIGNED_TIME_WINDOW_SECONDS } from '../protocol/limits.ts'
import type { PriceContent } from '../protocol/price.ts'
import { formatVendorUri, type VendorUri } from '../protocol/vendor-uri.ts'
import { VendorError } from './errors.ts'
import type { VendorKeys } from './keys.ts'
import { chooseOrder, isRunning, type PaidOrder } from './orders.ts'
import { createReplayGuard } from './replay-guard.ts'
import type { VendorStore } from './store.ts'

/** About 60 bytes each: what five minutes of the fastest RSA we can do would fill. */
const CODES_REMEMBERED_MAX = 2 ** 18

export interface CertInfoParts {
  readonly clock: Clock
  readonly jose: Jose
  readonly store: VendorStore
  readonly keys: VendorKeys
  readonly vendor: VendorUri
  readonly legacy: boolean
  readonly signTime: TimeSigner
  /** Opens the access of a paid order. */
  readonly openAccess: (order: PaidOrder) => Promise<readonly Server[]>
  /** Offered to those who have not paid. */
  readonly paymentMethods: () => PriceContent['PaymentChannels']
}

/**
 * @returns a function from `code` to the compact JWE of the answer; it throws
 *   ERR_REPLAYED | ERR_CODE_TOO_OLD | ERR_NOT_PAID | ERR_ORDER_ENDED, and what `openCode` throws
 */
export const createCertInfo = async (parts: CertInfoParts): Promise<(code: string) => Promise<string>> => {
  const { clock, jose, store, keys, legacy, signTime } = parts
  const vendor = formatVendorUri(parts.vendor)
  const startedAtSeconds = nowSeconds(clock)
  const guard = createReplayGuard(startedAtSeconds, SIGNED_TIME_WINDOW_SECONDS, CODES_REMEMBERED_MAX)
  for (const [id, tsSeconds] of await store.rememberedCodes(startedAtSeconds)) {
    guard.admit(id, tsSeconds, startedAtSeconds)
  }

  const admitOnce = async ({ onceOnly, tsSeconds }: OpenedCode, now: number): Promise<void> => {
    const verdict = guard.admit(onceOnly, tsSeconds, now)
    if (verdict === 'replayed') throw new VendorError('ERR_REPLAYED', 'make a new code for each request')
    if (verdict === 'too-old-to-tell') {
      throw new VendorError('ERR_CODE_TOO_OLD', 'the vendor has restarted since this code was made: make a new one')
    }
    if (tsSeconds > now) await store.rememberCode(onceOnly, tsSeconds)
  }

  const paidOrder = async ({ keyId, planId }: OpenedCode, now: number): Promise<PaidOrder> => {
    const orders = await store.ordersOfKey(toHex(keyId))
    const running = chooseOrder(
      orders.filter((order) => isRunning(order, now)),
      planId,
    )
    if (running) return running
    const methods = { PaymentChannels: parts.paymentMethods() }
    if (chooseOrder(orders, planId)) {
      throw new VendorError('ERR_ORDER_ENDED', 'buy again to go on', methods)
    }
    throw new VendorError(
      'ERR_NOT_PAID',
      'pay by one of these methods, or wait until the payment is confirmed',
      methods,
    )
  }

  return async (code) => {
    const now = nowSeconds(clock)
    const opened = await openCode(jose, code, keys.encryption.privateKey, { vendor, nowSeconds: now, legacy })
    await admitOnce(opened, now)
    const order = await paidOrder(opened, now)
    const answer = {
      servers: await parts.openAccess(order),
      tsSeconds: now,
      expiresSeconds: order.endsAtSeconds,
      order: { id: order.orderId, vendor, plan: order.planId },
    }
    const signer = { privateKey: keys.signing.privateKey, timeSignature: await signTime(now) }
    return sealAnswer(jose, answer, opened, signer)
  }
}

/** Signs the decimal seconds with the vendor's key. */
export type TimeSigner = (tsSeconds: number) => Promise<FlattenedJws>

/** RS256 gives the same signature for the same second, so one serves all that ask within it. */
export const createTimeSigner = (jose: Jose, keys: VendorKeys): TimeSigner => {
  let latest: { readonly tsSeconds: number; readonly signature: Promise<FlattenedJws> } | undefined
  return (tsSeconds) => {
    if (latest?.tsSeconds !== tsSeconds) {
      latest = { tsSeconds, signature: jose.sign(utf8(String(tsSeconds)), keys.signing.privateKey) }
    }
    return latest.signature
  }
}
