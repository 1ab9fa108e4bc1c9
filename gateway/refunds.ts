/**
 * Gives money back. A refund is taken from its account first, durably, together with the request that asked for it; then
 * the rail pays it, once, however often the gateway starts anew in between.
 */
import { createBackoff } from '../chain/backoff.ts'
import type { Clock } from '../effects/clock.ts'
import { nowSeconds } from '../effects/clock.ts'
import type { Log } from '../effects/log.ts'
import type { Random } from '../effects/random.ts'
import { base64url } from '../protocol/bytes.ts'
import { GatewayError, isPassing } from './errors.ts'
import type { Account, Ledger } from './ledger/index.ts'
import type { RefundRow } from './ledger/store.ts'
import type { Rail } from './rail.ts'
import { voucherRow, type PresentedRefund } from './vouchers.ts'

export interface RefundParts {
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly ledger: Ledger
  readonly rails: readonly Rail[]
}

export interface Refunds {
  /**
   * Does what a refund request says; each once. Durable when it resolves.
   * @throws ERR_REFUND_REPLAYED | ERR_REFUND_AMOUNT | ERR_BUSY
   */
  request(asked: PresentedRefund): Promise<RefundRow>
  /** Gives an account's rest back to who paid it. Does nothing when there is none. */
  giveRest(account: Account, to: string): Promise<void>
  /** Pays refunds until the signal aborts. */
  run(signal: AbortSignal): Promise<void>
}

export const createRefunds = ({ clock, random, log, ledger, rails }: RefundParts): Refunds => {
  /** Requests that are being written. */
  const underWay = new Set<string>()
  let wake = Promise.withResolvers<void>()

  const newId = () => base64url.encode(random.bytes(16))
  const tell = (): void => {
    wake.resolve()
    wake = Promise.withResolvers()
  }

  const pay = async (refund: RefundRow, signal: AbortSignal): Promise<'done' | 'later'> => {
    const rail = rails.find(({ id }) => id === refund.book)
    // Of a rail that the settings no longer have: it waits until they do.
    if (!rail) return 'done'
    const { id, account, amount, to, authorization } = refund
    let outcome: { readonly reference: string } | 'failed'
    try {
      outcome = await rail.refund({ id, account, amount, to, authorization }, signal)
    } catch (error) {
      if (signal.aborted) return 'later'
      const { retryable = true, code = 'unknown' } = error as { retryable?: boolean; code?: string }
      log.warn('gateway.refund-failed', { rail: rail.scheme, code, again: retryable })
      if (retryable) return 'later'
      outcome = 'failed'
    }
    await ledger.settleRefund(refund, outcome)
    return 'done'
  }

  /** Those that wait to be paid. @returns whether some still do */
  const payAll = async (signal: AbortSignal): Promise<boolean> => {
    let later = false
    for (const refund of await ledger.pendingRefunds()) {
      if (signal.aborted) break
      later = (await pay(refund, signal)) === 'later' || later
    }
    return later
  }

  return {
    async request({ account, id, claims, authority, rail }) {
      const name = `${rail.id} ${account.account} ${id}`
      const replayed = () => new GatewayError('ERR_REFUND_REPLAYED', 'a refund request is good once: make a new one')
      if (underWay.has(name)) throw replayed()
      underWay.add(name)
      try {
        if (await ledger.hasVoucher(account, id)) throw replayed()
        const { limit, evidence, authorization } = authority
        const asked = {
          id: newId(),
          to: claims.to,
          authorization,
          amount: claims.amount === undefined ? undefined : BigInt(claims.amount),
          signed: limit === undefined ? undefined : { limit, evidence },
          nowSeconds: nowSeconds(clock),
        }
        const refund = await ledger.refund(account, asked, { voucher: voucherRow(account, id, claims.exp) })
        tell()
        return refund
      } finally {
        underWay.delete(name)
      }
    },

    async giveRest(account, to) {
      if (ledger.balance(account) <= 0n) return
      await ledger.refund(account, { id: newId(), to, authorization: '', nowSeconds: nowSeconds(clock) })
      tell()
    },

    async run(signal) {
      const backoff = createBackoff({ clock, random })
      const aborted = new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
      while (!signal.aborted) {
        const next = wake.promise
        const later = await payAll(signal).catch((error: unknown) => {
          if (!isPassing(error)) throw error
          log.warn('gateway.refunds-failed', { code: error.code })
          return true
        })
        if (!later) {
          backoff.reset()
          await Promise.race([next, aborted])
        } else await backoff.pause(signal).catch(() => {})
      }
    },
  }
}
