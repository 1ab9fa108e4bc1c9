/** Following without end: step after step, through every passing fault, until told to stop. */
import { ChainError } from '../effects/chain.ts'
import type { Clock } from '../effects/clock.ts'
import type { Heads } from '../effects/heads.ts'
import type { Log } from '../effects/log.ts'
import type { Random } from '../effects/random.ts'
import { StoreError } from '../effects/store.ts'
import { createBackoff } from './backoff.ts'
import { STEP_PAUSE_MS_MIN } from './limits.ts'
import type { Block, BlockRef } from './types.ts'

/** What one step did. */
export type Step =
  /** Recorded a batch; `caughtUp` when there is no more for now. */
  | { readonly did: 'advance'; readonly checkpoint: Block; readonly events: number; readonly caughtUp: boolean }
  | { readonly did: 'roll-back'; readonly to: BlockRef }
  /** Nothing new. */
  | { readonly did: 'wait' }
  /** The chain changed while it was read, or the node has less than it had: nothing was recorded. */
  | { readonly did: 'distrust' }

/** Whether there was nothing more to read when the step was done. */
export const isCaughtUp = (step: Step): boolean => step.did === 'wait' || (step.did === 'advance' && step.caughtUp)

export interface RunEffects {
  readonly clock: Clock
  readonly heads: Heads
  readonly log: Log
  readonly random: Random
}

/**
 * Steps until the signal aborts. Faults of the chain, and of a database that is away, are waited out; any other error ends
 * it.
 * @param pollMs pause when there is nothing new, milliseconds; it ends early when a head is told
 */
export const runSteps = async (
  effects: RunEffects,
  step: (signal: AbortSignal) => Promise<Step>,
  pollMs: number,
  signal: AbortSignal,
): Promise<void> => {
  const { clock, heads, log } = effects
  const backoff = createBackoff(effects)
  const listening = new AbortController()
  /** Resolved once a head is told after the step under way, or the last one, began. */
  let told = Promise.withResolvers<void>()
  let failed = false
  heads.listen(() => told.resolve(), AbortSignal.any([signal, listening.signal]))
  while (!signal.aborted) {
    try {
      if (failed) await backoff.pause(signal)
      told = Promise.withResolvers()
      const done = await step(signal)
      failed = done.did === 'distrust'
      if (failed) log.warn('chain.distrusted')
      else backoff.reset()
      if (isCaughtUp(done)) await sleepUnless(told.promise, clock, pollMs, signal)
    } catch (error) {
      if (signal.aborted) return
      if (!isPassing(error)) {
        listening.abort()
        throw error
      }
      log.warn(error instanceof ChainError ? 'chain.fault' : 'store.fault', { code: error.code })
      failed = true
    }
  }
}

const isPassing = (error: unknown): error is ChainError | StoreError =>
  error instanceof ChainError || (error instanceof StoreError && error.retryable)

/** Sleeps so long, or only until a head is told; never less than the pause that there is between steps. */
export const sleepUnless = async (
  told: Promise<void>,
  clock: Clock,
  ms: number,
  signal: AbortSignal,
): Promise<void> => {
  const beganMs = clock.nowMs()
  const waking = new AbortController()
  const until = AbortSignal.any([signal, waking.signal])
  const early = told.then(() => {
    // The clock may have jumped.
    const leftMs = Math.min(STEP_PAUSE_MS_MIN, beganMs + STEP_PAUSE_MS_MIN - clock.nowMs())
    return leftMs > 0 ? clock.sleep(leftMs, until) : undefined
  })
  await Promise.race([clock.sleep(ms, until), early]).finally(() => waking.abort())
}
