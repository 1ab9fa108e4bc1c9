/** The chain as it stands, told again from its start: who asked for what, and what came of it in which market. */
import type { ChroveEvent } from '../../chain/events.ts'
import { createRpc } from '../../chain/rpc.ts'
import { parseAddress, type Address, type Hash, type Hex } from '../../chain/types.ts'
import { afterEvent } from '../world/fold.ts'
import type { MarketModel } from '../world/model.ts'
import { readCall, type PaymentsCall } from '../world/payments-calls.ts'
import type { World } from '../world/world.ts'

export interface Transaction {
  readonly hash: Hash
  readonly from: Address
  readonly to: Address
  readonly feeWei: bigint
  readonly valueWei: bigint
  readonly succeeded: boolean
  /** Undefined for other contracts. */
  readonly call: PaymentsCall | undefined
}

export interface Happening {
  readonly event: ChroveEvent
  readonly before: MarketModel
  /** Time of its block. */
  readonly seconds: number
  readonly transaction: Transaction
}

export interface Retold {
  readonly transactions: readonly Transaction[]
  readonly happenings: readonly Happening[]
}

interface RawTransaction {
  readonly from: string
  readonly to: string
  readonly input: Hex
  readonly value: string
}

/** Blocks stand still meanwhile. */
export const retell = async ({ chain, history, contracts }: World): Promise<Retold> => {
  const rpc = createRpc(chain.node)
  const read = async (hash: Hash): Promise<Transaction> => {
    const { from, to, input, value } = (await chain.node.request('eth_getTransactionByHash', [hash])) as RawTransaction
    const receipt = await rpc.receipt(hash)
    if (!receipt) throw new Error('a mined transaction has no receipt')
    const { feeWei, succeeded } = receipt
    const [sender, receiver] = [parseAddress(from) as Address, parseAddress(to) as Address]
    const call = receiver === contracts.payments ? readCall(input) : undefined
    return { hash, from: sender, to: receiver, feeWei, valueWei: BigInt(value), succeeded, call }
  }

  const [first, ...blocks] = history.canonical()
  const transactions = new Map<string, Transaction>()
  const happenings: Happening[] = []
  let market = first?.market
  for (const { block, events } of blocks) {
    for (const hash of block.transactions) transactions.set(hash, await read(hash as Hash))
    for (const event of events) {
      const transaction = transactions.get(event.evidence.transactionHash)
      if (!transaction || !market) throw new Error('an event without a transaction')
      const seconds = block.timestampSeconds
      happenings.push({ event, before: market, seconds, transaction })
      market = afterEvent(market, event, seconds)
    }
  }
  return { transactions: [...transactions.values()], happenings }
}
