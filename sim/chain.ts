/**
 * The simulated world's blockchain: EDR with blocks at virtual times, finality that lags, and reorgs. Transactions are
 * remembered as they were signed, so that another branch can hold them too.
 */
import { createHash } from 'node:crypto'
import type { Chain } from '../effects/chain.ts'
import type { Heads } from '../effects/heads.ts'
import { askNode, chainDoor, unknownBlock, type ChainDoorParts } from './chain-door.ts'
import type { Edr } from './edr.ts'
import { SimulationError } from './errors.ts'
import { createAnnouncements, headsDoor } from './heads-door.ts'
import type { Life } from './life.ts'
import { viewParams, viewResult } from './rpc-view.ts'

export interface SimBlock {
  readonly number: number
  readonly hash: string
  readonly parentHash: string
  readonly timestampSeconds: number
  /** Hashes of its transactions, in order. */
  readonly transactions: readonly string[]
}

export interface Reorg {
  /** How many of the newest blocks are replaced; none that is finalized. */
  readonly depth: number
  /** How many blocks come instead; one more than `depth` if not given. */
  readonly length?: number
  /** So many of them, the first ones, are empty. */
  readonly emptyBlocks?: number
  /** Which of the replaced blocks' transactions the new ones hold, and in which order; all if not given. */
  readonly choose?: (transactions: readonly string[]) => readonly string[]
}

export interface SimChain {
  /** A node without faults, for checkers and for setting things up. */
  readonly node: Chain
  /** A node that one program asks, with the faults of the run. */
  door(host: string, life: Life): Chain
  /** What tells one program of new blocks, with the faults of the run. */
  heads(host: string, life: Life): Heads
  /** Makes a block of all waiting transactions, at the present time. */
  mine(): Promise<SimBlock>
  /**
   * Makes a block every so often.
   * @returns stops
   */
  produce(intervalMs: number): () => void
  /** @throws ERR_SIM_REORG when finalized blocks would have to go */
  reorg(plan: Reorg): Promise<void>
  /** Sends all transactions again that a reorg dropped. */
  restoreDropped(): Promise<void>
  head(): SimBlock
  /** Number of the newest block that no reorg replaces. */
  finalized(): number
}

export interface SimChainParts extends ChainDoorParts {
  /** A block is final once so many follow it. */
  readonly finalityDepth: number
}

type MinedBlock = SimBlock & { readonly stateBefore: unknown }

interface RawBlock {
  readonly number: string
  readonly hash: string
  readonly parentHash: string
  readonly timestamp: string
  readonly transactions: readonly string[]
}

/** Methods that change nothing, and whose answer depends on blocks alone. */
const lookups: ReadonlySet<string> = new Set([
  'eth_chainId',
  'eth_blockNumber',
  'eth_getBlockByNumber',
  'eth_getBlockByHash',
  'eth_getLogs',
  'eth_getTransactionReceipt',
])

const readBlock = (answer: unknown): SimBlock => {
  const { number, hash, parentHash, timestamp, transactions } = answer as RawBlock
  return { number: Number(number), hash, parentHash, timestampSeconds: Number(timestamp), transactions }
}

/**
 * A chain in the state that `edr.keep` kept, all of which is final.
 * @param edr used by this chain alone until the next one is opened
 */
export const openSimChain = async (edr: Edr, parts: SimChainParts): Promise<SimChain> => {
  const { loop, trace, finalityDepth } = parts
  await edr.reset()
  const newest = async () => readBlock(await edr.request('eth_getBlockByNumber', ['latest', false]))
  const base = await newest()
  const blocks: MinedBlock[] = []
  /** Every transaction a node ever took: as signed, by hash. */
  const signed = new Map<string, unknown>()
  let finalized = base.number
  let branches = 0
  const news = createAnnouncements()

  const head = (): SimBlock => blocks.at(-1) ?? base
  const nowSeconds = () => Math.floor(loop.nowMs() / 1000)
  const setNextTime = (seconds: number) =>
    edr.request('evm_setNextBlockTimestamp', [Math.max(seconds, head().timestampSeconds + 1)])

  const mineAt = async (seconds: number): Promise<SimBlock> => {
    const stateBefore = await edr.request('evm_snapshot')
    await setNextTime(seconds)
    remembered.clear()
    await edr.request('evm_mine')
    const block = await newest()
    blocks.push({ ...block, stateBefore })
    trace.add('block', block.number, block.hash, block.transactions.length)
    news.announce()
    return block
  }

  const settle = () => {
    finalized = Math.max(finalized, head().number - finalityDepth)
  }

  /** A transaction that has become invalid is left out, as any node would. */
  const resend = async (hashes: readonly string[]) => {
    for (const hash of hashes) await edr.request('eth_sendRawTransaction', [signed.get(hash)]).catch(() => {})
  }

  const waiting = async (): Promise<string[]> =>
    ((await edr.request('eth_pendingTransactions')) as { hash: string }[]).map(({ hash }) => hash)

  const replace = async ({ depth, length = depth + 1, emptyBlocks = 0, choose = (all) => all }: Reorg) => {
    if (depth < 1 || length < 1 || head().number - depth < finalized) {
      throw new SimulationError(
        'ERR_SIM_REORG',
        `no reorg of ${depth} blocks at ${head().number}, finalized ${finalized}`,
      )
    }
    const pool = await waiting()
    const oldHash = head().hash
    const removed = blocks.splice(-depth)
    remembered.clear()
    const chosen = choose(removed.flatMap(({ transactions }) => transactions))
    await edr.request('evm_revert', [removed[0]?.stateBefore])
    for (const hash of await waiting()) await edr.request('hardhat_dropTransaction', [hash])
    const branch = createHash('sha256').update(`branch ${++branches}`).digest('hex')
    await edr.request('hardhat_setPrevRandao', [`0x${branch}`])
    const startSeconds = head().timestampSeconds
    const stepSeconds = Math.max(1, Math.floor((nowSeconds() - startSeconds) / length))
    const full = Math.max(1, length - emptyBlocks)
    const share = Math.ceil(chosen.length / full)
    for (let at = 0; at < length; at++) {
      const filled = at - (length - full)
      if (filled >= 0) await resend(chosen.slice(filled * share, (filled + 1) * share))
      await mineAt(startSeconds + (at + 1) * stepSeconds)
    }
    await resend(pool)
    trace.add('reorg', depth, length, oldHash, head().hash)
    settle()
  }

  /** Answers that hold until something changes: services ask the same again and again. */
  const remembered = new Map<string, unknown>()

  const askOnce = async (method: string, params: readonly unknown[]): Promise<unknown> => {
    if (!lookups.has(method)) {
      remembered.clear()
      return askNode(edr.request, method, params)
    }
    const question = JSON.stringify([method, params])
    if (!remembered.has(question)) remembered.set(question, await askNode(edr.request, method, params))
    return remembered.get(question)
  }

  /** One question to the node; for a node that lags so many blocks behind. */
  const ask = async (method: string, params: readonly unknown[], lag: number): Promise<unknown> => {
    const view = {
      head: Math.max(0, head().number - lag),
      finalized: Math.max(0, Math.min(finalized, head().number - lag)),
    }
    const asked = viewParams(method, params, view)
    // What depends on the next block's time must not depend on the machine's clock.
    if (method === 'eth_estimateGas' || asked.includes('pending')) await setNextTime(nowSeconds())
    if (method === 'eth_getLogs' && blockOf(asked[0]) > view.head) throw unknownBlock()
    const result = await askOnce(method, asked)
    if (method === 'eth_sendRawTransaction') {
      signed.set(String(result), params[0])
      trace.add('transaction', String(result))
    }
    return viewResult(method, result, view)
  }

  /** Number of the block that a filter names by hash; 0 if it names none, or one that is no longer there. */
  const blockOf = (filter: unknown): number => {
    const { blockHash } = (filter ?? {}) as { blockHash?: unknown }
    return blocks.find(({ hash }) => hash === blockHash)?.number ?? 0
  }

  const mine = () =>
    loop.external(async () => {
      const block = await mineAt(nowSeconds())
      settle()
      return block
    })

  return {
    node: { request: (method, params) => loop.external(() => ask(method, params, 0)) },
    door: (host, life) => chainDoor(parts, ask, host, life),
    heads: (host, life) => headsDoor(parts, news, host, life),
    mine,
    produce: (intervalMs) => {
      let cancel = () => {}
      const next = () => {
        cancel = loop.schedule(intervalMs, () => {
          void mine()
          next()
        })
      }
      next()
      return () => cancel()
    },
    reorg: (plan) => loop.external(() => replace(plan)),
    restoreDropped: () =>
      loop.external(async () => {
        const present = new Set([...(await waiting()), ...blocks.flatMap(({ transactions }) => transactions)])
        await resend([...signed.keys()].filter((hash) => !present.has(hash)))
      }),
    head,
    finalized: () => finalized,
  }
}
