/** Buying from the first look to the order: what is open is ended first, then one purchase is agreed to and made. */
import { tokenAmountText, type TokenFacts } from '../../chain/token.ts'
import type { SignedPurchase } from '../../protocol/signed-order.ts'
import { BuyerError } from '../errors.ts'
import type { Accounts } from './accounts.ts'
import type { BuyerEffects } from './effects.ts'
import { resume, type PurchaseName, type ResumedPurchase } from './journal.ts'
import type { Keyring } from './keyring.ts'
import { SIGNED_VALID_SECONDS } from './limits.ts'
import type { Market } from './market.ts'
import { coins, prepare, prepareOpen, type Offer, type Wanted } from './offer.ts'
import type { PayWish } from './pay-by.ts'
import { begin, purchase, sendSigned, type Bought } from './purchase.ts'
import { findUnacknowledged, isOpen, readBought, type Found } from './unacknowledged.ts'

/** The most that may be spent. */
export interface Caps {
  /** Of the coin that may leave the account, with the fee, wei. */
  readonly spendCapWei?: bigint
  /**
   * Of the currency that the plan is in, smallest units; of the coin with the fee.
   * @param token undefined for the coin
   */
  readonly capIn?: (token: TokenFacts | undefined) => bigint
}

/** What to look for, and within which bounds. */
export interface QuoteOptions extends Caps, PayWish {
  readonly signal?: AbortSignal
}

export interface BuyOptions extends Omit<QuoteOptions, 'signOnly'> {
  /** Asked before anything is signed; rejects to refuse. Its offer is exactly what will be done. */
  readonly approve?: (offer: Offer) => Promise<void>
}

export interface SignOptions extends Omit<BuyOptions, 'spendCapWei'> {
  /** For how long it can be sent. */
  readonly validSeconds?: number
}

export interface Purchased extends Bought {
  /** What was agreed to; undefined when nothing was paid now, for an earlier process had bought the same. */
  readonly offer: Offer | undefined
}

/** A purchase that waits for somebody to send it. */
export interface SignedOffer extends PurchaseName {
  readonly signed: SignedPurchase
  /** What was agreed to; undefined when an earlier process had signed the same. */
  readonly offer: Offer | undefined
}

/** What buying needs: doors, a market, and the keyring with its accounts. */
export interface Shop {
  readonly effects: BuyerEffects
  readonly market: Market
  readonly keyring: Keyring
  readonly accounts: Accounts
}

/** While one process is between signing and knowing what became of it, no other one of this keyring signs. */
export const alone = <T>({ effects: { files } }: Pick<Shop, 'effects'>, work: () => Promise<T>): Promise<T> =>
  files.exclusively('spending', work)

/** `resume`; the caller is alone. */
export const resumeNow = (shop: Shop, signal?: AbortSignal): Promise<ResumedPurchase[]> =>
  resume(shop.keyring, shop.market, (address) => shop.accounts.of(shop.market, address), signal)

/** @throws ERR_SPEND_CAP | ERR_BALANCE and what `prepare` throws; TransactionError; what `approve` rejects with */
export const buy = async (shop: Shop, wanted: Wanted, options: BuyOptions): Promise<Purchased> => {
  const { effects, market, keyring, accounts } = shop
  const { signal } = options
  const before = await alone(shop, () => lookFor(shop, wanted, signal))
  if (before && !isOpen(before)) return { ...(await readBought(market, before, signal)), offer: undefined }

  const account = before ? await accounts.of(market, before.purchase.account) : await accounts.payer(market)
  const prepared = before
    ? await orSent(shop, wanted, prepareOpen(market, account, before, signal), signal)
    : await prepare(effects, market, keyring, account, wanted, options, signal)
  if ('endsAtSeconds' in prepared) return { ...prepared, offer: undefined }
  const { offer } = prepared
  refuseOver(options, options.approve !== undefined, offer)
  await options.approve?.(offer)
  return alone(shop, async () => {
    // Another process may have bought the same since.
    const now = await lookFor(shop, wanted, signal)
    if (now && !isOpen(now)) return { ...(await readBought(market, now, signal)), offer: undefined }
    refuseIfChanged(before, now)
    if ('signed' in prepared) {
      const { signed, quote } = prepared
      return { ...(await sendSigned(market, keyring, account, prepared.name, signed, quote, signal)), offer }
    }
    return { ...(await purchase(effects, market, keyring, account, prepared, signal)), offer }
  })
}

/** The chain may refuse what is signed because somebody has sent it just now: then that is what was bought. */
const orSent = async <T>(
  shop: Shop,
  wanted: Wanted,
  preparing: Promise<T>,
  signal?: AbortSignal,
): Promise<T | Bought> => {
  try {
    return await preparing
  } catch (error) {
    if (!(error instanceof BuyerError)) throw error
    const now = await alone(shop, () => lookFor(shop, wanted, signal))
    if (!now || isOpen(now)) throw error
    return readBought(shop.market, now, signal)
  }
}

/** @throws as `buy`, and ERR_PAY_BY where nothing can be signed; ERR_PURCHASE_PENDING when the same was bought already */
export const sign = async (shop: Shop, wanted: Wanted, options: SignOptions): Promise<SignedOffer> => {
  const { effects, market, keyring, accounts } = shop
  const { signal, validSeconds = SIGNED_VALID_SECONDS } = options
  const given = (found: Found): SignedOffer => {
    const {
      orderId,
      purchaseId,
      purchase: { signed },
    } = found
    if (signed && isOpen(found)) return { orderId, purchaseId, signed, offer: undefined }
    const text =
      'the same was bought by an earlier command, which was cut off: `chrove buy` without --sign-only tells of it'
    throw new BuyerError('ERR_PURCHASE_PENDING', text)
  }
  const before = await alone(shop, () => lookFor(shop, wanted, signal))
  if (before) return given(before)
  const account = await accounts.payer(market)
  const prepared = await prepare(effects, market, keyring, account, wanted, { ...options, signOnly: true }, signal)
  const { offer } = prepared
  refuseOver(options, options.approve !== undefined, offer)
  await options.approve?.(offer)
  return alone(shop, async () => {
    const now = await lookFor(shop, wanted, signal)
    if (now) return given(now)
    return { ...(await begin(effects, market, keyring, account, prepared, validSeconds, signal)), offer }
  })
}

/** Ends what is open, and finds what was bought of just this and nobody was told of. */
const lookFor = async (shop: Shop, wanted: Wanted, signal?: AbortSignal): Promise<Found | undefined> => {
  await resumeNow(shop, signal)
  return findUnacknowledged(await shop.keyring.read(), shop.market, wanted)
}

const refuseIfChanged = (before: Found | undefined, now: Found | undefined): void => {
  if (before?.purchaseId === now?.purchaseId) return
  throw new BuyerError('ERR_PURCHASE_PENDING', 'another command buys the same at this moment: try again')
}

/**
 * @param isAgreedTo whether somebody agrees to what has no cap, or nothing is paid: else nothing may be spent
 * @throws ERR_SPEND_CAP
 */
export const refuseOver = (
  { spendCapWei, capIn }: Caps,
  isAgreedTo: boolean,
  { maxCostWei, token }: Pick<Offer, 'maxCostWei' | 'token'>,
): void => {
  const uncapped = isAgreedTo ? undefined : 0n
  const capWei = (token ? undefined : capIn?.(undefined)) ?? spendCapWei ?? uncapped
  if (capWei !== undefined && maxCostWei > capWei) {
    const what = token ? `the fee is up to ${coins(maxCostWei)}` : `this costs up to ${coins(maxCostWei)} with its fee`
    throw overCap(what, coins(capWei))
  }
  if (!token) return
  const cap = capIn?.(token) ?? uncapped
  if (cap !== undefined && token.price > cap) {
    throw overCap(`this costs ${tokenAmountText(token.price, token)}`, tokenAmountText(cap, token))
  }
}

const overCap = (what: string, cap: string): BuyerError =>
  new BuyerError('ERR_SPEND_CAP', `${what}, more than the spend cap of ${cap}: raise the cap to buy`)
