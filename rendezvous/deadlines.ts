/** The same span of time for many things at once, with one timer for all. */
import type { Clock } from '../effects/clock.ts'

export interface Deadlines<Key> {
  /** Begins a span; again, it begins anew. */
  set(key: Key): void
  clear(key: Key): void
  /** Ends all without a word. */
  close(): void
}

/**
 * @param ms length of every span, milliseconds
 * @param onOver told at the end of one that was not cleared
 */
export const createDeadlines = <Key>(clock: Clock, ms: number, onOver: (key: Key) => void): Deadlines<Key> => {
  /** In the order of their ends, for all are of one length. */
  const endsMs = new Map<Key, number>()
  const closing = new AbortController()
  let isWaiting = false

  const wait = async (): Promise<void> => {
    isWaiting = true
    try {
      for (const [key, endMs] of endsMs) {
        // A clock that is set back makes nobody wait longer than the whole span.
        const restMs = Math.min(endMs - clock.nowMs(), ms)
        if (restMs > 0) await clock.sleep(restMs, closing.signal)
        if (endsMs.get(key) !== endMs) continue
        endsMs.delete(key)
        onOver(key)
      }
    } finally {
      isWaiting = false
    }
  }

  return {
    set(key) {
      endsMs.delete(key)
      endsMs.set(key, clock.nowMs() + ms)
      if (isWaiting || closing.signal.aborted) return
      wait().catch((error: unknown) => {
        if (!closing.signal.aborted) throw error
      })
    },
    clear: (key) => void endsMs.delete(key),
    close: () => closing.abort(),
  }
}
