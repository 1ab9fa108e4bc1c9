/** Work that nobody asked for and nobody repeats: a fault of the database that passes must not end it. */
import { createBackoff } from '../chain/backoff.ts'
import type { Clock } from '../effects/clock.ts'
import type { Log } from '../effects/log.ts'
import type { Random } from '../effects/random.ts'
import { isPassing } from './errors.ts'

/**
 * Does the work until it succeeds or the signal aborts, with a pause after each fault that passes.
 * @param event what the log calls such a fault
 * @throws what does not pass
 */
export const persevere = async (
  effects: { readonly clock: Clock; readonly random: Random; readonly log: Log },
  event: string,
  work: () => Promise<void>,
  signal: AbortSignal,
): Promise<void> => {
  const backoff = createBackoff(effects)
  while (!signal.aborted) {
    try {
      return await work()
    } catch (error) {
      if (!isPassing(error)) throw error
      effects.log.warn(event, { code: error.code })
      await backoff.pause(signal).catch(() => {})
    }
  }
}
