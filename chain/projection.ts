/** What a follower feeds: rows that are a function of the events of a chain. Indexer and vendor each have theirs. */
import type { ChroveEvent, UndecodableLog } from './events.ts'
import type { Recorded } from './follow-decision.ts'
import type { Block, BlockRef } from './types.ts'

export type { Recorded } from './follow-decision.ts'

/** A piece of chain, directly above the checkpoint. */
export interface Batch {
  /**
   * Headers to record, ascending; the last is the new checkpoint. Above the finalized block none is left out. The very
   * first batch begins with block 0, which is kept for good: it tells one chain from another.
   */
  readonly blocks: readonly [...Block[], Block]
  /** In the order of the chain. */
  readonly events: readonly ChroveEvent[]
  /** Logs of the followed contracts that are none of their events. */
  readonly undecodable: readonly UndecodableLog[]
  /** The newest block that is followed, as the node told it: how far the checkpoint lags. */
  readonly head: Block
  /** The newest recorded block that is never undone; headers below it, but for block 0, are not needed again. */
  readonly finalized: BlockRef
  /** Set: when the contracts' counters show that a log is missing, nothing is recorded. */
  readonly onlyComplete?: boolean
}

export interface Projection {
  /** What is recorded; undefined before the first batch. */
  recorded(): Promise<Recorded | undefined>
  /**
   * In one transaction: rows of these events, the headers, and the new checkpoint.
   * @returns `incomplete` when nothing was recorded, for `onlyComplete`
   */
  apply(batch: Batch): Promise<'incomplete' | void>
  /** In one transaction: undoes all above this recorded block, headers included; it becomes the checkpoint. */
  rollBack(to: BlockRef): Promise<void>
}
