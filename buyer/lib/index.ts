/**
 * A buyer: finds vendors, pays them on chain, collects what was paid for, and keeps it all in one encrypted file.
 * Uses Web APIs only; the world comes in through its effects.
 */
import { createAccount, type Account } from '../../chain/transactions.ts'
import type { Address } from '../../chain/types.ts'
import { nowSeconds } from '../../effects/clock.ts'
import { formatAmount, NATIVE_DECIMALS } from '../../protocol/amount.ts'
import { fromHex } from '../../protocol/bytes.ts'
import { BuyerError } from '../errors.ts'
import { generateAccount, importAccount, parseRecipient } from './account.ts'
import { collect, keptCredentials, type CollectOptions, type Credentials } from './collect.ts'
import type { BuyerEffects } from './effects.ts'
import { acknowledge, resume, type PurchaseName, type ResumedPurchase } from './journal.ts'
import { createKeyring } from './keyring.ts'
import { findOrder, type KeyringContent } from './keyring-content.ts'
import { openMarket, type Market } from './market.ts'
import { cancel, listOrders, type Cancelled, type OrderView } from './orders.ts'
import { findUnacknowledged, prepare, purchase, readBought, type Bought, type Offer, type Wanted } from './purchase.ts'
import { search, type SearchQuery, type SearchResult } from './search.ts'
import { show, type VendorView } from './show.ts'

export type { BuyerEffects } from './effects.ts'
export type { CollectOptions, Credentials } from './collect.ts'
export type { Cancelled, OrderStanding, OrderView } from './orders.ts'
export type { Bought, Offer, Wanted } from './purchase.ts'
export type { EndpointReport } from './price-of-vendor.ts'
export type { Found, FoundPlan, SearchQuery, SearchResult } from './search.ts'
export type { VendorView } from './show.ts'

export interface BuyerSettings {
  /** The registry to deal with; needed for all but searching a directory. */
  readonly registry?: Address
  /** URL of a directory. */
  readonly directory?: string
  /** Most that one purchase may cost with its fee, wei. Without it `buy` needs a cap or an `approve` of its own. */
  readonly spendCapWei?: bigint
  /** Passphrase of the keyring, asked for when it is first needed, and once. */
  passphrase(): Promise<string>
  /** Binary logarithm of scrypt's cost, for the keyring; see `deriveSealingKey`. */
  readonly scryptLogN?: number
}

export interface BuyOptions {
  /** Most that this purchase may cost with its fee, wei; else the cap of the settings. */
  readonly spendCapWei?: bigint
  /** Asked before anything is signed; rejects to refuse. Its offer is exactly what will be sent. */
  readonly approve?: (offer: Offer) => Promise<void>
  readonly signal?: AbortSignal
}

export interface Purchased extends Bought {
  /** What was agreed to; undefined when nothing was paid now, for an earlier process had bought the same. */
  readonly offer: Offer | undefined
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
  /** What a purchase would cost, by the chain; sends and writes nothing. */
  quote(wanted: Wanted, signal?: AbortSignal): Promise<Offer>
  /** The purchase that `buy` would give instead of paying, as far as the keyring knows. */
  unacknowledged(wanted: Wanted, signal?: AbortSignal): Promise<PurchaseName | undefined>
  /**
   * Buys; when this resolves the order is on chain. Until the result is acknowledged, buying the same pays nothing and
   * gives the same order, in this process and in later ones: a result that never arrived does not cost twice.
   * @throws ERR_SPEND_CAP | ERR_BALANCE and what `quote` throws; TransactionError; what `approve` rejects with
   */
  buy(wanted: Wanted, options?: BuyOptions): Promise<Purchased>
  /** For what `buy` gave, once it is where it is to go: to buy the same is another wish from now on. */
  acknowledge(purchase: PurchaseName): Promise<void>
  /** Ends what earlier processes left open; nothing new is signed. @returns what has become known by that */
  resume(signal?: AbortSignal): Promise<readonly ResumedPurchase[]>
  /** Credentials of an order: kept ones that have not expired, else the vendor's. @param order id, or its start */
  collect(order: string, options?: CollectOptions): Promise<Credentials>
  orders(signal?: AbortSignal): Promise<readonly OrderView[]>
  /** @param refundTo any account */
  cancel(order: string, refundTo: string, signal?: AbortSignal): Promise<Cancelled>
  /** The encrypted keyring. */
  backup(): Promise<Uint8Array>
  /** Takes in a backup; nothing that the keyring holds is lost. @returns how many orders it then has */
  restore(backup: Uint8Array): Promise<number>
}

/** While one process is between signing and knowing what became of it, no other one of this keyring signs. */
const SPENDING = 'spending'

export const createBuyer = (effects: BuyerEffects, settings: BuyerSettings): Buyer => {
  const { files, clock, chain } = effects
  const keyring = createKeyring(files, effects.random, settings)

  let opened: Market | undefined
  const market = async (signal?: AbortSignal): Promise<Market> =>
    (opened ??= await openMarket(effects, settings.registry, signal))

  const accounts = new Map<Address, Account>()
  const accountOf = ({ chainId }: Market, content: KeyringContent, address: Address): Account => {
    const known = accounts.get(address)
    if (known) return known
    const secret = content.accounts.find((account) => account.address === address)
    if (!secret)
      throw new BuyerError('ERR_ACCOUNT_INVALID', 'the account of this order is not in the keyring: import it')
    const account = createAccount({ chain, clock }, chainId, fromHex(secret.privateKey))
    accounts.set(address, account)
    return account
  }
  const payer = async (on: Market): Promise<Account> => {
    const content = await keyring.read()
    return accountOf(on, content, content.accounts[0]?.address as Address)
  }

  const resumeNow = async (on: Market, signal?: AbortSignal): Promise<ResumedPurchase[]> => {
    const content = await keyring.read()
    return resume(keyring, on, (address) => accountOf(on, content, address), signal)
  }
  const resumeAlone = (on: Market, signal?: AbortSignal): Promise<ResumedPurchase[]> =>
    files.exclusively(SPENDING, () => resumeNow(on, signal))

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
      return (await payer(await market(signal))).balanceWei(signal)
    },

    search: (query, signal) => search(effects, { ...settings, market }, query, signal),

    async show(vendor, signal) {
      return show(effects, await market(signal), vendor, signal)
    },

    async quote(wanted, signal) {
      const on = await market(signal)
      return (await prepare(effects, on, keyring, await payer(on), wanted, signal)).offer
    },

    async unacknowledged(wanted, signal) {
      return findUnacknowledged(await keyring.read(), await market(signal), wanted)
    },

    async buy(wanted, { approve, signal, ...options } = {}) {
      const on = await market(signal)
      const earlier = async (): Promise<Purchased | undefined> => {
        await resumeNow(on, signal)
        const found = findUnacknowledged(await keyring.read(), on, wanted)
        return found && { ...(await readBought(on, found, signal)), offer: undefined }
      }
      const known = await files.exclusively(SPENDING, earlier)
      if (known) return known

      const account = await payer(on)
      const prepared = await prepare(effects, on, keyring, account, wanted, signal)
      const { offer } = prepared
      // Nobody to agree and no cap: nothing may be spent.
      const cap = options.spendCapWei ?? settings.spendCapWei ?? (approve ? undefined : 0n)
      if (cap !== undefined && offer.maxCostWei > cap) throw overCap(offer.maxCostWei, cap)
      await approve?.(offer)
      return files.exclusively(SPENDING, async () => {
        // Another process may have bought the same since.
        const meanwhile = await earlier()
        return meanwhile ?? { ...(await purchase(effects, on, keyring, account, prepared, signal)), offer }
      })
    },

    acknowledge: (bought) => acknowledge(keyring, bought),

    async resume(signal) {
      return resumeAlone(await market(signal), signal)
    },

    async collect(wanted, options = {}) {
      const { signal, refresh } = options
      const order = findOrder(await keyring.read(), wanted)
      const kept = refresh ? undefined : keptCredentials(order, nowSeconds(clock))
      if (kept) return kept
      const on = await market(signal)
      if (order.purchases.some(({ state }) => state === 'signed')) {
        await resumeAlone(on, signal)
      }
      return collect(effects, on, keyring, order.orderId, options)
    },

    async orders(signal) {
      return listOrders(effects, await market(signal), keyring, signal)
    },

    async cancel(wanted, refundTo, signal) {
      const recipient = parseRecipient(refundTo)
      const on = await market(signal)
      return files.exclusively(SPENDING, async () => {
        await resumeNow(on, signal)
        const content = await keyring.read()
        const of = (address: Address) => accountOf(on, content, address)
        return cancel(effects, on, keyring, of, wanted, recipient, signal)
      })
    },

    backup: () => keyring.backup(),
    restore: async (backup) => (await keyring.restore(backup)).orders.length,
  }
}

const overCap = (costWei: bigint, capWei: bigint): BuyerError => {
  const [cost, cap] = [costWei, capWei].map((amount) => formatAmount(amount, NATIVE_DECIMALS))
  const text = `this costs up to ${cost} with its fee, more than the spend cap of ${cap}: raise the cap to buy`
  return new BuyerError('ERR_SPEND_CAP', text)
}
