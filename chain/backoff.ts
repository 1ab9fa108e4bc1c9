/** Pauses between retries: each twice as long as the one before, within bounds, and not in step with others'. */
import type { Clock } from '../effects/clock.ts'
import { jittered, type Random } from '../effects/random.ts'
import { RETRY_MS_MAX, RETRY_MS_MIN } from './limits.ts'

export interface Backoff {
  /** Waits; the next pause will be longer. @throws the signal's reason */
  pause(signal?: AbortSignal): Promise<void>
  /** After a success. */
  reset(): void
}

export const createBackoff = (effects: { readonly clock: Clock; readonly random: Random }): Backoff => {
  let boundMs = RETRY_MS_MIN
  return {
    async pause(signal) {
      const ms = jittered(effects.random, boundMs)
      boundMs = Math.min(boundMs * 2, RETRY_MS_MAX)
      await effects.clock.sleep(ms, signal)
    },
    reset() {
      boundMs = RETRY_MS_MIN
    },
  }
}
