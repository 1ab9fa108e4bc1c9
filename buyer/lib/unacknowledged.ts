/** Purchases that somebody may wait for: to buy the same again could be to pay twice for one wish. */
import { formatVendorUri } from '../../protocol/vendor-uri.ts'
import { BuyerError } from '../errors.ts'
import type { PurchaseName } from './journal.ts'
import {
  findOrder,
  isUnacknowledged,
  type KeyringContent,
  type KeyringOrder,
  type Purchase,
} from './keyring-content.ts'
import { vendorIn, type Market } from './market.ts'
import type { Wanted } from './offer.ts'
import { boughtBy, boughtByOthers, type Bought } from './purchase.ts'

/** A purchase in its order. */
export interface Found extends PurchaseName {
  readonly order: KeyringOrder
  readonly purchase: Purchase
}

/**
 * A purchase of just what is wanted that was paid, or may be, and that nobody has acknowledged.
 * @param market where a vendor's number means something
 */
export const findUnacknowledged = (content: KeyringContent, market: Market, wanted: Wanted): Found | undefined => {
  const extended = 'extend' in wanted ? findOrder(content, wanted.extend) : undefined
  const { vendor, planId } = 'extend' in wanted ? (extended as KeyringOrder) : wanted
  const uri = formatVendorUri(vendorIn(market, vendor))
  const orders = extended ? [extended] : content.orders.filter((o) => o.vendor === uri && o.planId === planId)
  for (const order of orders) {
    // The first purchase of an order began it, and later ones extended it.
    const alike = extended ? order.purchases.slice(1) : order.purchases.slice(0, 1)
    const purchase = alike.find((each) => isUnacknowledged(each) && each.periods === wanted.periods)
    if (purchase) return { orderId: order.orderId, purchaseId: purchase.id, order, purchase }
  }
  return undefined
}

/** Whether it is signed and waits for a transaction. */
export const isOpen = ({ purchase: { state, transaction } }: Found): boolean => state === 'signed' && !transaction

/**
 * What a purchase bought that was made earlier.
 * @throws ERR_PURCHASE_PENDING when the node does not know of it; ChainError
 */
export const readBought = async (
  market: Market,
  { purchase: { transaction, signed }, orderId, purchaseId }: Found,
  signal?: AbortSignal,
): Promise<Bought> => {
  const name = { orderId, purchaseId }
  if (!transaction && signed) return boughtByOthers(market, name, signed, signal)
  const receipt = transaction && (await market.rpc.receipt(transaction.hash, signal))
  if (receipt) return boughtBy(market, receipt, name)
  const text = 'the same was bought before, and the node does not show it at present: try again, or ask another node'
  throw new BuyerError('ERR_PURCHASE_PENDING', text)
}
