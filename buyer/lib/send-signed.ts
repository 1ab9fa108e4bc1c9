/**
 * Sending what somebody else signed: anyone may, pays the fee, and can neither change it nor gain by it. The file is a
 * stranger's: all that it says is held against the chain before anything is paid.
 */
import { orderIdOf, paymentsCall, type PlanState } from '../../chain/contracts.ts'
import { decodeLog } from '../../chain/decode-log.ts'
import { ContractRevert } from '../../chain/errors.ts'
import type { Call } from '../../chain/rpc.ts'
import type { TokenFacts } from '../../chain/token.ts'
import type { Account, Quote } from '../../chain/transactions.ts'
import type { Address, Hash } from '../../chain/types.ts'
import { signedOrderDigest } from '../../protocol/signed-order.ts'
import type { SignedCancellation, SignedOrder, SignedPurchase } from '../../protocol/signed-order.ts'
import { BuyerError } from '../errors.ts'
import { alone, refuseOver, type Shop } from './buy.ts'
import type { Market } from './market.ts'
import { coins, termsOf, tooPoor, type Offer } from './offer.ts'
import { chainSeconds, isCarriedOut, purchaseCall } from './signed-purchase.ts'

/** What sending something signed does and costs. */
export interface Delivery {
  readonly orderId: Hash
  readonly kind: SignedOrder['kind']
  /** What a purchase buys, and who pays for that. */
  readonly purchase?: Pick<Offer, 'vendor' | 'planId' | 'title' | 'periods' | 'periodSeconds' | 'settlement'> & {
    readonly payer: Address
    /** Smallest units. */
    readonly price: bigint
    readonly token: TokenFacts
  }
  /** Where a cancellation sends what is not used. */
  readonly refundTo?: Address
  /** Unix seconds. */
  readonly sendableUntilSeconds: number
  /** The fee is at most this: all that the account spends. */
  readonly maxFeeWei: bigint
  readonly account: Address
  readonly balanceWei: bigint
}

export interface Delivered {
  readonly orderId: Hash
  readonly kind: SignedOrder['kind']
  readonly transactionHash: Hash
  readonly feeWei: bigint
  /** End of the paid time after a purchase, or of the order after a cancellation, unix seconds. */
  readonly endsAtSeconds: number
}

export interface DeliverOptions {
  /** Most that the fee may be, wei. */
  readonly spendCapWei?: bigint
  /** Asked before anything is sent; rejects to refuse. */
  readonly approve?: (delivery: Delivery) => Promise<void>
  readonly signal?: AbortSignal
}

/** What a kind of signed order is about. */
interface Subject {
  readonly orderId: Hash
  readonly call: Call
  readonly deadline: bigint
  readonly isUsed: boolean
  readonly says: Pick<Delivery, 'purchase' | 'refundTo'>
}

/**
 * Works out what sending would do and cost; sends nothing.
 * @throws ERR_OTHER_CHAIN | ERR_OTHER_REGISTRY | ERR_SIGNED_ORDER_USED | ERR_SIGNED_ORDER_EXPIRED |
 *   ERR_SIGNED_ORDER_REFUSED | ERR_BALANCE | ChainError
 */
export const quoteSignedOrder = async (
  { market, accounts }: Pick<Shop, 'market' | 'accounts'>,
  signed: SignedOrder,
  signal?: AbortSignal,
): Promise<{ readonly delivery: Delivery; readonly account: Account; readonly quote: Quote }> => {
  refuseElsewhere(market, signed)
  const account = await accounts.payer(market)
  return refusing(async () => {
    const { orderId, call, deadline, isUsed, says } =
      signed.kind === 'purchase'
        ? await purchaseSubject(market, signed, signal)
        : await cancellationSubject(market, signed, signal)
    if (isUsed) throw new BuyerError('ERR_SIGNED_ORDER_USED', 'this was carried out already: nothing is left to send')
    if (BigInt(await chainSeconds(market, signal)) >= deadline) {
      throw new BuyerError('ERR_SIGNED_ORDER_EXPIRED', 'this has run out: whoever signed it can sign it anew')
    }
    const quote = await account.quote(call, signal)
    const balanceWei = await account.balanceWei(signal)
    const { maxCostWei: maxFeeWei } = quote
    if (balanceWei < maxFeeWei) throw tooPoor(`the fee is up to ${coins(maxFeeWei)}`, coins(balanceWei))
    const cost = { maxFeeWei, account: account.address, balanceWei }
    const sendableUntilSeconds = Number(deadline)
    return { delivery: { orderId, kind: signed.kind, ...says, sendableUntilSeconds, ...cost }, account, quote }
  })
}

/** Sends what was signed. @throws what `quoteSignedOrder` throws; ERR_SPEND_CAP | TransactionError */
export const sendSignedOrder = async (shop: Shop, signed: SignedOrder, options: DeliverOptions): Promise<Delivered> => {
  const { market } = shop
  const { signal } = options
  const { delivery, account, quote } = await quoteSignedOrder(shop, signed, signal)
  refuseOver(options, options.approve !== undefined, { maxCostWei: delivery.maxFeeWei })
  await options.approve?.(delivery)
  // Nothing is written down: what was sent already is found to be used by whoever tries again.
  const receipt = await alone(shop, () => refusing(() => account.send(quote, signal ? { signal } : {})))
  const { orderId, kind } = delivery
  const type = kind === 'purchase' ? 'OrderPaid' : 'OrderCancelled'
  const events = receipt.logs.map((log) => decodeLog(log, market))
  const event = events.find((each) => each.type === type && 'endsAt' in each && each.orderId === orderId)
  const endsAtSeconds = event && 'endsAt' in event ? event.endsAt : 0
  return { orderId, kind, transactionHash: receipt.transactionHash, feeWei: receipt.feeWei, endsAtSeconds }
}

const refuseElsewhere = (market: Market, { chainId, registry, payments }: SignedOrder): void => {
  if (chainId !== market.chainId) {
    throw new BuyerError('ERR_OTHER_CHAIN', `this was signed for chain ${chainId}: give the --rpc of a node of it`)
  }
  if (registry !== market.registry || payments !== market.payments) {
    throw new BuyerError('ERR_OTHER_REGISTRY', 'this was signed for another registry: give --registry if you trust it')
  }
}

const purchaseSubject = async (market: Market, signed: SignedPurchase, signal?: AbortSignal): Promise<Subject> => {
  const { vendorId, planId, periods, keyHash, payer, amount, deadline } = signed.purchase
  const { registry, chainId } = market
  const plan: PlanState = await market.reader.plan(registry, vendorId, planId, 'latest', signal)
  const token = await market.tokens.facts(plan.token, signal)
  const terms = termsOf({ chainId, registry, vendorId }, planId, plan, periods)
  return {
    orderId: orderIdOf(vendorId, planId, keyHash) as Hash,
    call: purchaseCall(signed),
    deadline,
    isUsed: (await isCarriedOut(market, plan.token, signed, signal)) ?? false,
    says: { purchase: { ...terms, payer: payer as Address, price: amount, token } },
  }
}

const cancellationSubject = async (
  { reader, payments }: Market,
  signed: SignedCancellation,
  signal?: AbortSignal,
): Promise<Subject> => {
  const { orderId, startedAt, refundTo, deadline } = signed.cancellation
  const to = refundTo as Address
  return {
    orderId: orderId as Hash,
    call: paymentsCall(payments, 'cancelWithSignature', orderId, startedAt, to, deadline, signed.signature),
    deadline,
    isUsed: await reader.isUsed(payments, signedOrderDigest(signed), 'latest', signal),
    says: { refundTo: to },
  }
}

/** What the contracts, or the token, refuse is the fault of the file or of the time that has passed. */
const refusing = async <T>(work: () => Promise<T>): Promise<T> => {
  try {
    return await work()
  } catch (error) {
    if (!(error instanceof ContractRevert)) throw error
    const text = `the chain refuses it (${error.reason}): it was changed, or what it is about is not so any more`
    throw new BuyerError('ERR_SIGNED_ORDER_REFUSED', text, { cause: error })
  }
}
