/**
 * Every block that ever was the chain's, on whatever branch, with the market after it: what a service that stands at
 * some block should know.
 */
import { decodeLog } from '../../chain/decode-log.ts'
import type { ChroveEvent, Contracts } from '../../chain/events.ts'
import { createRpc } from '../../chain/rpc.ts'
import type { Hash } from '../../chain/types.ts'
import type { SimBlock, SimChain } from '../chain.ts'
import { afterEvent } from './fold.ts'
import { emptyMarket, type MarketModel } from './model.ts'

export interface HistoryBlock {
  readonly block: SimBlock
  readonly events: readonly ChroveEvent[]
  /** After this block. */
  readonly market: MarketModel
}

export interface History {
  at(hash: string): HistoryBlock | undefined
  /** The newest block's. */
  head(): HistoryBlock
  /** The chain as it stands, oldest first, from the first block that was recorded. */
  canonical(): readonly HistoryBlock[]
  /** Records what is new on the chain; while it runs no reorg may. @returns blocks that are no longer on it */
  record(): Promise<readonly HistoryBlock[]>
  /** How many blocks followed a transaction's when a reorg undid it, at the most; undefined for one that was never undone. */
  depthUndone(transaction: string): number | undefined
}

interface RawHeader {
  readonly number: string
  readonly hash: string
  readonly parentHash: string
  readonly timestamp: string
  readonly transactions: readonly string[]
}

export const createHistory = (chain: SimChain, contracts: Contracts): History => {
  const rpc = createRpc(chain.node)
  const known = new Map<string, HistoryBlock>()
  const depthsUndone = new Map<string, number>()
  let canonical: HistoryBlock[] = []

  const read = async (hash: string): Promise<SimBlock> => {
    const raw = (await chain.node.request('eth_getBlockByHash', [hash, false])) as RawHeader
    const { number, parentHash, timestamp, transactions } = raw
    return { number: Number(number), hash, parentHash, timestampSeconds: Number(timestamp), transactions }
  }

  const remember = async (block: SimBlock): Promise<HistoryBlock> => {
    const addresses = [contracts.registry, contracts.payments]
    const logs = block.transactions.length === 0 ? [] : await rpc.logsOfBlock(block.hash as Hash, addresses)
    const events = logs.map((log) => decodeLog(log, contracts)).filter((event) => event.type !== 'Undecodable')
    const before = known.get(block.parentHash)?.market ?? emptyMarket
    const market = events.reduce((state, event) => afterEvent(state, event, block.timestampSeconds), before)
    const entry = { block, events, market }
    known.set(block.hash, entry)
    return entry
  }

  return {
    at: (hash) => known.get(hash),
    head: () => {
      const last = canonical.at(-1)
      if (!last) throw new Error('nothing is recorded yet')
      return last
    },
    canonical: () => canonical,
    record: async () => {
      const added: SimBlock[] = []
      let block: SimBlock = chain.head()
      const first = canonical[0]?.block.number ?? block.number
      while (!known.has(block.hash) && block.number >= first) {
        added.push(block)
        if (block.number === first) break
        const parent = known.get(block.parentHash)
        block = parent?.block ?? (await read(block.parentHash))
      }
      const ancestor = canonical.findIndex((entry) => entry.block.hash === block.hash)
      const kept = added.length === 0 || ancestor >= 0 ? canonical.slice(0, ancestor + 1) : []
      const undone = canonical.slice(kept.length)
      for (const [at, { block: lost }] of undone.entries()) {
        const depth = undone.length - 1 - at
        for (const hash of lost.transactions) depthsUndone.set(hash, Math.max(depth, depthsUndone.get(hash) ?? 0))
      }
      for (const each of added.toReversed()) kept.push(await remember(each))
      canonical = kept
      return undone
    },
    depthUndone: (transaction) => depthsUndone.get(transaction),
  }
}
