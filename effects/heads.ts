/**
 * The door through which a chain tells that it has a new block. It is a reason to look sooner, and nothing else: what is
 * told is not kept, and whoever listens looks now and then all the same.
 */

export interface Heads {
  /**
   * Listens until the signal aborts, through any fault. Where nobody can tell, nothing is told.
   * @param tell called once for each block that was told, and for ones that somebody made up
   */
  listen(tell: () => void, signal: AbortSignal): void
}

/** For who has nobody to tell. */
export const noHeads: Heads = { listen: () => {} }
