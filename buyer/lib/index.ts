/**
 * A buyer: finds vendors, pays them on chain, collects what was paid for, and keeps it all in one encrypted file.
 * Uses Web APIs only; the world comes in through its effects.
 */
import type { Address } from '../../chain/types.ts'
import { nowSeconds } from '../../effects/clock.ts'
import type { SignedCancellation, SignedOrder } from '../../protocol/signed-order.ts'
import { generateAccount, importAccount, parseRecipient } from './account.ts'
import { createAccounts } from './accounts.ts'
import { alone, buy, refuseOver, resumeNow, sign } from './buy.ts'
import type { BuyOptions, Purchased, QuoteOptions, Shop, SignedOffer, SignOptions } from './buy.ts'
import { cancel, signCancellation, type Cancelled } from './cancel.ts'
import { collect, keptCredentials, type CollectOptions, type Credentials } from './collect.ts'
import type { BuyerEffects } from './effects.ts'
import { acknowledge, type PurchaseName, type ResumedPurchase } from './journal.ts'
import { createKeyring } from './keyring.ts'
import { findOrder } from './keyring-content.ts'
import { SIGNED_VALID_SECONDS } from './limits.ts'
import { openMarket, type Market } from './market.ts'
import { prepare, type Offer, type Wanted } from './offer.ts'
import { listOrders, type OrderView } from './orders.ts'
import { search, type SearchResult } from './search.ts'
import { quoteSignedOrder, sendSignedOrder, type Delivered, type Delivery, type DeliverOptions } from './send-signed.ts'
import { show, type VendorView } from './show.ts'
import { findUnacknowledged } from './unacknowledged.ts'
import type { SearchQuery } from './wish.ts'

export type { BuyOptions, Caps, Purchased, QuoteOptions, SignedOffer, SignOptions } from './buy.ts'
export { createDirectory, type About, type Directory, type VendorsPage } from './directory.ts'
export type { BuyerEffects } from './effects.ts'
export type { Cancelled } from './cancel.ts'
export type { CollectOptions, Credentials } from './collect.ts'
export type { PurchaseName } from './journal.ts'
export type { TokenBook } from './market.ts'
export type { Offer, TokenOffer, Wanted } from './offer.ts'
export type { FromDirectory, Origin } from './origin.ts'
export type { OrderStanding, OrderView } from './orders.ts'
export type { PayBy, PayWish } from './pay-by.ts'
export type { Observed } from '../../protocol/directory/answers.ts'
export type { EndpointReport } from '../../protocol/examine-endpoint.ts'
export type { Bought } from './purchase.ts'
export type { Found, FoundPlan, SearchResult } from './search.ts'
export type { Delivered, Delivery, DeliverOptions } from './send-signed.ts'
export type { VendorView } from './show.ts'
export type { SearchOrder, SearchQuery } from './wish.ts'

export interface BuyerSettings {
  /** The registry to deal with; needed for all but searching a directory. */
  readonly registry?: Address
  /** URL of a directory. */
  readonly directory?: string
  /**
   * Most of the coin that may leave the account in one purchase, with the fee, wei. Without it `buy` needs a cap or an
   * `approve` of its own; so does each purchase in a token, for there is no cap for all tokens.
   */
  readonly spendCapWei?: bigint
  /** Passphrase of the keyring, asked for when it is first needed, and once. */
  passphrase(): Promise<string>
  /** Binary logarithm of scrypt's cost, for the keyring; see `deriveSealingKey`. */
  readonly scryptLogN?: number
}

export interface Buyer {
  /** Makes the keyring with one account, given by its private key or fresh. @throws ERR_KEYRING_EXISTS */
  init(privateKeyHex?: string): Promise<Address>
  /** Addresses of the keyring's accounts; the first one pays. */
  accounts(): Promise<readonly Address[]>
  /** Adds an account, which pays from now on. @throws ERR_ACCOUNT_INVALID */
  importAccount(privateKeyHex: string): Promise<Address>
  /** Wei that the paying account has. */
  balanceWei(signal?: AbortSignal): Promise<bigint>
  search(query: SearchQuery, signal?: AbortSignal): Promise<SearchResult>
  /** @param vendor its URI, or its number in the registry of the settings */
  show(vendor: string, signal?: AbortSignal): Promise<VendorView>
  /**
   * What a purchase would cost, by the chain; sends and writes nothing.
   * @throws ERR_SPEND_CAP when that is more than a cap that is set; ERR_BALANCE; BuyerError
   */
  quote(wanted: Wanted, options?: QuoteOptions): Promise<Offer>
  /** The purchase that `buy` would give, or bring to its end, instead of a new one, as far as the keyring knows. */
  unacknowledged(wanted: Wanted, signal?: AbortSignal): Promise<PurchaseName | undefined>
  /**
   * Buys; when this resolves the order is on chain. Until the result is acknowledged, buying the same pays nothing and
   * gives the same order, in this process and in later ones: a result that never arrived does not cost twice.
   * @throws ERR_SPEND_CAP | ERR_BALANCE and what `quote` throws; TransactionError; what `approve` rejects with
   */
  buy(wanted: Wanted, options?: BuyOptions): Promise<Purchased>
  /**
   * Signs a purchase in a token for any account to send, and needs no coin for it. The order shows in `orders` once it
   * is on chain. Until the result is acknowledged, signing the same gives the same.
   * @throws as `buy`; ERR_PAY_BY where the token takes no signatures
   */
  sign(wanted: Wanted, options?: SignOptions): Promise<SignedOffer>
  /** For what `buy` or `sign` gave, once it is where it is to go: to buy the same is another wish from now on. */
  acknowledge(purchase: PurchaseName): Promise<void>
  /** Ends what earlier processes left open; nothing new is signed. @returns what has become known by that */
  resume(signal?: AbortSignal): Promise<readonly ResumedPurchase[]>
  /** Credentials of an order: kept ones that have not expired, else the vendor's. @param order id, or its start */
  collect(order: string, options?: CollectOptions): Promise<Credentials>
  orders(signal?: AbortSignal): Promise<readonly OrderView[]>
  /** @param refundTo any account */
  cancel(order: string, refundTo: string, signal?: AbortSignal): Promise<Cancelled>
  /** Signs a cancellation for any account to send. */
  signCancellation(
    order: string,
    refundTo: string,
    options?: { readonly validSeconds?: number; readonly signal?: AbortSignal },
  ): Promise<SignedCancellation>
  /**
   * What sending something that somebody signed would cost this buyer's account, which can gain nothing by it.
   * @throws ERR_SIGNED_ORDER_USED | ERR_SIGNED_ORDER_EXPIRED | ERR_SIGNED_ORDER_REFUSED | ERR_OTHER_CHAIN |
   *   ERR_OTHER_REGISTRY | ERR_BALANCE
   */
  quoteSigned(signed: SignedOrder, signal?: AbortSignal): Promise<Delivery>
  /** Sends it. @throws what `quoteSigned` throws; ERR_SPEND_CAP; TransactionError; what `approve` rejects with */
  sendSigned(signed: SignedOrder, options?: DeliverOptions): Promise<Delivered>
  /** The encrypted keyring. */
  backup(): Promise<Uint8Array>
  /** Takes in a backup; nothing that the keyring holds is lost. @returns how many orders it then has */
  restore(backup: Uint8Array): Promise<number>
}

export const createBuyer = (effects: BuyerEffects, settings: BuyerSettings): Buyer => {
  const { clock } = effects
  const keyring = createKeyring(effects.files, effects.random, settings)
  const accounts = createAccounts(effects, keyring)
  const capOf = <Options extends { readonly spendCapWei?: bigint }>(options: Options): Options =>
    settings.spendCapWei === undefined ? options : { spendCapWei: settings.spendCapWei, ...options }

  let opened: Market | undefined
  const market = async (signal?: AbortSignal): Promise<Market> =>
    (opened ??= await openMarket(effects, settings.registry, signal))
  const shop = async (signal?: AbortSignal): Promise<Shop> => ({
    effects,
    market: await market(signal),
    keyring,
    accounts,
  })

  return {
    async init(privateKeyHex) {
      const account = privateKeyHex === undefined ? generateAccount(effects.random) : importAccount(privateKeyHex)
      await keyring.create(account)
      return account.address
    },

    async accounts() {
      return (await keyring.read()).accounts.map(({ address }) => address)
    },

    async importAccount(privateKeyHex) {
      const account = importAccount(privateKeyHex)
      await keyring.update((content) => ({
        ...content,
        accounts: [account, ...content.accounts.filter(({ address }) => address !== account.address)],
      }))
      return account.address
    },

    async balanceWei(signal) {
      return (await accounts.payer(await market(signal))).balanceWei(signal)
    },

    search: (query, signal) => search(effects, { ...settings, market }, query, signal),

    async show(vendor, signal) {
      return show(effects, await market(signal), settings.directory, vendor, signal)
    },

    async quote(wanted, options = {}) {
      const on = await market(options.signal)
      const account = await accounts.payer(on)
      const { offer } = await prepare(effects, on, keyring, account, wanted, options, options.signal)
      refuseOver(capOf(options), true, offer)
      return offer
    },

    async unacknowledged(wanted, signal) {
      const found = findUnacknowledged(await keyring.read(), await market(signal), wanted)
      return found && { orderId: found.orderId, purchaseId: found.purchaseId }
    },

    buy: async (wanted, options = {}) => buy(await shop(options.signal), wanted, capOf(options)),
    sign: async (wanted, options = {}) => sign(await shop(options.signal), wanted, options),
    acknowledge: (bought) => acknowledge(keyring, bought),

    async resume(signal) {
      const at = await shop(signal)
      return alone(at, () => resumeNow(at, signal))
    },

    async collect(wanted, options = {}) {
      const { signal, refresh } = options
      const order = findOrder(await keyring.read(), wanted)
      const kept = refresh ? undefined : keptCredentials(order, nowSeconds(clock))
      if (kept) return kept
      const at = await shop(signal)
      if (order.purchases.some(({ state }) => state === 'signed')) {
        await alone(at, () => resumeNow(at, signal))
      }
      return collect(effects, at.market, keyring, order.orderId, options)
    },

    async orders(signal) {
      return listOrders(effects, await market(signal), keyring, signal)
    },

    async cancel(wanted, refundTo, signal) {
      const recipient = parseRecipient(refundTo)
      const at = await shop(signal)
      return alone(at, async () => {
        await resumeNow(at, signal)
        return cancel(at, wanted, recipient, signal)
      })
    },

    async signCancellation(wanted, refundTo, { validSeconds = SIGNED_VALID_SECONDS, signal } = {}) {
      return signCancellation(await shop(signal), wanted, parseRecipient(refundTo), validSeconds, signal)
    },

    quoteSigned: async (signed, signal) => (await quoteSignedOrder(await shop(signal), signed, signal)).delivery,
    sendSigned: async (signed, options = {}) => sendSignedOrder(await shop(options.signal), signed, capOf(options)),

    backup: () => keyring.backup(),
    restore: async (backup) => (await keyring.restore(backup)).orders.length,
  }
}
