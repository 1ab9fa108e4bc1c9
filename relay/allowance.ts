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
  /** A channel is over, and so is all that was asked for it; what it was paid for and did not pass. Once for a channel. */
  settle(channel: string, unusedBytes: number): void
  /**
   * Answers who wants to pay, or asks about it.
   * @param channel that is paid for, from now on if the answer is a success; undefined for any other path than its own
   * @returns undefined for what is none of its paths
   */
  answer(request: Request, channel: string | undefined): Promise<Response | undefined>
}

export interface Allowance {
  /** Counts what has passed. @returns false once more has passed than is free or paid for */
  pass(bytes: number): boolean
  /** Somebody pays, or pays more: asks anew, when little is left. */
  ask(): Promise<void>
  /** What is paid for and left, at the end. */
  settle(): void
}

/** Asked for at a time, and when so much is left: less than a second of a fast connection would not do. */
const PIECE_BYTES = 64 * 1024 * 1024
const ASK_AHEAD_BYTES = PIECE_BYTES / 4

export const unlimited: Allowance = { pass: () => true, ask: async () => {}, settle: () => {} }

/**
 * @param freeBytes that are left
 * @param payments without them the free bytes are all
 */
export const createAllowance = (channel: string, freeBytes: number, payments: Payments | undefined): Allowance => {
  let left = freeBytes
  let paid = 0
  let asking: Promise<void> | undefined
  let isRefused = payments === undefined
  let isOver = false

  const askNow = async (): Promise<void> => {
    try {
      const more = (await payments?.payFor(channel, PIECE_BYTES)) ?? 0
      isRefused = more === 0
      left += more
      paid += more
    } catch {
      // A ledger that cannot be reached pays for nothing now, and may later.
    } finally {
      asking = undefined
    }
    if (isOver) tellUnused()
  }

  const ask = async (): Promise<void> => {
    if (left >= ASK_AHEAD_BYTES || isOver) return
    asking ??= askNow()
    await asking
  }

  const tellUnused = (): void => payments?.settle(channel, Math.min(paid, Math.max(0, left)))

  return {
    ask,
    pass(bytes) {
      left -= bytes
      if (!isRefused) void ask()
      return left >= 0
    },
    settle() {
      if (isOver) return
      isOver = true
      if (!asking) tellUnused()
    },
  }
}
