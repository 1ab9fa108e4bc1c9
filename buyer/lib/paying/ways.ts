/** Ways to pay for a route: offers that were checked, with the account that pays and what is agreed to. */
import type { CheckedOffers } from '../../../protocol/offers.ts'
import { BuyerError } from '../../errors.ts'
import { AHEAD_REQUESTS, DEPOSIT_REQUESTS, STREAM_AHEAD_BYTES, WAYS_MAX } from '../limits.ts'
import { amountText, checkOffer, type Asset, type CheckedOffer } from './asset.ts'
import type { Asked } from './asked.ts'
import { findPayer, least, most, pin, type Payer } from './book.ts'
import { createChannel } from './channel.ts'
import { buyCredit } from './credit.ts'
import { readBook, updateBook, type PayingKit } from './kit.ts'
import { openNano } from './nano.ts'
import { costOfBytes, parsePrice, type Price } from './price.ts'
import { routeHas } from './route.ts'
import { createTab, type Tab } from './tab.ts'
import { readVendorOffers, vendorOf, type KnownVendor } from './vendors.ts'

export interface Way {
  readonly offers: CheckedOffers
  readonly checked: CheckedOffer
  readonly price: Price
  /** What is counted before the request is sent, smallest unit. */
  readonly amount: bigint
  /** What the request may cost at most: what is agreed to, or for a body by the bit what the cap says. */
  readonly most: bigint | undefined
  /** How far a channel signs ahead. */
  readonly ahead: bigint
  /** What to put in at once. */
  readonly deposit: bigint
  readonly vendor: string
  readonly tab: Tab
}

export interface Ways {
  /** A way that was found for such a request before. */
  known(asked: Asked): Way | undefined
  /**
   * Finds a way to pay, by the offers of a 402.
   * @param give what is given, where the payer chooses
   * @throws ERR_OFFERS_UNTRUSTED | ERR_VENDOR_UNNAMED | ERR_NO_WAY_TO_PAY | ERR_SPEND_CAP and what checking and opening throw
   */
  find(asked: Asked, signed: SignedOffers, give: ((asset: Asset) => bigint) | undefined): Promise<Way>
  forget(way: Way): void
  readonly tabs: () => readonly Tab[]
}

/** Which of several ways is taken, when none of them has an account yet: the one that risks least. */
const PREFERENCE = ['channel', 'nano', 'order'] as const

export const createWays = (kit: PayingKit): Ways => {
  const { settings } = kit
  const ways = new Map<string, Way>()
  const tabs = new Map<string, Promise<Tab>>()
  const opened: Tab[] = []
  /** The most that was approved for a route. */
  const approved = new Map<string, bigint>()

  const termsOf = (
    offers: CheckedOffers,
    checked: CheckedOffer,
    give: ((asset: Asset) => bigint) | undefined,
  ): Pick<Way, 'price' | 'amount' | 'most' | 'ahead' | 'deposit'> => {
    const { asset, offer } = checked
    const price = parsePrice(offer.price, offers.per)
    if (!price) throw new BuyerError('ERR_OFFERS_UNTRUSTED', 'an offer has a price that is no amount')
    const { request: cap } = settings.caps(asset)
    const deposit = settings.deposit?.(asset)
    if (price.per === 'bit') {
      const piece = costOfBytes(price, STREAM_AHEAD_BYTES)
      const amount = cap === undefined ? piece : least(piece, cap)
      return { price, amount, most: cap, ahead: 0n, deposit: deposit ?? piece * 16n }
    }
    if (give && !offers.donation) {
      const text = 'this has a fixed price and takes no gifts: `chrove fetch` pays it'
      throw new BuyerError('ERR_NOTHING_TO_PAY', text)
    }
    const given = give?.(asset)
    const amount = given ?? price.units
    if (amount < price.units) {
      throw new BuyerError('ERR_SPEND_CAP', `at least ${amountText(price.units, asset)} is asked for`)
    }
    if (cap !== undefined && amount > cap) {
      const text = `this costs ${amountText(amount, asset)}, more than the cap of ${amountText(cap, asset)} for a request`
      throw new BuyerError('ERR_SPEND_CAP', `${text}: raise --max-per-request to pay it`)
    }
    const ahead = amount * BigInt(settings.ahead ?? AHEAD_REQUESTS)
    return { price, amount, most: amount, ahead, deposit: deposit ?? amount * BigInt(DEPOSIT_REQUESTS) }
  }

  const agree = async (
    { name: vendor, isDoubtful }: KnownVendor,
    { host }: Asked,
    offers: CheckedOffers,
    { asset }: CheckedOffer,
    amount: bigint,
  ): Promise<void> => {
    const { request, vendor: ofVendor, day } = settings.caps(asset)
    const isBounded = request !== undefined && (ofVendor ?? day) !== undefined
    const key = `${vendor} ${asset.id} ${offers.route}`
    if ((isBounded && !isDoubtful) || (approved.get(key) ?? -1n) >= amount) return
    if (!settings.approve) {
      if (isDoubtful) {
        const text = `only ${host} itself says, over plain HTTP, that it is of ${vendor}: name the vendor if it is right`
        throw new BuyerError('ERR_VENDOR_UNNAMED', text)
      }
      const text = `this costs ${amountText(amount, asset)}, and no cap says that it may: set caps for ${asset.name}`
      throw new BuyerError('ERR_SPEND_CAP', text)
    }
    const per = offers.donation ? 'donation' : offers.per
    await settings.approve({ kind: 'price', vendor, isDoubtful, host, route: offers.route, asset, amount, per })
    approved.set(key, amount)
  }

  const open = (vendor: string, checked: CheckedOffer, amount: bigint, deposit: bigint, signal?: AbortSignal) => {
    const { asset, offer } = checked
    const key = `${vendor} ${asset.id} ${offer.scheme} ${offer.serviceAccount}`
    const known = tabs.get(key)
    if (known) return known
    const opening = openPayer(vendor, checked, amount, deposit, signal).then((payer) => {
      const tab = createTab(kit, checked, payer)
      opened.push(tab)
      return tab
    })
    tabs.set(key, opening)
    opening.catch(() => tabs.delete(key))
    return opening
  }

  const openPayer = async (
    vendor: string,
    checked: CheckedOffer,
    amount: bigint,
    deposit: bigint,
    signal?: AbortSignal,
  ): Promise<Payer> => {
    const known = findPayer(await readBook(kit), payerName(vendor, checked))
    if (known) return known
    const { offer, asset } = checked
    if (offer.scheme === 'nano') return openNano(kit, vendor, checked)
    if (offer.scheme === 'channel') return createChannel(kit, vendor, asset, offer.withdrawDelayMinSeconds)
    return buyCredit(kit, vendor, checked, undefined, most(amount, 1n), deposit, {}, signal)
  }

  return {
    known(asked) {
      return [...ways.values()].findLast(
        ({ offers }) => offers.host === asked.host && routeHas(offers.route, asked.method, asked.url.pathname),
      )
    },

    async find(asked, signed, give) {
      const { signal } = asked
      const { vendor, offers, choices } = await readChoices(kit, asked, signed)
      let refusal: unknown
      for (const checked of choices) {
        try {
          const terms = termsOf(offers, checked, give)
          await agree(vendor, asked, offers, checked, terms.amount)
          const tab = await open(vendor.name, checked, terms.amount, terms.deposit, signal)
          await updateBook(kit, (book) =>
            book.pins.some(({ host, vendor: of }) => host === asked.host && of === vendor.name)
              ? book
              : pin(book, asked.host, vendor.name),
          )
          const way: Way = { offers, checked, ...terms, vendor: vendor.name, tab }
          if (give === undefined) remember(ways, `${asked.host} ${offers.route}`, way)
          return way
        } catch (error) {
          if (!(error instanceof BuyerError) || (error.code !== 'ERR_SPEND_CAP' && error.code !== 'ERR_BALANCE'))
            throw error
          refusal ??= error
        }
      }
      if (refusal !== undefined) throw refusal as Error
      throw new BuyerError('ERR_NO_WAY_TO_PAY', 'none of the ways that this service offers can be paid from here')
    },

    forget(way) {
      for (const [key, each] of ways) if (each === way) ways.delete(key)
    },

    tabs: () => opened,
  }
}

/** A JWS of which nothing is checked yet. */
export interface SignedOffers {
  readonly payload: string
}

export interface Choices {
  readonly vendor: KnownVendor
  readonly offers: CheckedOffers
  /** What can be paid from here, the best first. */
  readonly choices: readonly CheckedOffer[]
}

/**
 * Reads the offers of a 402 to a request, held against the registry.
 * @throws ERR_OFFERS_UNTRUSTED | ERR_VENDOR_UNNAMED | ERR_NO_WAY_TO_PAY; ProtocolError; ChainError
 */
export const readChoices = async (
  kit: PayingKit,
  asked: Pick<Asked, 'url' | 'method' | 'signal'>,
  signed: SignedOffers,
): Promise<Choices> => {
  const { market, settings, effects } = kit
  const { url, method, signal } = asked
  const book = await readBook(kit)
  const vendor = await vendorOf(market, book, url, settings.vendor, signed, signal)
  const offers = await readVendorOffers(effects, market, vendor, url, signed, signal)
  if (!routeHas(offers.route, method, url.pathname)) {
    throw new BuyerError('ERR_OFFERS_UNTRUSTED', 'these offers are of another route than was asked for')
  }
  const all = await Promise.all(offers.offers.map((offer) => checkOffer(market, vendor.uri, offer, signal)))
  const payable = all
    .filter((each) => each !== undefined)
    .filter(({ offer }) => offer.scheme !== 'nano' || settings.nano)
  const rank = (checked: CheckedOffer): number =>
    (findPayer(book, payerName(vendor.name, checked)) ? 0 : PREFERENCE.length) +
    PREFERENCE.indexOf(checked.offer.scheme)
  return { vendor, offers, choices: payable.toSorted((a, b) => rank(a) - rank(b)) }
}

export const payerName = (vendor: string, { offer, asset }: CheckedOffer) => ({
  vendor,
  asset: asset.id,
  scheme: offer.scheme,
  serviceAccount: offer.serviceAccount,
})

const remember = (ways: Map<string, Way>, key: string, way: Way): void => {
  ways.delete(key)
  ways.set(key, way)
  for (const [oldest] of ways) {
    if (ways.size <= WAYS_MAX) return
    ways.delete(oldest)
  }
}
