/**
 * The door through which a chain tells that it has a new block. It is a reason to look sooner, and nothing else: what is
 * told is not kept, and whoever listens looks now and then all the same.
 */

export interface Heads {
  /**
   * Listens until the signal aborts, through any fault. Where nobody can tell, nothing is told.
   * @param tell called for each block that is told, for those that somebody made up, and whenever telling begins: what
   * came before was told to nobody
   */
  listen(tell: () => void, signal: AbortSignal): void
}

/** For who has nobody to tell. */
export const noHeads: Heads = { listen: () => {} }
