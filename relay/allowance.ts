/** How many bytes may pass on a channel: those that are free, and those that somebody pays for. */

/** Who pays for what passes beyond the free bytes: the ledger of a gateway, when one stands before the relay. */
export interface Payments {
  /**
   * Takes the price of more bytes from whoever pays for a channel. Asked ahead, while some are left; never twice at once
   * for one channel.
   * @param channel its name
   * @returns how many more are paid for; 0 when nobody pays
   */
  payFor(channel: string, bytes: number): Promise<number>
  /** A channel is over; what it was paid for and did not pass. */
  settle(channel: string, unusedBytes: number): void
}

export interface Allowance {
  /** Counts what has passed. @returns false once more has passed than is free or paid for */
  pass(bytes: number): boolean
  /** What is paid for and left, at the end. */
  settle(): void
}

/** Asked for at a time, and when so much is left: less than a second of a fast connection would not do. */
const PIECE_BYTES = 64 * 1024 * 1024
const ASK_AHEAD_BYTES = PIECE_BYTES / 4

export const unlimited: Allowance = { pass: () => true, settle: () => {} }

/**
 * @param freeBytes that are left
 * @param payments without them the free bytes are all
 */
export const createAllowance = (channel: string, freeBytes: number, payments: Payments | undefined): Allowance => {
  let left = freeBytes
  let paid = 0
  let isAsking = false
  let isRefused = payments === undefined

  const ask = async (): Promise<void> => {
    isAsking = true
    try {
      const more = (await payments?.payFor(channel, PIECE_BYTES)) ?? 0
      isRefused = more === 0
      left += more
      paid += more
    } catch {
      // A ledger that cannot be reached pays for nothing now, and may later.
    } finally {
      isAsking = false
    }
  }

  return {
    pass(bytes) {
      left -= bytes
      if (left < ASK_AHEAD_BYTES && !isAsking && !isRefused) void ask()
      return left >= 0
    },
    settle() {
      const unused = Math.min(paid, Math.max(0, left))
      if (paid > 0) payments?.settle(channel, unused)
      paid = 0
    },
  }
}
