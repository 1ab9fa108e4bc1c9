/** Buying: terms from the chain, checks, an offer to agree to, and then exactly that. */
import type { Settlement } from '../../chain/abi.ts'
import { orderIdOf, paymentsCall } from '../../chain/contracts.ts'
import { decodeLog } from '../../chain/decode-log.ts'
import { ContractRevert } from '../../chain/errors.ts'
import type { OrderPaid } from '../../chain/events.ts'
import type { Receipt } from '../../chain/rpc.ts'
import type { Account, Quote } from '../../chain/transactions.ts'
import type { Address, Hash } from '../../chain/types.ts'
import { ChainError } from '../../effects/chain.ts'
import { nowSeconds } from '../../effects/clock.ts'
import { formatAmount, NATIVE_DECIMALS } from '../../protocol/amount.ts'
import { base64url, toHex } from '../../protocol/bytes.ts'
import { keyHashOf } from '../../protocol/cert-info.ts'
import { formatVendorUri, type VendorUri } from '../../protocol/vendor-uri.ts'
import { BuyerError } from '../errors.ts'
import type { BuyerEffects } from './effects.ts'
import { intend, persistSigned, settle, type PurchaseName } from './journal.ts'
import type { Keyring } from './keyring.ts'
import { findOrder, isUnacknowledged, type KeyringContent, type KeyringOrder } from './keyring-content.ts'
import { planForSale, readListing, vendorIn, type Market } from './market.ts'

/** What is bought: a plan in the name of a fresh key, or more time of an order. */
export type Wanted =
  | { readonly vendor: string; readonly planId: number; readonly periods: number }
  | { readonly extend: string; readonly periods: number }

/** What a purchase costs and gives, as read from the chain. */
export interface Offer {
  /** Vendor URI. */
  readonly vendor: string
  readonly planId: number
  /** The vendor's words, made safe to show. */
  readonly title: string
  readonly periods: number
  readonly periodSeconds: number
  readonly settlement: Settlement
  readonly priceWei: bigint
  /** The fee is at most this. */
  readonly maxFeeWei: bigint
  /** Price and highest fee: no more can leave the account. */
  readonly maxCostWei: bigint
  readonly account: Address
  readonly balanceWei: bigint
}

export interface Bought extends PurchaseName {
  /** End of the paid time, unix seconds. */
  readonly endsAtSeconds: number
  /** The fee that was paid. */
  readonly feeWei: bigint
}

/** An offer with what is needed to take it up. */
interface Prepared {
  readonly offer: Offer
  readonly uri: VendorUri
  /** The order that is extended. */
  readonly extended: KeyringOrder | undefined
  readonly quote: Quote
}

const wei = (amount: bigint): string => formatAmount(amount, NATIVE_DECIMALS)

/**
 * Works out what a purchase would cost. Sends nothing and writes nothing.
 * @throws BuyerError | ContractRevert | ChainError
 */
export const prepare = async (
  { random }: Pick<BuyerEffects, 'random'>,
  market: Market,
  keyring: Keyring,
  account: Account,
  wanted: Wanted,
  signal?: AbortSignal,
): Promise<Prepared> => {
  const extended = 'extend' in wanted ? findOrder(await keyring.read(), wanted.extend) : undefined
  const { vendor, planId } = 'extend' in wanted ? (extended as KeyringOrder) : wanted
  const { periods } = wanted
  const uri = vendorIn(market, vendor)
  const plan = planForSale(await readListing(market, uri, signal), planId, periods)
  const priceWei = plan.price * BigInt(periods)

  const balanceWei = await account.balanceWei(signal)
  if (balanceWei < priceWei) {
    throw new BuyerError(
      'ERR_BALANCE',
      `this costs ${wei(priceWei)}, and the account has ${wei(balanceWei)}: top it up`,
    )
  }
  // The key of a new order is made when it is really bought; no key's hash costs more gas than one without zero bytes.
  const quote = await quoteFor(market, account, uri, planId, {
    keyHash: extended ? keyHashOf(extended.key) : toHex(random.bytes(32).map((byte) => byte || 1)),
    controller: extended?.controller ?? account.address,
    periods,
    priceWei,
    signal,
  })
  if (balanceWei < quote.maxCostWei) {
    const text = `this costs up to ${wei(quote.maxCostWei)} with its fee, and the account has ${wei(balanceWei)}: top it up`
    throw new BuyerError('ERR_BALANCE', text)
  }
  const offer = {
    vendor: formatVendorUri(uri),
    planId,
    title: plan.title.text,
    periods,
    periodSeconds: plan.periodSeconds,
    settlement: plan.settlement,
    priceWei,
    maxFeeWei: quote.maxCostWei - priceWei,
    maxCostWei: quote.maxCostWei,
    account: account.address,
    balanceWei,
  }
  return { offer, uri, extended, quote }
}

interface BuyCall {
  readonly keyHash: `0x${string}`
  readonly controller: Address
  readonly periods: number
  readonly priceWei: bigint
  readonly signal: AbortSignal | undefined
}

const quoteFor = async (
  { payments }: Market,
  account: Account,
  { vendorId }: VendorUri,
  planId: number,
  { keyHash, controller, periods, priceWei, signal }: BuyCall,
): Promise<Quote> => {
  const call = paymentsCall(payments, 'buy', vendorId, planId, keyHash, periods, controller)
  try {
    return await account.quote({ ...call, valueWei: priceWei }, signal)
  } catch (error) {
    if (error instanceof ContractRevert && error.reason === 'Payments_TooFarAhead') {
      const text = 'the plan cannot be paid so far ahead: buy fewer periods, or later'
      throw new BuyerError('ERR_PERIODS', text, { cause: error })
    }
    throw error
  }
}

/**
 * Takes up an offer: saves the key, then the signed transaction, then sends it and waits until it is on chain.
 * The caller lets no other purchase of this keyring run meanwhile.
 * @throws TransactionError | ContractRevert | ChainError; `resume` ends what a passing fault interrupted
 */
export const purchase = async (
  { random, clock, jose }: Pick<BuyerEffects, 'random' | 'clock' | 'jose'>,
  market: Market,
  keyring: Keyring,
  account: Account,
  { offer, uri, extended, quote }: Prepared,
  signal?: AbortSignal,
): Promise<Bought> => {
  const { vendor, planId, periods, priceWei } = offer
  const key = extended?.key ?? (await jose.generateKeyPair()).privateKey
  const keyHash = keyHashOf(key)
  const controller = extended?.controller ?? account.address
  const orderId = orderIdOf(uri.vendorId, planId, keyHash) as Hash
  const id = base64url.encode(random.bytes(16))

  await intend(
    keyring,
    { orderId, vendor, planId, key, controller },
    { id, periods, priceWei, account: account.address, intendedAtSeconds: nowSeconds(clock) },
  )
  const call = paymentsCall(market.payments, 'buy', uri.vendorId, planId, keyHash, periods, controller)
  const persist = persistSigned(keyring, orderId, id)
  const receipt = await settle(keyring, orderId, id, () =>
    account.send({ ...quote, call: { ...quote.call, ...call } }, { persist, ...(signal ? { signal } : {}) }),
  )
  return boughtBy(market, receipt, orderId)
}

/** What a mined purchase bought. @throws ERR_CHAIN_MALFORMED when the receipt does not say */
const boughtBy = (market: Market, { logs, transactionHash, feeWei }: Receipt, orderId: Hash): Bought => {
  const paid = logs
    .map((log) => decodeLog(log, market))
    .find((event): event is OrderPaid => event.type === 'OrderPaid' && event.orderId === orderId)
  if (!paid) throw new ChainError('ERR_CHAIN_MALFORMED', 'the node tells of a payment without saying what was paid')
  return { orderId, endsAtSeconds: paid.endsAt, transactionHash, feeWei }
}

/**
 * A purchase of just what is wanted that was paid, or may be, and that nobody has acknowledged: to buy now could be to
 * pay twice for one wish.
 * @param market where a vendor's number means something
 */
export const findUnacknowledged = (
  content: KeyringContent,
  market: Market,
  wanted: Wanted,
): PurchaseName | undefined => {
  const extended = 'extend' in wanted ? findOrder(content, wanted.extend) : undefined
  const { vendor, planId } = 'extend' in wanted ? (extended as KeyringOrder) : wanted
  const uri = formatVendorUri(vendorIn(market, vendor))
  const orders = extended ? [extended] : content.orders.filter((o) => o.vendor === uri && o.planId === planId)
  for (const { orderId, purchases } of orders) {
    // The first purchase of an order began it, and later ones extended it.
    const alike = extended ? purchases.slice(1) : purchases.slice(0, 1)
    const found = alike.find((each) => isUnacknowledged(each) && each.periods === wanted.periods)
    if (found?.transaction) return { orderId, transactionHash: found.transaction.hash }
  }
  return undefined
}

/**
 * What a purchase bought that was made earlier.
 * @throws ERR_PURCHASE_PENDING when the node does not know of it; ChainError
 */
export const readBought = async (
  market: Market,
  { orderId, transactionHash }: PurchaseName,
  signal?: AbortSignal,
): Promise<Bought> => {
  const receipt = await market.rpc.receipt(transactionHash, signal)
  if (receipt) return boughtBy(market, receipt, orderId)
  const text = 'the same was bought before, and the node does not show it at present: try again, or ask another node'
  throw new BuyerError('ERR_PURCHASE_PENDING', text)
}
