/**
 * Remembers which codes were seen, so that each works once. Memory is enough for most: what a restart forgets, and
 * what there was no room to remember, is refused by its time instead. Only a code that is ahead of our clock would
 * pass after a restart: the caller keeps those (`VendorStore.rememberCode`) and admits them again at start.
 */

export type ReplayVerdict = 'fresh' | 'replayed' | 'too-old-to-tell'

export interface ReplayGuard {
  /**
   * Judges a code and remembers it.
   * @param id what must not come twice
   * @param tsSeconds time that the sender signed, already within the window
   */
  admit(id: string, tsSeconds: number, nowSeconds: number): ReplayVerdict
}

/**
 * @param startedAtSeconds codes signed up to then may have been answered by an earlier process
 * @param windowSeconds how far from now a signed time can be
 * @param entriesMax most codes remembered at once
 */
export const createReplayGuard = (startedAtSeconds: number, windowSeconds: number, entriesMax: number): ReplayGuard => {
  /** Insertion order is arrival order, so the first entry is the oldest arrival. */
  const seen = new Map<string, number>()
  let floorSeconds = startedAtSeconds

  const forgetOldest = (): void => {
    const [oldest] = seen
    if (!oldest) return
    seen.delete(oldest[0])
    floorSeconds = Math.max(floorSeconds, oldest[1])
  }

  return {
    admit(id, tsSeconds, nowSeconds) {
      for (const [other, otherTs] of seen) {
        if (otherTs >= nowSeconds - windowSeconds) break
        seen.delete(other)
      }
      if (seen.has(id)) return 'replayed'
      if (tsSeconds <= floorSeconds) return 'too-old-to-tell'
      if (seen.size >= entriesMax) forgetOldest()
      seen.set(id, tsSeconds)
      return 'fresh'
    },
  }
}
