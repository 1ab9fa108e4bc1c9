/** Following without end: step after step, through every passing fault, until told to stop. */
import { ChainError } from '../effects/chain.ts'
import type { Clock } from '../effects/clock.ts'
import type { Log } from '../effects/log.ts'
import type { Random } from '../effects/random.ts'
import { StoreError } from '../effects/store.ts'
import { createBackoff } from './backoff.ts'
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
  readonly log: Log
  readonly random: Random
}

/**
 * Steps until the signal aborts. Faults of the chain, and of a database that is away, are waited out; any other error ends it.
 * @param pollMs pause when there is nothing new, milliseconds
 */
export const runSteps = async (
  effects: RunEffects,
  step: (signal: AbortSignal) => Promise<Step>,
  pollMs: number,
  signal: AbortSignal,
): Promise<void> => {
  const { clock, log } = effects
  const backoff = createBackoff(effects)
  let failed = false
  while (!signal.aborted) {
    try {
      if (failed) await backoff.pause(signal)
      const done = await step(signal)
      failed = done.did === 'distrust'
      if (failed) log.warn('chain.distrusted')
      else backoff.reset()
      if (isCaughtUp(done)) await clock.sleep(pollMs, signal)
    } catch (error) {
      if (signal.aborted) return
      if (!(error instanceof ChainError || (error instanceof StoreError && error.retryable))) throw error
      log.warn(error instanceof ChainError ? 'chain.fault' : 'store.fault', { code: error.code })
      failed = true
    }
  }
}
