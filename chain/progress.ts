/** Tells how following goes: blocks and events per second, and how long it will take to reach the head. */
import type { Clock } from '../effects/clock.ts'
import type { Log } from '../effects/log.ts'
import { PROGRESS_MS } from './limits.ts'
import type { Batch } from './projection.ts'

export interface Progress {
  /** Notes a recorded batch, and now and then logs `chain.progress`; `chain.caught-up` once the head is reached. */
  note(batch: Batch): void
}

/** What is measured began here: after a batch, for how long the first one took is not known. */
interface Since {
  readonly ms: number
  readonly block: number
}

export const createProgress = ({ clock, log }: { readonly clock: Clock; readonly log: Log }): Progress => {
  let since: Since | undefined
  let events = 0
  let behind = true

  return {
    note(batch) {
      const reached = (batch.blocks.at(-1) ?? batch.head).number
      const remaining = Math.max(0, batch.head.number - reached)
      if (remaining === 0) {
        if (behind) log.info('chain.caught-up', { block: reached })
        behind = false
        // Time that passes at the head says nothing about how fast blocks are read.
        since = undefined
        return
      }
      const nowMs = clock.nowMs()
      events += batch.events.length
      if (since && nowMs - since.ms < PROGRESS_MS) return
      if (since) {
        const seconds = (nowMs - since.ms) / 1000
        const blocksPerSecond = (reached - since.block) / seconds
        log.info('chain.progress', {
          block: reached,
          head: batch.head.number,
          blocksPerSecond: Math.round(blocksPerSecond),
          eventsPerSecond: Math.round(events / seconds),
          // After a reorg there may be fewer blocks than before.
          remainingSeconds: blocksPerSecond > 0 ? Math.round(remaining / blocksPerSecond) : undefined,
        })
        behind = true
      }
      since = { ms: nowMs, block: reached }
      events = 0
    },
  }
}
