/** What a keyring holds, and its changes as pure functions. Bigints are decimal text in the file. */
import { z } from 'zod'
import type { Hash } from '../../chain/types.ts'
import { serverListSchema } from '../../protocol/credentials.ts'
import { signedPurchaseSchema } from '../../protocol/signed-order.ts'
import { BuyerError } from '../errors.ts'
import { address, amount, hash, hex, rsaPrivateKey, seconds, vendorUri } from './keyring-shapes.ts'
import { mergeBooks, payingBookSchema } from './paying/book.ts'
import { unite } from './unite.ts'

/**
 * How far a purchase is known to be. `intended`: its key is safe, nothing is signed. `signed`: its one transaction, or
 * what its payer signed in place of one, is safe and may be on its way. `failed`: it changed nothing, and never will.
 * `paid`: it is on chain. `final`: and no reorg can undo it.
 */
export const PURCHASE_STATES = ['intended', 'signed', 'failed', 'paid', 'final'] as const

const purchaseSchema = z.strictObject({
  /** Random: names the purchase among those of its order. */
  id: z.string().min(1),
  state: z.enum(PURCHASE_STATES),
  periods: z.int().min(1),
  /** What is paid in the coin; 0 where the order is paid in a token. */
  priceWei: amount,
  account: address,
  intendedAtSeconds: seconds,
  /** From `signed` on; only this raw transaction is ever sent for this purchase, unless it is a signed one. */
  transaction: z.strictObject({ raw: hex, hash }).optional(),
  /** Of a signed purchase: what its payer signed. The chain takes it once, whoever sends it and how often. */
  signed: signedPurchaseSchema.optional(),
  /** Whether whoever bought has been told: until then the same is not bought again. Old keyrings do not say. */
  acknowledged: z.boolean().default(true),
})

const orderSchema = z.strictObject({
  orderId: hash,
  vendor: vendorUri,
  planId: z.int().min(1),
  /** That the plan is priced in; none for the coin. */
  token: address.optional(),
  key: rsaPrivateKey,
  controller: address,
  purchases: z.array(purchaseSchema).min(1),
  credentials: z
    .strictObject({ servers: serverListSchema, expiresSeconds: seconds, collectedAtSeconds: seconds })
    .optional(),
})

const accountSchema = z.strictObject({ address, privateKey: hash })

export const keyringSchema = z.strictObject({
  format: z.literal('chrove-keyring-1'),
  /** The first one pays. */
  accounts: z.array(accountSchema).min(1),
  orders: z.array(orderSchema),
  /** Accounts that pay for requests, and what was spent on them. Old keyrings have none. */
  paying: payingBookSchema.optional(),
})

export type Purchase = z.infer<typeof purchaseSchema>
export type KeyringOrder = z.infer<typeof orderSchema>
export type KeyringAccount = z.infer<typeof accountSchema>
export type KeyringContent = z.infer<typeof keyringSchema>

/** Whether it was paid, or may be, and nobody has been told. */
export const isUnacknowledged = ({ state, transaction, signed, acknowledged }: Purchase): boolean =>
  !acknowledged && (transaction ?? signed) !== undefined && state !== 'failed'

/** @throws ERR_ORDER_UNKNOWN unless the text is the id of an order, or the start of exactly one, 6 digits or more */
export const findOrder = ({ orders }: KeyringContent, text: string): KeyringOrder => {
  const wanted = text.toLowerCase()
  const found = orders.filter(({ orderId }) => orderId.startsWith(wanted))
  const [order] = found
  if (order && found.length === 1 && /^0x[0-9a-f]{6,64}$/.test(wanted)) return order
  throw new BuyerError('ERR_ORDER_UNKNOWN', 'no single order of this keyring has this id: see `chrove orders`')
}

/** Adds a purchase to its order, and the order if it is new. */
export const addPurchase = (
  content: KeyringContent,
  order: Omit<KeyringOrder, 'purchases'>,
  purchase: Purchase,
): KeyringContent => {
  const known = content.orders.some(({ orderId }) => orderId === order.orderId)
  return known
    ? changeOrder(content, order.orderId, (old) => ({ ...old, purchases: [...old.purchases, purchase] }))
    : { ...content, orders: [...content.orders, { ...order, purchases: [purchase] }] }
}

export const changeOrder = (
  content: KeyringContent,
  orderId: Hash,
  change: (order: KeyringOrder) => KeyringOrder,
): KeyringContent => ({
  ...content,
  orders: content.orders.map((order) => (order.orderId === orderId ? change(order) : order)),
})

export const changePurchase = (
  content: KeyringContent,
  orderId: Hash,
  purchaseId: string,
  change: (purchase: Purchase) => Purchase,
): KeyringContent =>
  changeOrder(content, orderId, (order) => ({
    ...order,
    purchases: order.purchases.map((purchase) => (purchase.id === purchaseId ? change(purchase) : purchase)),
  }))

/** All that either keyring holds; of a purchase that both have, the one that is further. `ours` pays from now on. */
export const mergeKeyrings = (ours: KeyringContent, theirs: KeyringContent): KeyringContent => ({
  format: ours.format,
  accounts: unite(
    ours.accounts,
    theirs.accounts,
    (account) => account.address,
    (account) => account,
  ),
  orders: unite(
    ours.orders,
    theirs.orders,
    (order) => order.orderId,
    (mine, other) => ({
      ...mine,
      purchases: unite(mine.purchases, other.purchases, (purchase) => purchase.id, further),
    }),
  ),
  ...((ours.paying ?? theirs.paying) && { paying: mergeBooks(ours.paying, theirs.paying) }),
})

const further = (a: Purchase, b: Purchase): Purchase => ({
  ...(PURCHASE_STATES.indexOf(b.state) > PURCHASE_STATES.indexOf(a.state) ? b : a),
  acknowledged: a.acknowledged || b.acknowledged,
})
