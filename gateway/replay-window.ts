/** Which of the last counters of a voucher were seen, so that each request is served once although they overtake each other. */
import { PROOF_WINDOW } from '../protocol/payment-proof.ts'

export interface ReplayWindow {
  /**
   * Takes a counter, which must be proved already.
   * @returns false when it was seen, or is so old that nobody knows
   */
  admit(counter: number): boolean
}

const WORDS = PROOF_WINDOW / 32

export const createReplayWindow = (): ReplayWindow => {
  /** One bit for each counter of the window, at its place modulo the window. */
  const seen = new Uint32Array(WORDS)
  let highest = 0

  const wordOf = (counter: number): number => (counter >>> 5) % WORDS
  const bitOf = (counter: number): number => 1 << (counter & 31)

  /** What lies between is not seen yet, and takes the places of what has left the window. */
  const advance = (counter: number): void => {
    if (counter - highest >= PROOF_WINDOW) seen.fill(0)
    else for (let each = highest + 1; each <= counter; each++) seen[wordOf(each)]! &= ~bitOf(each)
    highest = counter
  }

  return {
    admit(counter) {
      if (counter > highest) advance(counter)
      else if (highest - counter >= PROOF_WINDOW || (seen[wordOf(counter)]! & bitOf(counter)) !== 0) return false
      seen[wordOf(counter)]! |= bitOf(counter)
      return true
    },
  }
}
