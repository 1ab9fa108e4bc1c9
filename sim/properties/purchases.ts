/** Nothing lost, nothing twice: the keyring has the key of every payment, and no wish was paid for two times. */
import { keyHashOf } from '../../protocol/cert-info.ts'
import { formatVendorUri } from '../../protocol/vendor-uri.ts'
import type { Wanted } from '../../buyer/lib/index.ts'
import type { OrderPaid } from '../../chain/events.ts'
import type { Address } from '../../chain/types.ts'
import type { Market } from '../world/market.ts'

interface RawTransaction {
  readonly from: Address
}

/** The same for the same wish: what a person asks for by the same command. */
const wishOf = (wanted: Wanted): string =>
  'extend' in wanted
    ? `${wanted.periods} more of ${wanted.extend.slice(0, 10)}`
    : `${wanted.periods} of plan ${wanted.planId} of ${wanted.vendor}`

export const checkPurchases = async ({ world, buyers }: Market): Promise<void> => {
  const { chainId, contracts } = world
  const payments = new Map<Address, OrderPaid[]>()
  for (const { events } of world.history.canonical()) {
    for (const event of events) {
      if (event.type !== 'OrderPaid') continue
      const { transactionHash } = event.evidence
      const { from } = (await world.chain.node.request('eth_getTransactionByHash', [transactionHash])) as RawTransaction
      const payer = from.toLowerCase() as Address
      payments.set(payer, [...(payments.get(payer) ?? []), event])
    }
  }
  for (const buyer of buyers) {
    const { orders } = await buyer.keyring()
    const keys = new Set<string>(orders.map(({ key }) => keyHashOf(key)))
    /** How often each wish was made and not yet paid for. */
    const unpaid = new Map<string, number>()
    const add = (wish: string, count: number) => void unpaid.set(wish, (unpaid.get(wish) ?? 0) + count)
    for (const { wanted } of buyer.intents) add(wishOf(wanted), 1)
    for (const { orderId, keyHash, vendorId, planId, periods, evidence } of payments.get(buyer.address) ?? []) {
      const short = orderId.slice(0, 10)
      if (!keys.has(keyHash)) world.breach('nothing lost', `${buyer.name} paid order ${short} and has not its key`)
      const purchases = orders.find((order) => order.orderId === orderId)?.purchases ?? []
      const at = purchases.findIndex(({ transaction }) => transaction?.hash === evidence.transactionHash)
      if (at === -1)
        world.breach('no purchase is paid twice', `${buyer.name} paid order ${short} outside of its journal`)
      const vendor = formatVendorUri({ chainId, registry: contracts.registry, vendorId })
      add(wishOf(at > 0 ? { extend: orderId, periods } : { vendor, planId, periods }), -1)
    }
    for (const [wish, left] of unpaid) {
      if (left < 0)
        world.breach('nobody pays twice for one wish', `${buyer.name} paid ${-left} times too often: ${wish}`)
    }
  }
}
