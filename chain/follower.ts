/**
 * Keeps a projection equal to the events of a chain. `follow-decision.ts` decides; here is asked, fetched, recorded.
 * Nothing is kept in memory that matters: a follower may be killed at any moment and made anew.
 */
import { type Chain, ChainError } from '../effects/chain.ts'
import type { Clock } from '../effects/clock.ts'
import type { Heads } from '../effects/heads.ts'
import type { Log } from '../effects/log.ts'
import type { Random } from '../effects/random.ts'
import { decodeLog } from './decode-log.ts'
import { FollowError } from './errors.ts'
import type { ChroveEvent, Contracts, UndecodableLog } from './events.ts'
import { fetchBlocks, fetchRange, type Piece } from './fetch-blocks.ts'
import { type Decision, decide, newestFinal, type View } from './follow-decision.ts'
import { READINGS_MAX, TIP_BLOCKS_PER_STEP } from './limits.ts'
import { createProgress } from './progress.ts'
import type { Batch, Projection } from './projection.ts'
import { grow, initialRange, shrink } from './range.ts'
import { createRpc, type Rpc } from './rpc.ts'
import { runSteps, type Step } from './run-steps.ts'
import type { Block, BlockRef, ChroveLog, Hash } from './types.ts'

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
  /** Looks for new blocks at least this often, milliseconds: sooner when a head is told. */
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
  readonly heads: Heads
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

/** What one step asks: all of it from one node, for two may stand on different blocks. */
interface Asking {
  readonly rpc: Rpc
  /** Nodes that are asked as well when this one seems to have left something out. */
  readonly others: readonly Chain[]
  readonly signal: AbortSignal | undefined
}

export const createFollower = (effects: FollowEffects, settings: FollowSettings, projection: Projection): Follower => {
  const { log } = effects
  const { contracts, finalityBlocks, confirmations, fromBlock, pollMs } = settings
  const progress = createProgress(effects)
  const addresses = [contracts.registry, contracts.payments]
  let range = initialRange
  /** The next range, asked for while the rows of this one are written: the node and the database work at once. */
  let ahead: Reading | undefined
  let chainChecked = false
  let tellsFinal = false
  /** The blocks from this one on show that a log is missing, and were read so often. */
  let doubt = { from: -1, readings: 0 }
  /** Blocks up to this one are read a second time, or were: a later one told of a log that was left out of them. */
  let twice = { upTo: -1, isUnderWay: false }

  const checkChain = async ({ rpc, signal }: Asking): Promise<void> => {
    if (chainChecked) return
    if ((await rpc.chainId(signal)) !== settings.chainId) throw restarted()
    chainChecked = true
  }

  /** Number of the block the node calls final. Not every node knows one; then depth alone decides. */
  const toldFinal = async ({ rpc, signal }: Asking): Promise<number> => {
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
  const begin = ({ rpc, signal }: Asking, from: number, last: number): Reading => {
    const to = Math.min(last, from + range.length - 1)
    const piece = fetchRange(rpc, addresses, from, to, signal)
    // Nobody may ever ask how it ended.
    piece.catch(() => {})
    return { from, to, piece, signal }
  }

  const fetchFinal = async (asking: Asking, from: number, last: number): Promise<Piece | undefined> => {
    const isBegun = ahead?.from === from && ahead.to <= last && !ahead.signal?.aborted
    const { to, piece: reading } = isBegun && ahead ? ahead : begin(asking, from, last)
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
    ahead = begin(asking, to + 1, last)
    // The question has to be on its way before this one's rows take all of the process's time.
    await effects.clock.sleep(0, asking.signal)
    return piece
  }

  const parentOf = (from: number, { recorded }: View): BlockRef | undefined => {
    const checkpoint = recorded?.blocks[0]
    return checkpoint?.number === from - 1 ? checkpoint : undefined
  }

  const fetch = async (asking: Asking, view: View, decision: Fetch): Promise<Piece | undefined> => {
    const { from } = decision
    if (decision.do === 'fetch-range') return fetchFinal(asking, from, decision.to)
    const to = Math.min(decision.to, from + TIP_BLOCKS_PER_STEP - 1)
    return fetchBlocks(asking.rpc, addresses, from, to, parentOf(from, view), asking.signal)
  }

  /** The same blocks from another node; undefined where it does not have them, or does not answer. */
  const fetchAgain = async (
    { signal }: Asking,
    other: Chain,
    view: View,
    { do: how, from }: Fetch,
    { number, hash }: BlockRef,
  ): Promise<Piece | undefined> => {
    const rpc = createRpc(other)
    try {
      const piece =
        how === 'fetch-range'
          ? await fetchRange(rpc, addresses, from, number, signal)
          : await fetchBlocks(rpc, addresses, from, number, parentOf(from, view), signal)
      return piece?.blocks.at(-1)?.hash === hash ? piece : undefined
    } catch (error) {
      if (error instanceof ChainError) return undefined
      throw error
    }
  }

  const record = async (asking: Asking, view: View, decision: Fetch, piece: Piece, head: Block): Promise<Step> => {
    const blocks = view.recorded ? piece.blocks : await fromGenesis(asking, piece)
    if (!blocks) return { did: 'distrust' }
    const checkpoint = blocks.at(-1) ?? blocks[0]
    const { from } = decision
    const readings = doubt.from === from ? doubt.readings : 0
    const write = async ({ logs }: Piece): Promise<Batch | undefined> => {
      const finalized = newestFinal(view.recorded, blocks, view.finalizedNumber)
      const batch = { blocks, ...sort(logs, contracts), head, finalized, onlyComplete: readings < READINGS_MAX }
      return (await projection.apply(batch)) === 'incomplete' ? undefined : batch
    }

    let written = await write(piece)
    for (const other of written ? [] : asking.others) {
      const again = await fetchAgain(asking, other, view, decision, checkpoint)
      written = again && (await write(again))
      if (written) log.warn('chain.omission', { from, to: checkpoint.number })
      if (written) break
    }
    if (!written) {
      doubt = { from, readings: readings + 1 }
      log.warn('chain.incomplete', { from, to: checkpoint.number, readings: readings + 1 })
      return readings === 0 ? { did: 'distrust' } : await readTwice(view)
    }
    if (checkpoint.number >= twice.upTo) twice = { ...twice, isUnderWay: false }
    progress.note(written)
    const { events, undecodable } = written
    if (undecodable.length > 0) log.warn('chain.undecodable', { logs: undecodable.length })
    return { did: 'advance', checkpoint, events: events.length, caughtUp: checkpoint.number >= head.number }
  }

  /** What is missing may have been left out of blocks that are recorded: those that are not final are read anew. */
  const readTwice = async ({ recorded }: View): Promise<Step> => {
    const [checkpoint] = recorded?.blocks ?? []
    if (!recorded || !checkpoint || checkpoint.number <= Math.max(twice.upTo, recorded.finalized.number)) {
      return { did: 'distrust' }
    }
    await projection.rollBack(recorded.finalized)
    twice = { upTo: checkpoint.number, isUnderWay: true }
    log.warn('chain.read-again', { from: recorded.finalized.number + 1, to: checkpoint.number })
    return { did: 'roll-back', to: recorded.finalized }
  }

  const fromGenesis = async ({ rpc, signal }: Asking, { blocks }: Piece): Promise<Piece['blocks'] | undefined> => {
    if (blocks[0].number === 0) return blocks
    const genesis = await rpc.block(0, signal)
    return genesis && [genesis, ...blocks]
  }

  const stepOn = async (asking: Asking): Promise<Step> => {
    const { rpc, signal } = asking
    await checkChain(asking)
    // Asked before any hash: what is compared afterwards and lies below cannot change between two answers.
    const told = await toldFinal(asking)
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
          const piece = await fetch(asking, view, decision)
          return piece ? await record(asking, view, decision, piece, head) : { did: 'distrust' }
        }
      }
    }
  }

  /**
   * A node that contradicts what is recorded as final, or has less of it, may be wrong: it takes all of them. Where one
   * fails midway the next one is asked at once: after a pause the first would be asked again, and might fail again.
   */
  const step = async (signal?: AbortSignal): Promise<Step> => {
    const bestFirst = effects.chain.nodes?.() ?? [effects.chain]
    // What the best left out is read from another, where there is one.
    const nodes = twice.isUnderWay ? [...bestFirst.slice(1), ...bestFirst.slice(0, 1)] : bestFirst
    let failure: FollowError | undefined
    let fault: ChainError | undefined
    for (const node of nodes) {
      const others = nodes.filter((other) => other !== node)
      try {
        const before = doubt
        const stepped = await stepOn({ rpc: createRpc(node), others, signal })
        // Where a log is missing the others were asked already.
        if (stepped.did !== 'distrust' || doubt !== before) return stepped
      } catch (error) {
        if (error instanceof ChainError) fault = error
        else if (error instanceof FollowError) failure = error
        else throw error
      }
    }
    // Who did not answer might have agreed with the record.
    if (fault ?? failure) throw fault ?? failure
    return { did: 'distrust' }
  }

  return { step, run: (signal) => runSteps(effects, step, pollMs, signal) }
}

type Fetch = Extract<Decision, { readonly from: number }>

/** Events apart from what is none. */
const sort = (logs: readonly ChroveLog[], contracts: Contracts): Pick<Batch, 'events' | 'undecodable'> => {
  const events: ChroveEvent[] = []
  const undecodable: UndecodableLog[] = []
  for (const line of logs) {
    const event = decodeLog(line, contracts)
    if (event.type === 'Undecodable') undecodable.push(event)
    else events.push(event)
  }
  return { events, undecodable }
}

const restarted = () =>
  new FollowError(
    'ERR_CHAIN_RESTARTED',
    'this is not the chain that was followed: its id or its first block differs. If a local chain began again, delete ' +
      'what was recorded of it in the home folder, or choose another --home; else give the --rpc of the right chain',
  )

const tooDeep = () =>
  new FollowError('ERR_CHAIN_REORG_TOO_DEEP', 'blocks that were recorded as final are no longer on the chain')
