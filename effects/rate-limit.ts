/** How often each place may do something: a bucket that fills by the clock and is emptied by use. */
import type { Clock } from './clock.ts'

export interface RateLimit {
  /** Whether there is any left, without using it. */
  hasLeft(place: string): boolean
  /** Uses one; false when there is none. */
  take(place: string): boolean
  /** As if one had not been used. */
  giveBack(place: string): void
}

/** Most places remembered; the one that was used longest ago is forgotten first, as full as it began. */
const PLACES_MAX = 65_536

/** @param most at once, and as often again in `perMs` milliseconds */
export const createRateLimit = (clock: Clock, most: number, perMs: number): RateLimit => {
  /** In the order of their last use. */
  const buckets = new Map<string, { left: number; atMs: number }>()

  const refilled = (place: string): { left: number; atMs: number } => {
    const nowMs = clock.nowMs()
    const { left, atMs } = buckets.get(place) ?? { left: most, atMs: nowMs }
    // A clock that is set back gives nothing and takes nothing.
    const gained = (Math.max(0, nowMs - atMs) * most) / perMs
    return { left: Math.min(most, left + gained), atMs: nowMs }
  }

  return {
    hasLeft: (place) => refilled(place).left >= 1,
    take(place) {
      const bucket = refilled(place)
      buckets.delete(place)
      if (buckets.size >= PLACES_MAX) {
        const [oldest] = buckets.keys()
        buckets.delete(oldest ?? '')
      }
      const isLeft = bucket.left >= 1
      buckets.set(place, isLeft ? { ...bucket, left: bucket.left - 1 } : bucket)
      return isLeft
    },
    giveBack(place) {
      const { left, atMs } = refilled(place)
      if (buckets.has(place)) buckets.set(place, { left: Math.min(most, left + 1), atMs })
    },
  }
}
