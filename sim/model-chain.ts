/**
 * A chain in memory behind the chain's door: blocks and logs without any execution, so that thousands of histories can
 * be tried. It can reorganise, answer from an old view, fail, or do any of this between two questions.
 */
import { type Chain, ChainError } from '../effects/chain.ts'
import type { Address, Block, Hash, Hex } from '../chain/types.ts'

/** What a contract writes, before it has a place. */
export interface ModelLog {
  readonly address: Address
  readonly topics: readonly Hex[]
  readonly data: Hex
}

export interface ModelBlock extends Block {
  readonly logs: readonly ModelLog[]
}

export interface ModelChain extends Chain {
  /** The chain as it stands, from block 0. */
  blocks(): readonly ModelBlock[]
  /** Number of the newest block that no reorg replaces. */
  finalized(): number
  append(logs: readonly ModelLog[]): void
  /** Replaces the newest blocks, none of them finalized, by others, each with these logs; at least one. */
  reorg(depth: number, blocks: readonly (readonly ModelLog[])[]): void
  /** Begins again from another block 0. */
  restart(): void
  /** The next questions fail, one with each of these errors. */
  fail(...errors: readonly ChainError[]): void
  /** The next question about the newest block is answered as it was so many blocks ago. */
  lag(blocks: number): void
  /** Does something after so many more questions. */
  later(questions: number, act: () => void): void
  /** Does at once what was to be done later, and answers well from now on. */
  heal(): void
  /** How many questions were asked. */
  asked(): number
}

export interface ModelChainSettings {
  readonly chainId: bigint
  /** A block is final once so many follow it. */
  readonly finalityBlocks: number
  /** Whether the node knows the tag `finalized`. */
  readonly tellsFinalized: boolean
  /** `eth_getLogs` refuses longer ranges, blocks. */
  readonly rangeBlocksMax: number
}

const quantity = (value: number | bigint): Hex => `0x${value.toString(16)}`
const word = (value: number): Hash => `0x${value.toString(16).padStart(64, '0')}` as Hash
const refused = () =>
  new ChainError('ERR_CHAIN_REFUSED', 'the model refuses', {
    refusal: { rpcCode: -32000, rpcMessage: 'refused', data: undefined },
  })

const toHeader = (block: ModelBlock) => ({
  number: quantity(block.number),
  hash: block.hash,
  parentHash: block.parentHash,
  timestamp: quantity(block.timestampSeconds),
})

const toLogs = (block: ModelBlock) =>
  block.logs.map((log, index) => ({
    ...log,
    blockNumber: quantity(block.number),
    blockHash: block.hash,
    transactionHash: word(block.number * 1000 + index + 1),
    transactionIndex: quantity(index),
    logIndex: quantity(index),
    removed: false,
  }))

export const createModelChain = (settings: ModelChainSettings): ModelChain => {
  let made = 0
  let chain: ModelBlock[] = []
  let finalized = 0
  let asked = 0
  let lagging = 0
  const errors: ChainError[] = []
  let planned: { at: number; act: () => void }[] = []

  const append = (logs: readonly ModelLog[]) => {
    const parent = chain.at(-1)
    const number = chain.length
    // Never the same hash twice, so that a block that was replaced does not come back.
    chain.push({ number, hash: word(++made), parentHash: parent?.hash ?? word(0), timestampSeconds: made * 12, logs })
    finalized = Math.max(finalized, number - settings.finalityBlocks)
  }

  const findBlock = (tag: unknown): ModelBlock | undefined => {
    if (tag === 'latest') {
      const block = chain.at(-1 - lagging) ?? chain[0]
      lagging = 0
      return block
    }
    if (tag !== 'finalized') return chain[Number(tag)]
    if (!settings.tellsFinalized) throw refused()
    return chain[finalized]
  }

  interface Filter {
    readonly address: readonly Address[]
    readonly blockHash?: Hash
    readonly fromBlock?: Hex
    readonly toBlock?: Hex
  }

  const findLogs = ({ address, blockHash, fromBlock, toBlock }: Filter) => {
    const from = Number(fromBlock)
    const to = Number(toBlock)
    const found = blockHash ? chain.filter(({ hash }) => hash === blockHash) : chain.slice(from, to + 1)
    const missing = blockHash ? found.length === 0 : to >= chain.length
    if (missing || to - from >= settings.rangeBlocksMax) throw refused()
    return found.flatMap(toLogs).filter((log) => address.includes(log.address))
  }

  append([])
  return {
    blocks: () => chain,
    finalized: () => finalized,
    append,
    reorg(depth, blocks) {
      const kept = Math.max(finalized + 1, chain.length - depth)
      chain = chain.slice(0, kept)
      for (const logs of blocks) append(logs)
    },
    restart() {
      chain = []
      finalized = 0
      append([])
    },
    fail: (...added) => void errors.push(...added),
    lag: (blocks) => {
      lagging = blocks
    },
    later: (questions, act) => void planned.push({ at: asked + questions, act }),
    heal() {
      for (const { act } of planned.splice(0)) act()
      errors.length = 0
      lagging = 0
    },
    asked: () => asked,

    async request(method, params) {
      asked += 1
      const due = planned.filter(({ at }) => at < asked)
      planned = planned.filter(({ at }) => at >= asked)
      for (const { act } of due) act()
      const error = errors.shift()
      if (error) throw error
      if (method === 'eth_chainId') return quantity(settings.chainId)
      if (method === 'eth_getLogs') return findLogs(params[0] as Filter)
      if (method !== 'eth_getBlockByNumber') throw refused()
      const block = findBlock(params[0])
      return block ? toHeader(block) : null
    },
  }
}
