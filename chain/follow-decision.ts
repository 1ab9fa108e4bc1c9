/**
 * What following a chain should do next, from what is recorded and what the node has said so far. Pure: asking,
 * fetching and recording is for `follower.ts`.
 */
import type { BlockRef, Hash } from './types.ts'

/** What a projection holds. */
export interface Recorded {
  /** The newest block that is never undone; one of `blocks`. */
  readonly finalized: BlockRef
  /**
   * Headers, newest first. The first is the checkpoint. All blocks from the checkpoint down to `finalized` that were
   * recorded are there, and the last is the chain's block 0; what lies between may be left out.
   */
  readonly blocks: readonly BlockRef[]
}

/** What is known when deciding. */
export interface View {
  readonly recorded: Recorded | undefined
  /** The newest block that is to be followed. */
  readonly head: BlockRef
  /** Number of the newest block that the chain will never undo, at most the head's. */
  readonly finalizedNumber: number
  /** Where following begins: the first block that can hold an event. */
  readonly fromBlock: number
  /** Hashes of the chain's blocks by number, as far as the node was asked. */
  readonly canonical: ReadonlyMap<number, Hash>
}

export type Decision =
  /** Nothing new, as far as this node knows. */
  | { readonly do: 'wait' }
  /** Find out which block has this number now, and decide again. */
  | { readonly do: 'ask'; readonly number: number }
  /** Undo all above this block: the newest that the record and the chain share. */
  | { readonly do: 'roll-back'; readonly to: BlockRef }
  /** Blocks that cannot change any more, by range, up to `to` at most. */
  | { readonly do: 'fetch-range'; readonly from: number; readonly to: number }
  /** Blocks that may still change, one by one, on top of the checkpoint, up to `to` at most. */
  | { readonly do: 'fetch-blocks'; readonly from: number; readonly to: number }
  | { readonly do: 'fail'; readonly because: 'restarted' | 'reorg-too-deep' }
  /** The node has less than what was final: it lags, or its chain began again. */
  | { readonly do: 'distrust' }

/** Decides; every answer to an `ask` brings the end nearer, so it ends after log₂(recorded blocks) questions. */
export const decide = (view: View): Decision => {
  const { recorded, head } = view
  const checkpoint = recorded?.blocks[0]
  if (!recorded || !checkpoint) return fetch(view, view.fromBlock)

  const ancestor = findAncestor(view, recorded.blocks)
  if (ancestor.found === 'nothing') return { do: 'fail', because: 'restarted' }
  if (ancestor.found === 'question') return { do: 'ask', number: ancestor.number }

  // A node may know less than another did; only what it contradicts is undone.
  if (!ancestor.contradicted) {
    if (head.number < recorded.finalized.number) return { do: 'distrust' }
    if (head.number <= checkpoint.number) return { do: 'wait' }
    return fetch(view, Math.max(view.fromBlock, checkpoint.number + 1))
  }
  if (ancestor.block.number < recorded.finalized.number) return { do: 'fail', because: 'reorg-too-deep' }
  return { do: 'roll-back', to: ancestor.block }
}

const fetch = ({ head, finalizedNumber }: View, from: number): Decision => {
  if (head.number < from) return { do: 'wait' }
  return from <= finalizedNumber
    ? { do: 'fetch-range', from, to: finalizedNumber }
    : { do: 'fetch-blocks', from, to: head.number }
}

type Ancestor =
  | { readonly found: 'nothing' }
  | { readonly found: 'question'; readonly number: number }
  /** The newest recorded block that is on the chain, and whether the chain has another block above it. */
  | { readonly found: 'block'; readonly block: BlockRef; readonly contradicted: boolean }

/**
 * Bisects: blocks up to the common ancestor agree with the chain, those above it do not. Blocks above the node's head
 * say nothing.
 */
const findAncestor = ({ head, canonical }: View, blocks: readonly BlockRef[]): Ancestor => {
  const comparable = blocks.filter((block) => block.number <= head.number)
  // Newest first: all before `low` are known to disagree, and the one at `high` is known to agree.
  let low = 0
  let high = comparable.length
  for (const [index, block] of comparable.entries()) {
    const hash = block.number === head.number ? head.hash : canonical.get(block.number)
    if (hash === block.hash) high = Math.min(high, index)
    else if (hash !== undefined) low = index + 1
  }
  const agreed = comparable[high]
  if (agreed && high <= low) return { found: 'block', block: agreed, contradicted: high > 0 }
  // The newest is asked first, because it nearly always agrees.
  const next = comparable[low === 0 ? 0 : Math.floor((low + high - 1) / 2)]
  return low < comparable.length && next ? { found: 'question', number: next.number } : { found: 'nothing' }
}

/**
 * The newest of some recorded headers that is final; what once was final stays so.
 * @param added headers that are about to be recorded, ascending
 */
export const newestFinal = (
  recorded: Recorded | undefined,
  added: readonly [...BlockRef[], BlockRef],
  finalizedNumber: number,
): BlockRef => {
  const newestFirst = [...added.toReversed(), ...(recorded?.blocks ?? [])]
  const newest = newestFirst.find(({ number }) => number <= finalizedNumber) ?? added[0]
  return recorded && recorded.finalized.number > newest.number ? recorded.finalized : newest
}
