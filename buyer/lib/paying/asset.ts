/** What offers are in: found out from the chain, for a vendor may call any token by any name. */
import { shortAddress } from '../../../chain/token.ts'
import { ZERO_ADDRESS, type Address } from '../../../chain/types.ts'
import { formatAmount, NATIVE_DECIMALS } from '../../../protocol/amount.ts'
import type { Offer } from '../../../protocol/offers.ts'
import { BuyerError } from '../../errors.ts'
import { readListing, type Market } from '../market.ts'
import type { VendorUri } from '../../../protocol/vendor-uri.ts'

export interface Asset {
  /** `eip155:1/coin`, `eip155:1/0x…` or `nano`. */
  readonly id: string
  /** As caps name it: `coin`, a token's address, or `nano`. */
  readonly name: string
  readonly decimals: number
  /** For people; of a token its own word and its address. */
  readonly label: string
  /** Zero for a coin; undefined for what is on no EVM chain. */
  readonly token: Address | undefined
}

/** An amount with its asset. */
export const amountText = (amount: bigint, { decimals, label }: Asset): string =>
  `${amount < 0n ? '-' : ''}${formatAmount(amount < 0n ? -amount : amount, decimals)} ${label}`

const NANO_DECIMALS = 30
const NANO: Asset = { id: 'nano', name: 'nano', decimals: NANO_DECIMALS, label: 'NANO', token: undefined }

/** @throws ERR_TOKEN_INVALID where a token does not tell its decimals */
const assetOfToken = async (market: Market, token: Address, signal?: AbortSignal): Promise<Asset> => {
  const chain = `eip155:${market.chainId}`
  if (token === ZERO_ADDRESS) {
    return { id: `${chain}/coin`, name: 'coin', decimals: NATIVE_DECIMALS, label: 'coin', token }
  }
  const { symbol, decimals } = await market.tokens.facts(token, signal)
  if (decimals === undefined)
    throw new BuyerError('ERR_TOKEN_INVALID', `this token does not tell its decimals: ${token}`)
  const label = symbol === undefined ? shortAddress(token) : `${symbol} (${shortAddress(token)})`
  return { id: `${chain}/${token}`, name: token, decimals, label, token }
}

/** The asset of one of the book's ids; undefined for one of another chain. */
export const assetOfId = async (market: Market, id: string, signal?: AbortSignal): Promise<Asset | undefined> => {
  if (id === NANO.id) return NANO
  const [chain, name = ''] = id.split('/')
  if (chain !== `eip155:${market.chainId}`) return undefined
  return assetOfToken(market, name === 'coin' ? ZERO_ADDRESS : (name as Address), signal)
}

/** An offer whose money goes where the registry of this market says, in an asset that is what it says. */
export interface CheckedOffer {
  readonly offer: Exclude<Offer, { scheme: 'x402' }>
  readonly asset: Asset
  /** Of an order: the plan that credit is bought by, and what a period of it costs. */
  readonly plan: { readonly planId: number; readonly price: bigint; readonly maxPeriods: number } | undefined
}

/**
 * @returns undefined for a scheme that is not paid from here
 * @throws ERR_OFFERS_UNTRUSTED when it would lead the money elsewhere, or counts it in other units; ChainError
 */
export const checkOffer = async (
  market: Market,
  vendor: VendorUri,
  offer: Offer,
  signal?: AbortSignal,
): Promise<CheckedOffer | undefined> => {
  if (offer.scheme === 'x402') return undefined
  if (offer.scheme === 'nano') return decimalsHold({ offer, asset: NANO, plan: undefined })
  const { chainId, vendorId, serviceAccount } = offer
  if (BigInt(chainId) !== market.chainId || BigInt(vendorId) !== vendor.vendorId) {
    throw untrusted('another chain or vendor than it is signed by')
  }
  if (serviceAccount.toLowerCase() !== market.payments)
    throw untrusted('another contract than the registry vouches for')
  if (offer.scheme === 'channel') {
    if (offer.payments !== market.payments) throw untrusted('another contract than the registry vouches for')
    return decimalsHold({ offer, asset: await assetOfToken(market, offer.token as Address, signal), plan: undefined })
  }
  if (offer.registry !== market.registry) throw untrusted('another registry')
  const { plans } = await readListing(market, vendor, signal)
  for (const planId of offer.planIds) {
    const plan = plans[planId - 1]
    if (!plan?.onSale || plan.settlement !== 'Instant' || plan.price === 0n) continue
    const { price, maxPeriods, token } = plan
    return decimalsHold({
      offer,
      asset: await assetOfToken(market, token, signal),
      plan: { planId, price, maxPeriods },
    })
  }
  return undefined
}

const decimalsHold = (checked: CheckedOffer): CheckedOffer => {
  if (checked.offer.decimals === checked.asset.decimals) return checked
  throw untrusted('amounts of other decimals than its currency has')
}

const untrusted = (what: string) => new BuyerError('ERR_OFFERS_UNTRUSTED', `an offer of this vendor is about ${what}`)
