/** Going on through faults, and looking sooner when there is reason to. */
import { createBackoff } from '../../../chain/backoff.ts'
import { sleepUnless } from '../../../chain/run-steps.ts'
import type { Clock } from '../../../effects/clock.ts'
import type { Log } from '../../../effects/log.ts'
import type { Random } from '../../../effects/random.ts'
import { StoreError } from '../../../effects/store.ts'
import { NanoError } from './errors.ts'

export interface LoopEffects {
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
}

/**
 * Repeats a turn until the signal aborts, through every fault that passes; any other error ends it.
 * @param turn resolves with the pause after it, milliseconds
 * @param early asked as a turn begins: what ends the pause after it, whenever that comes
 */
export const keepGoing = async (
  effects: LoopEffects,
  turn: () => Promise<number>,
  early: () => Promise<void>,
  signal: AbortSignal,
): Promise<void> => {
  const { clock, log } = effects
  const backoff = createBackoff(effects)
  let failed = false
  while (!signal.aborted) {
    try {
      if (failed) await backoff.pause(signal)
      const told = early()
      const pauseMs = await turn()
      failed = false
      backoff.reset()
      if (pauseMs > 0) await sleepUnless(told, clock, pauseMs, signal)
    } catch (error) {
      if (signal.aborted) return
      if (!isPassing(error)) throw error
      log.warn('nano.fault', { code: error.code, words: error instanceof NanoError ? error.words : undefined })
      failed = true
    }
  }
}

const isPassing = (error: unknown): error is NanoError | StoreError =>
  error instanceof NanoError || (error instanceof StoreError && error.retryable)
