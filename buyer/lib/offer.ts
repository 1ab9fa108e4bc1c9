/** What a purchase would cost: terms from the chain, checks, and an offer to agree to. Nothing is sent or written. */
import type { Settlement } from '../../chain/abi.ts'
import { paymentsCall, type PlanState } from '../../chain/contracts.ts'
import { ContractRevert } from '../../chain/errors.ts'
import type { Call } from '../../chain/rpc.ts'
import { tokenAmountText, tokenCall, type TokenFacts } from '../../chain/token.ts'
import type { Account, Quote } from '../../chain/transactions.ts'
import { ZERO_ADDRESS, type Address } from '../../chain/types.ts'
import { formatAmount, NATIVE_DECIMALS } from '../../protocol/amount.ts'
import { toHex } from '../../protocol/bytes.ts'
import { keyHashOf } from '../../protocol/cert-info.ts'
import type { SignedPurchase } from '../../protocol/signed-order.ts'
import { formatVendorUri, type VendorUri } from '../../protocol/vendor-uri.ts'
import { BuyerError } from '../errors.ts'
import type { BuyerEffects } from './effects.ts'
import type { PurchaseName } from './journal.ts'
import type { Keyring } from './keyring.ts'
import { findOrder, type KeyringOrder, type Purchase } from './keyring-content.ts'
import { UNTRIED_GAS } from './limits.ts'
import { planForSale, readListing, vendorIn, type Market } from './market.ts'
import { chainSeconds, purchaseCall } from './signed-purchase.ts'
import {
  choosePayBy,
  readSigning,
  readStanding,
  type PayBy,
  type PayWish,
  type TokenSigning,
  type Way,
} from './pay-by.ts'

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
  /** What of the price is paid in the coin: all, or nothing where `token` is there. */
  readonly priceWei: bigint
  /** The fee is at most this; 0 where somebody else sends the purchase. */
  readonly maxFeeWei: bigint
  /** Price and highest fee: no more of the coin can leave the account. */
  readonly maxCostWei: bigint
  readonly account: Address
  readonly balanceWei: bigint
  /** Where the plan is priced in a token. */
  readonly token?: TokenOffer
}

/** The part of an offer that is paid in a token; amounts in its smallest unit. */
export interface TokenOffer extends TokenFacts {
  /** No more of the token can leave the account. */
  readonly price: bigint
  readonly balance: bigint
  readonly payBy: PayBy
  /** How many this account sends; none where somebody else sends the purchase. */
  readonly transactions: number
}

/** An offer with what is needed to take it up. */
export interface Prepared {
  readonly offer: Offer
  readonly uri: VendorUri
  /** The order that is extended. */
  readonly extended: KeyringOrder | undefined
  readonly way: Way
}

/**
 * Works out what a purchase would cost.
 * @throws BuyerError | ContractRevert | ChainError
 */
export const prepare = async (
  effects: Pick<BuyerEffects, 'random'>,
  market: Market,
  keyring: Keyring,
  account: Account,
  wanted: Wanted,
  wish: PayWish = {},
  signal?: AbortSignal,
): Promise<Prepared> => {
  const extended = 'extend' in wanted ? findOrder(await keyring.read(), wanted.extend) : undefined
  const { vendor, planId } = 'extend' in wanted ? (extended as KeyringOrder) : wanted
  const { periods } = wanted
  const uri = vendorIn(market, vendor)
  const plan = planForSale(await readListing(market, uri, signal), planId, periods)
  // The key of a new order is made when it is really bought; no key's hash costs more gas than one without zero bytes.
  const keyHash = extended ? keyHashOf(extended.key) : toHex(effects.random.bytes(32).map((byte) => byte || 1))
  const controller = extended?.controller ?? account.address
  const call = paymentsCall(market.payments, 'buy', uri.vendorId, planId, keyHash, periods, controller)
  const bill = { call, price: plan.price * BigInt(periods), balanceWei: await account.balanceWei(signal) }
  const paid =
    plan.token === ZERO_ADDRESS
      ? await payInCoin(account, bill, wish, signal)
      : await payInToken(effects, market, account, plan.token, bill, wish, signal)
  const offer = { ...termsOf(uri, planId, plan, periods), ...paid.cost, account: account.address }
  return { offer, uri, extended, way: paid.way }
}

/** A purchase that an earlier process signed and did not bring on chain, with an offer to do that. */
export interface PreparedOpen {
  readonly offer: Offer
  readonly name: PurchaseName
  readonly signed: SignedPurchase
  readonly quote: Quote
}

/**
 * Works out what sending a signed purchase would cost.
 * @throws ERR_PURCHASE_PENDING when it is too late to send it, and too early to know that nobody did
 */
export const prepareOpen = async (
  market: Market,
  account: Account,
  { order, purchase, ...name }: PurchaseName & { readonly order: KeyringOrder; readonly purchase: Purchase },
  signal?: AbortSignal,
): Promise<PreparedOpen> => {
  const { signed } = purchase
  if (!signed || !order.token) throw new Error('no signed purchase')
  if (signed.purchase.deadline < BigInt(await chainSeconds(market, signal))) {
    const text =
      'the same was signed before and has run out, and it is not final yet that nobody sent it: try again later'
    throw new BuyerError('ERR_PURCHASE_PENDING', text)
  }
  const { planId, periods, amount: price } = signed.purchase
  const uri = vendorIn(market, order.vendor)
  const plan = planForSale(await readListing(market, uri, signal), planId, periods)
  const { facts, balance } = await readStanding(market, order.token, account.address, signal)
  if (balance < price) throw tooPoor(`this costs ${tokenAmountText(price, facts)}`, tokenAmountText(balance, facts))
  const quote = await stillGood(explained(account.quote(purchaseCall(signed), signal)))
  const balanceWei = await account.balanceWei(signal)
  const { maxCostWei } = quote
  if (balanceWei < maxCostWei) throw tooPoor(`the fee is up to ${coins(maxCostWei)}`, coins(balanceWei))
  const token = { ...facts, price, balance, payBy: signed.payBy, transactions: 1 }
  const cost = { priceWei: 0n, maxFeeWei: maxCostWei, maxCostWei, account: account.address, balanceWei, token }
  return { offer: { ...termsOf(uri, planId, plan, periods), ...cost }, name, signed, quote }
}

const stillGood = async (quoting: Promise<Quote>): Promise<Quote> => {
  try {
    return await quoting
  } catch (error) {
    if (!(error instanceof ContractRevert)) throw error
    const text = `an earlier command signed the same, and the chain refuses it at present (${error.reason}): try again, or wait until it has run out`
    throw new BuyerError('ERR_SIGNED_ORDER_REFUSED', text, { cause: error })
  }
}

/** The part of an offer that the plan says. */
export const termsOf = (uri: VendorUri, planId: number, plan: PlanState, periods: number) => ({
  vendor: formatVendorUri(uri),
  planId,
  title: plan.title.text,
  periods,
  periodSeconds: plan.periodSeconds,
  settlement: plan.settlement,
})

/** What is to be paid for, in the smallest unit of the plan's currency. */
interface Bill {
  /** `buy` in its plain form. */
  readonly call: Call
  readonly price: bigint
  /** Of the coin that fees are paid in. */
  readonly balanceWei: bigint
}

interface Paid {
  readonly cost: Pick<Offer, 'priceWei' | 'maxFeeWei' | 'maxCostWei' | 'balanceWei' | 'token'>
  readonly way: Way
}

const payInCoin = async (
  account: Account,
  { call, price, balanceWei }: Bill,
  { payBy, signOnly }: PayWish,
  signal?: AbortSignal,
): Promise<Paid> => {
  if (payBy || signOnly) {
    throw new BuyerError('ERR_PAY_BY', "this plan is paid in the chain's coin, which only its owner can send")
  }
  if (balanceWei < price) throw tooPoor(`this costs ${coins(price)}`, coins(balanceWei))
  const quote = await explained(account.quote({ ...call, valueWei: price }, signal))
  const { maxCostWei } = quote
  if (balanceWei < maxCostWei) throw tooPoor(`this costs up to ${coins(maxCostWei)} with its fee`, coins(balanceWei))
  return {
    cost: { priceWei: price, maxFeeWei: maxCostWei - price, maxCostWei, balanceWei },
    way: { by: 'coin', quote },
  }
}

const payInToken = async (
  effects: Pick<BuyerEffects, 'random'>,
  market: Market,
  account: Account,
  token: Address,
  { call, price, balanceWei }: Bill,
  wish: PayWish,
  signal?: AbortSignal,
): Promise<Paid> => {
  const standing = await readStanding(market, token, account.address, signal)
  const { facts, balance, allowance } = standing
  if (balance < price) throw tooPoor(`this costs ${tokenAmountText(price, facts)}`, tokenAmountText(balance, facts))
  const tried = await tryAllowed(account, call, signal)
  let signing: TokenSigning | undefined
  const findSigning = async () => (signing = await readSigning(effects, market, token, account, signal))
  const payBy = await choosePayBy(wish, tried !== undefined, findSigning)

  let way: Way
  if (payBy === 'allowance') {
    const approvals = tried ? [] : await approvalsOf(market, account, token, price, allowance, signal)
    const quote = tried ?? (await account.quoteUntried(call, UNTRIED_GAS, signal))
    way = { by: payBy, approvals, quote, isUntried: !tried }
  } else {
    const quote = wish.signOnly ? undefined : await account.quoteUntried(call, UNTRIED_GAS, signal)
    way = { by: payBy, token, domain: signing?.domain, isAllowed: tried !== undefined, quote }
  }
  const quotes = [...('approvals' in way ? way.approvals : []), ...(way.quote ? [way.quote] : [])]
  const maxFeeWei = quotes.reduce((sum, { maxCostWei }) => sum + maxCostWei, 0n)
  if (balanceWei < maxFeeWei) {
    const hint = 'or let another account send it (`--sign-only`)'
    throw tooPoor(`the fee is up to ${coins(maxFeeWei)}`, coins(balanceWei), hint)
  }
  const offered = { ...facts, price, balance, payBy, transactions: quotes.length }
  return { cost: { priceWei: 0n, maxFeeWei, maxCostWei: maxFeeWei, balanceWei, token: offered }, way }
}

export const coins = (wei: bigint): string => `${formatAmount(wei, NATIVE_DECIMALS)} coin`

/** @param needs what it takes, in a clause */
export const tooPoor = (needs: string, has: string, hint = ''): BuyerError =>
  new BuyerError('ERR_BALANCE', `${needs}, and the account has ${has}: top it up${hint && `, ${hint}`}`)

/** The purchase out of an allowance; undefined where the token does not let it happen, for there is none yet. */
const tryAllowed = async (account: Account, call: Call, signal?: AbortSignal): Promise<Quote | undefined> => {
  try {
    return await explained(account.quote(call, signal))
  } catch (error) {
    if (error instanceof ContractRevert && !error.reason.startsWith('Payments_')) return undefined
    throw error
  }
}

/** An allowance of exactly the price. */
export const approvalsOf = async (
  { payments }: Market,
  account: Account,
  token: Address,
  price: bigint,
  allowance: bigint,
  signal?: AbortSignal,
): Promise<readonly Quote[]> => {
  const approve = (amount: bigint) => tokenCall(token, 'approve', payments, amount)
  try {
    return [await account.quote(approve(price), signal)]
  } catch (error) {
    if (!(error instanceof ContractRevert) || allowance === 0n) throw error
    // Some tokens change an allowance only by way of none.
    const none = await account.quote(approve(0n), signal)
    return [none, await account.quoteUntried(approve(price), UNTRIED_GAS, signal)]
  }
}

/** Says what the contract refuses in words of a buyer. */
export const explained = async <T>(quoting: Promise<T>): Promise<T> => {
  try {
    return await quoting
  } catch (error) {
    if (!(error instanceof ContractRevert)) throw error
    const options = { cause: error }
    if (error.reason === 'Payments_TooFarAhead') {
      const text = 'the plan cannot be paid so far ahead: buy fewer periods, or later'
      throw new BuyerError('ERR_PERIODS', text, options)
    }
    if (error.reason === 'Payments_TokenInexact') {
      const text = 'this token moves other amounts than it is told, so nothing can be bought with it'
      throw new BuyerError('ERR_TOKEN_INVALID', text, options)
    }
    throw error
  }
}
