/**
 * Charges a body by the bit while it flows. Each piece is paid, durably, before its bytes leave; at the end what was paid
 * ahead is given back. So a crash charges at most what has flowed and one piece, and nothing flows that is not charged.
 */
import type { Clock } from '../effects/clock.ts'
import type { Ledger, Reservation } from './ledger/index.ts'
import type { Rows } from './ledger/batch.ts'
import { STREAM_GRACE_MS, STREAM_PIECE_BYTES } from './limits.ts'
import type { Price } from './pricing.ts'
import type { LiveVoucher } from './vouchers.ts'

export interface Meter {
  /**
   * Pays for the next bytes before they flow.
   * @returns how many of them are paid, at once when they were paid ahead; fewer than asked for only when the money has
   *   come to its end
   * @throws ERR_BUSY when the ledger cannot be written
   */
  pay(bytes: number): number | Promise<number>
  /**
   * The same for bytes that flow elsewhere: what there is money for at the moment, and nothing ahead of it.
   * @throws ERR_BUSY when the ledger cannot be written
   */
  payNow(bytes: number): Promise<number>
  /** So many of the bytes that were paid for have not flowed. */
  takeBack(bytes: number): void
  /**
   * Ends, and gives back what was paid ahead; durable when it resolves. Once: who asks again hears the same.
   * @returns what the bytes came to
   * @throws ERR_BUSY when the ledger cannot be written; then it may be asked for again
   */
  settle(): Promise<bigint>
}

export interface MeterParts {
  readonly clock: Clock
  readonly ledger: Ledger
  readonly voucher: LiveVoucher
  readonly price: Price
  /** What it may come to, smallest unit. */
  readonly most: bigint | undefined
  /** Written with the first charge. */
  readonly rows: Rows
  /** Resolves when the account has more to spend than it had. */
  more(signal: AbortSignal): Promise<void>
}

export const createMeter = ({ clock, ledger, voucher, price, most, rows, more }: MeterParts): Meter => {
  let flowed = 0
  /** Bytes that are paid, flowed ones included. */
  let paid = 0
  let charged = 0n
  let first: Rows | undefined = rows
  /** Nothing flows from then on, and nothing more is charged. */
  let ended = false
  /** The last charge, written or failed: the next one counts from what it left. */
  let last: Promise<unknown> = Promise.resolve()
  let settling: Promise<bigint> | undefined

  const rest = (): bigint => {
    const held = ledger.available(voucher.account)
    const capped = most === undefined ? held : most - charged
    return capped < held ? capped : held
  }

  const chargeNow = async (upTo: number): Promise<void> => {
    const affordable = Math.min(upTo, price.bytesFor(charged + rest()))
    if (ended || affordable <= paid) return
    const amount = price.ofBytes(affordable) - charged
    const reservation: Reservation | string = ledger.reserve(voucher.account, amount)
    if (typeof reservation === 'string') return
    await reservation.commit(first)
    first = undefined
    charged += amount
    paid = affordable
  }

  /** Charges up to so many bytes in all, one charge after the other; fewer when there is less money. */
  const charge = (upTo: number): Promise<void> => {
    const charging = last.then(() => chargeNow(upTo))
    last = charging.catch(() => {})
    return charging
  }

  /** Gives back what was paid ahead, once the charge under way has ended. */
  const settleNow = async (): Promise<bigint> => {
    await last
    const cost = price.ofBytes(flowed)
    if (cost < charged) await ledger.giveBack(voucher.account, charged - cost)
    charged = cost
    return cost
  }

  /** Waits until so many bytes are paid, or the payer's patience is at its end. */
  const waitForMoney = async (wanted: number): Promise<void> => {
    const waiting = new AbortController()
    const patience = clock.sleep(STREAM_GRACE_MS, waiting.signal).then(() => 'over' as const)
    patience.catch(() => {})
    try {
      for (;;) {
        const came = await Promise.race([patience, more(waiting.signal).then(() => 'more' as const)])
        await charge(wanted + STREAM_PIECE_BYTES)
        if (came === 'over' || isEnough(wanted)) return
      }
    } finally {
      waiting.abort()
    }
  }
  const isEnough = (wanted: number): boolean => ended || paid >= wanted

  const payLater = async (bytes: number): Promise<number> => {
    const wanted = flowed + bytes
    await charge(wanted + STREAM_PIECE_BYTES)
    if (!isEnough(wanted)) await waitForMoney(wanted)
    const some = ended ? 0 : Math.max(0, Math.min(bytes, paid - flowed))
    flowed += some
    return some
  }

  return {
    pay(bytes) {
      if (ended) return 0
      if (flowed + bytes > paid) return payLater(bytes)
      flowed += bytes
      return bytes
    },
    async payNow(bytes) {
      const wanted = flowed + bytes
      await charge(wanted)
      const some = ended ? 0 : Math.max(0, Math.min(bytes, paid - flowed))
      flowed += some
      return some
    },
    takeBack(bytes) {
      flowed -= Math.min(bytes, flowed)
    },
    settle() {
      ended = true
      settling ??= settleNow().catch((error: unknown) => {
        settling = undefined
        throw error
      })
      return settling
    },
  }
}
