/** Nothing lost, nothing twice: the keyring has the key of every payment, and no purchase was paid for two times. */
import { keyHashOf } from '../../protocol/cert-info.ts'
import type { Address } from '../../chain/types.ts'
import type { Market } from '../world/market.ts'

interface RawTransaction {
  readonly from: Address
}

export const checkPurchases = async ({ world, buyers }: Market): Promise<void> => {
  const payments = new Map<Address, { orderId: string; keyHash: string; hash: string; kind: string }[]>()
  for (const { events } of world.history.canonical()) {
    for (const event of events) {
      if (event.type !== 'OrderPaid') continue
      const { transactionHash: hash } = event.evidence
      const { from } = (await world.chain.node.request('eth_getTransactionByHash', [hash])) as RawTransaction
      const payer = from.toLowerCase() as Address
      const kind = `${event.vendorId}/${event.planId}`
      const { orderId, keyHash } = event
      payments.set(payer, [...(payments.get(payer) ?? []), { orderId, keyHash, hash, kind }])
    }
  }
  for (const buyer of buyers) {
    const { orders } = await buyer.keyring()
    const keys = new Set<string>(orders.map(({ key }) => keyHashOf(key)))
    const paid = payments.get(buyer.address) ?? []
    for (const { orderId, keyHash, hash } of paid) {
      const short = orderId.slice(0, 10)
      if (!keys.has(keyHash)) world.breach('nothing lost', `${buyer.name} paid order ${short} and has not its key`)
      const purchases = orders.find((order) => order.orderId === orderId)?.purchases ?? []
      if (!purchases.some(({ transaction }) => transaction?.hash === hash))
        world.breach('no purchase is paid twice', `${buyer.name} paid order ${short} outside of its journal`)
    }
    const intended = buyer.intents.length
    if (paid.length > intended)
      world.breach('no purchase is paid twice', `${buyer.name} wanted ${intended} purchases and paid ${paid.length}`)
  }
}
