/** The calls Chrove makes to a node, each answer checked for its shape. What the answers mean is for others. */
import type { z } from 'zod'
import { type Chain, ChainError } from '../effects/chain.ts'
import * as schema from './rpc-schema.ts'
import { asContractRevert } from './revert.ts'
import type { Address, Block, ChroveLog, Hash, Hex } from './types.ts'

export type { Receipt } from './rpc-schema.ts'

export type BlockTag = number | 'latest' | 'finalized'

/** A call to a contract, as made by an account. */
export interface Call {
  readonly to: Address
  readonly data: Hex
  readonly valueWei?: bigint
  readonly from?: Address
}

/** Fees of the newest block, for EIP-1559. */
export interface Fees {
  readonly baseFeeWei: bigint
  readonly priorityFeeWei: bigint
}

/** One node, with types. All methods throw ChainError, with ERR_CHAIN_MALFORMED for an answer of the wrong shape. */
export interface Rpc {
  chainId(signal?: AbortSignal): Promise<bigint>
  /** Header of a block; undefined if the chain does not reach that far, or knows no finalized block. */
  block(tag: BlockTag, signal?: AbortSignal): Promise<Block | undefined>
  /** Logs of a range, both ends included, in the order of the chain. */
  logsOfRange(from: number, to: number, addresses: readonly Address[], signal?: AbortSignal): Promise<ChroveLog[]>
  /** Logs of exactly this block: fails where the node does not have it. @see EIP-234 */
  logsOfBlock(hash: Hash, addresses: readonly Address[], signal?: AbortSignal): Promise<ChroveLog[]>
  /** What a call would answer. @throws ContractRevert */
  call(call: Call, at?: BlockTag, signal?: AbortSignal): Promise<Hex>
  /** @throws ContractRevert */
  estimateGas(call: Call, signal?: AbortSignal): Promise<bigint>
  fees(signal?: AbortSignal): Promise<Fees>
  balanceWei(address: Address, signal?: AbortSignal): Promise<bigint>
  /** Code of a contract; `0x` where none is. */
  code(address: Address, signal?: AbortSignal): Promise<Hex>
  /** Transactions an account has sent: mined ones, those the node holds too, or only those no reorg undoes. */
  nonce(address: Address, at: 'latest' | 'pending' | 'finalized', signal?: AbortSignal): Promise<number>
  sendRawTransaction(raw: Hex, signal?: AbortSignal): Promise<void>
  /** Whether the node holds a transaction, mined or waiting. */
  knowsTransaction(hash: Hash, signal?: AbortSignal): Promise<boolean>
  /** Undefined until it is mined. */
  receipt(hash: Hash, signal?: AbortSignal): Promise<schema.Receipt | undefined>
}

/** Offered to the miner where a node does not say what is usual, wei. */
const PRIORITY_FEE_WEI = 1_000_000_000n

const toQuantity = (value: number | bigint): Hex => `0x${value.toString(16)}`
const toTag = (tag: BlockTag): string => (typeof tag === 'number' ? toQuantity(tag) : tag)

const toParameters = ({ to, data, valueWei, from }: Call) => ({
  to,
  data,
  ...(valueWei === undefined ? {} : { value: toQuantity(valueWei) }),
  ...(from === undefined ? {} : { from }),
})

const byPosition = (a: ChroveLog, b: ChroveLog): number =>
  a.evidence.blockNumber - b.evidence.blockNumber || a.evidence.logIndex - b.evidence.logIndex

export const createRpc = (chain: Chain): Rpc => {
  const ask = async <T>(
    shape: z.ZodType<T>,
    method: string,
    params: readonly unknown[],
    signal?: AbortSignal,
  ): Promise<T> => {
    const answer = shape.safeParse(await chain.request(method, params, signal))
    if (answer.success) return answer.data
    throw new ChainError('ERR_CHAIN_MALFORMED', `answer to ${method} has the wrong shape`, { cause: answer.error })
  }

  const askContract = async <T>(...question: Parameters<typeof ask<T>>): Promise<T> => {
    try {
      return await ask(...question)
    } catch (error) {
      throw asContractRevert(error) ?? error
    }
  }

  const logs = async (filter: object, addresses: readonly Address[], signal?: AbortSignal): Promise<ChroveLog[]> => {
    const found = await ask(schema.logs, 'eth_getLogs', [{ ...filter, address: addresses }], signal)
    if (!found.every((log) => addresses.includes(log.address))) {
      throw new ChainError('ERR_CHAIN_MALFORMED', 'answer to eth_getLogs has logs that were not asked for')
    }
    const sorted = found.toSorted(byPosition)
    if (sorted.some((log, i) => i > 0 && byPosition(log, sorted[i - 1] ?? log) === 0)) {
      throw new ChainError('ERR_CHAIN_MALFORMED', 'answer to eth_getLogs has two logs in one place')
    }
    return sorted
  }

  return {
    chainId: (signal) => ask(schema.quantity, 'eth_chainId', [], signal),

    async block(tag, signal) {
      const found = await ask(schema.block.nullable(), 'eth_getBlockByNumber', [toTag(tag), false], signal)
      if (found && typeof tag === 'number' && found.number !== tag) {
        throw new ChainError('ERR_CHAIN_MALFORMED', 'answer to eth_getBlockByNumber is another block')
      }
      return found ?? undefined
    },

    async logsOfRange(from, to, addresses, signal) {
      const found = await logs({ fromBlock: toQuantity(from), toBlock: toQuantity(to) }, addresses, signal)
      if (found.every(({ evidence }) => evidence.blockNumber >= from && evidence.blockNumber <= to)) return found
      throw new ChainError('ERR_CHAIN_MALFORMED', 'answer to eth_getLogs leaves its range')
    },

    async logsOfBlock(hash, addresses, signal) {
      const found = await logs({ blockHash: hash }, addresses, signal)
      if (found.every(({ evidence }) => evidence.blockHash === hash)) return found
      throw new ChainError('ERR_CHAIN_MALFORMED', 'answer to eth_getLogs is of another block')
    },

    call: (call, at = 'latest', signal) =>
      askContract(schema.bytes, 'eth_call', [toParameters(call), toTag(at)], signal),

    estimateGas: (call, signal) => askContract(schema.quantity, 'eth_estimateGas', [toParameters(call)], signal),

    async fees(signal) {
      const { baseFeePerGas } = await ask(schema.feeBlock, 'eth_getBlockByNumber', ['latest', false], signal)
      try {
        const priorityFeeWei = await ask(schema.quantity, 'eth_maxPriorityFeePerGas', [], signal)
        return { baseFeeWei: baseFeePerGas, priorityFeeWei }
      } catch (error) {
        // The method is optional, and nodes differ in how they refuse what they do not have.
        if (!(error instanceof ChainError) || error.code !== 'ERR_CHAIN_REFUSED') throw error
        return { baseFeeWei: baseFeePerGas, priorityFeeWei: PRIORITY_FEE_WEI }
      }
    },

    balanceWei: (account, signal) => ask(schema.quantity, 'eth_getBalance', [account, 'latest'], signal),

    code: (address, signal) => ask(schema.bytes, 'eth_getCode', [address, 'latest'], signal),

    nonce: (account, at, signal) => ask(schema.count, 'eth_getTransactionCount', [account, at], signal),

    async sendRawTransaction(raw, signal) {
      await ask(schema.hash, 'eth_sendRawTransaction', [raw], signal)
    },

    async knowsTransaction(hash, signal) {
      return (await ask(schema.transaction.nullable(), 'eth_getTransactionByHash', [hash], signal)) !== null
    },

    async receipt(hash, signal) {
      const found = await ask(schema.receipt.nullable(), 'eth_getTransactionReceipt', [hash], signal)
      return found ?? undefined
    },
  }
}
