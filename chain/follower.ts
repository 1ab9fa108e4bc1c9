/**
 * Keeps a projection equal to the events of a chain. `follow-decision.ts` decides; here is asked, fetched, recorded.
 * Nothing is kept in memory that matters: a follower may be killed at any moment and made anew.
 */
import { type Chain, ChainError } from '../effects/chain.ts'
import type { Clock } from '../effects/clock.ts'
import type { Log } from '../effects/log.ts'
import type { Random } from '../effects/random.ts'
import { decodeLog } from './decode-log.ts'
import { FollowError } from './errors.ts'
import type { ChroveEvent, Contracts, UndecodableLog } from './events.ts'
import { fetchBlocks, fetchRange, type Piece } from './fetch-blocks.ts'
import { type Decision, decide, newestFinal, type View } from './follow-decision.ts'
import { TIP_BLOCKS_PER_STEP } from './limits.ts'
import { createProgress } from './progress.ts'
import type { Projection } from './projection.ts'
import { grow, initialRange, shrink } from './range.ts'
import { createRpc } from './rpc.ts'
import { runSteps, type Step } from './run-steps.ts'
import type { Block, BlockRef, Hash } from './types.ts'

export type { Step } from './run-steps.ts'

export interface FollowSettings {
  readonly chainId: bigint
  readonly contracts: Contracts
  /** First block that can hold an event: that of the deployment, or 0. */
  readonly fromBlock: number
  /**
   * Blocks above a block before it counts as final: how deep a reorg can go at most. A node that tells what is final
   * can only make it more; for one that does not, this decides alone.
   */
  readonly finalityBlocks: number
  /** Follows only up to this many blocks below the head; 0 for all. */
  readonly confirmations: number
  /** Looks for new blocks this often, milliseconds. */
  readonly pollMs: number
}

export interface Follower {
  /**
   * One bounded unit of work.
   * @throws ChainError for a passing fault: step again; FollowError when that cannot help
   */
  step(signal?: AbortSignal): Promise<Step>
  /** Steps until the signal aborts, through any passing fault. @throws FollowError */
  run(signal: AbortSignal): Promise<void>
}

export interface FollowEffects {
  readonly clock: Clock
  readonly chain: Chain
  readonly log: Log
  readonly random: Random
}

/** Final blocks that are being read. */
interface Reading {
  readonly from: number
  readonly to: number
  readonly piece: Promise<Piece | undefined>
  readonly signal: AbortSignal | undefined
}

export const createFollower = (effects: FollowEffects, settings: FollowSettings, projection: Projection): Follower => {
  const { log } = effects
  const { contracts, finalityBlocks, confirmations, fromBlock, pollMs } = settings
  const rpc = createRpc(effects.chain)
  const progress = createProgress(effects)
  const addresses = [contracts.registry, contracts.payments]
  let range = initialRange
  /** The next range, asked for while the rows of this one are written: the node and the database work at once. */
  let ahead: Reading | undefined
  let chainChecked = false
  let tellsFinal = false

  const checkChain = async (signal?: AbortSignal): Promise<void> => {
    if (chainChecked) return
    if ((await rpc.chainId(signal)) !== settings.chainId) throw restarted()
    chainChecked = true
  }

  /** Number of the block the node calls final. Not every node knows one; then depth alone decides. */
  const toldFinal = async (signal?: AbortSignal): Promise<number> => {
    try {
      const told = await rpc.block('finalized', signal)
      if (told) tellsFinal = true
      return told?.number ?? Infinity
    } catch (error) {
      // A node that has told once and now refuses is at fault.
      if (!tellsFinal && error instanceof ChainError && error.code === 'ERR_CHAIN_REFUSED') return Infinity
      throw error
    }
  }

  /** Begins to read final blocks, as many as go at once. */
  const begin = (from: number, last: number, signal?: AbortSignal): Reading => {
    const to = Math.min(last, from + range.length - 1)
    const piece = fetchRange(rpc, addresses, from, to, signal)
    // Nobody may ever ask how it ended.
    piece.catch(() => {})
    return { from, to, piece, signal }
  }

  const fetchFinal = async (from: number, last: number, signal?: AbortSignal): Promise<Piece | undefined> => {
    const isBegun = ahead?.from === from && ahead.to <= last && !ahead.signal?.aborted
    const { to, piece: reading } = isBegun && ahead ? ahead : begin(from, last, signal)
    ahead = undefined
    let piece: Piece | undefined
    try {
      piece = await reading
    } catch (error) {
      range = shrink(to - from + 1)
      throw error
    }
    range = grow(range, to - from + 1, piece?.logs.length ?? 0)
    if (!piece || to === last) return piece
    ahead = begin(to + 1, last, signal)
    // The question has to be on its way before this one's rows take all of the process's time.
    await effects.clock.sleep(0, signal)
    return piece
  }

  const fetch = async (decision: Decision, checkpoint: BlockRef | undefined, signal?: AbortSignal) => {
    if (decision.do === 'fetch-range') return fetchFinal(decision.from, decision.to, signal)
    if (decision.do !== 'fetch-blocks') return undefined
    const to = Math.min(decision.to, decision.from + TIP_BLOCKS_PER_STEP - 1)
    const parent = checkpoint?.number === decision.from - 1 ? checkpoint : undefined
    return fetchBlocks(rpc, addresses, decision.from, to, parent, signal)
  }

  const record = async (view: View, piece: Piece, head: Block, signal?: AbortSignal): Promise<Step> => {
    const blocks = view.recorded ? piece.blocks : await fromGenesis(piece, signal)
    if (!blocks) return { did: 'distrust' }
    const events: ChroveEvent[] = []
    const undecodable: UndecodableLog[] = []
    for (const line of piece.logs) {
      const event = decodeLog(line, contracts)
      if (event.type === 'Undecodable') undecodable.push(event)
      else events.push(event)
    }
    const batch = {
      blocks,
      events,
      undecodable,
      head,
      finalized: newestFinal(view.recorded, blocks, view.finalizedNumber),
    }
    await projection.apply(batch)
    progress.note(batch)
    if (undecodable.length > 0) log.warn('chain.undecodable', { logs: undecodable.length })
    const checkpoint = blocks.at(-1) ?? blocks[0]
    return { did: 'advance', checkpoint, events: events.length, caughtUp: checkpoint.number >= head.number }
  }

  const fromGenesis = async ({ blocks }: Piece, signal?: AbortSignal): Promise<Piece['blocks'] | undefined> => {
    if (blocks[0].number === 0) return blocks
    const genesis = await rpc.block(0, signal)
    return genesis && [genesis, ...blocks]
  }

  const step = async (signal?: AbortSignal): Promise<Step> => {
    await checkChain(signal)
    // Asked before any hash: what is compared afterwards and lies below cannot change between two answers.
    const told = await toldFinal(signal)
    const latest = await rpc.block('latest', signal)
    const head =
      latest && confirmations > 0 ? await rpc.block(Math.max(0, latest.number - confirmations), signal) : latest
    if (!latest || !head) return { did: 'distrust' }
    const recorded = await projection.recorded()
    const canonical = new Map<number, Hash>([[head.number - 1, head.parentHash]])
    const finalizedNumber = Math.max(0, Math.min(told, head.number, latest.number - finalityBlocks))
    const view: View = { recorded, head, finalizedNumber, fromBlock, canonical }

    for (;;) {
      const decision = decide(view)
      switch (decision.do) {
        case 'ask': {
          const block = await rpc.block(decision.number, signal)
          if (!block) return { did: 'distrust' }
          canonical.set(block.number, block.hash)
          break
        }
        case 'fail':
          throw decision.because === 'restarted' ? restarted() : tooDeep()
        case 'roll-back':
          await projection.rollBack(decision.to)
          log.warn('chain.reorg', {
            to: decision.to.number,
            blocks: (recorded?.blocks[0]?.number ?? 0) - decision.to.number,
          })
          return { did: 'roll-back', to: decision.to }
        case 'wait':
        case 'distrust':
          return { did: decision.do }
        default: {
          const piece = await fetch(decision, recorded?.blocks[0], signal)
          return piece ? await record(view, piece, head, signal) : { did: 'distrust' }
        }
      }
    }
  }

  return { step, run: (signal) => runSteps(effects, step, pollMs, signal) }
}

const restarted = () =>
  new FollowError('ERR_CHAIN_RESTARTED', 'this is not the chain that was followed: its id or its first block differs')

const tooDeep = () =>
  new FollowError('ERR_CHAIN_REORG_TOO_DEEP', 'blocks that were recorded as final are no longer on the chain')
