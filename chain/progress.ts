/** Tells how following goes: blocks and events per second, and how long it will take to reach the head. */
import type { Clock } from '../effects/clock.ts'
import type { Log } from '../effects/log.ts'
import { PROGRESS_MS } from './limits.ts'
import type { Batch } from './projection.ts'

export interface Progress {
  /** Notes a recorded batch, and now and then logs `chain.progress`; `chain.caught-up` once the head is reached. */
  note(batch: Batch): void
}

export const createProgress = ({ clock, log }: { readonly clock: Clock; readonly log: Log }): Progress => {
  let sinceMs = clock.nowMs()
  let sinceBlock: number | undefined
  let events = 0
  let behind = true

  return {
    note(batch) {
      const reached = (batch.blocks.at(-1) ?? batch.head).number
      const remaining = Math.max(0, batch.head.number - reached)
      events += batch.events.length
      sinceBlock ??= batch.blocks[0].number
      const elapsedMs = clock.nowMs() - sinceMs
      if (remaining === 0) {
        if (behind) log.info('chain.caught-up', { block: reached })
        behind = false
      } else if (elapsedMs >= PROGRESS_MS) {
        const perSecond = (count: number) => Math.round((count * 1000) / elapsedMs)
        const blocksPerSecond = perSecond(reached - sinceBlock)
        log.info('chain.progress', {
          block: reached,
          head: batch.head.number,
          blocksPerSecond,
          eventsPerSecond: perSecond(events),
          remainingSeconds: blocksPerSecond > 0 ? Math.round(remaining / blocksPerSecond) : undefined,
        })
        behind = true
        sinceMs = clock.nowMs()
        sinceBlock = reached
        events = 0
      }
    },
  }
}
