/** The registry a buyer deals with, read from the chain itself. */
import { createContractReader, type ContractReader, type Listing, type PlanState } from '../../chain/contracts.ts'
import { ContractRevert } from '../../chain/errors.ts'
import { createRpc, type Rpc } from '../../chain/rpc.ts'
import { createTokenReader, type TokenFacts, type TokenReader } from '../../chain/token.ts'
import { ZERO_ADDRESS, type Address } from '../../chain/types.ts'
import { ChainError } from '../../effects/chain.ts'
import { fromHex } from '../../protocol/bytes.ts'
import type { PriceAnchor } from '../../protocol/price.ts'
import { formatVendorUri, parseVendorUri, type VendorUri } from '../../protocol/vendor-uri.ts'
import { BuyerError } from '../errors.ts'
import type { BuyerEffects } from './effects.ts'
import { TOKENS_READ_MAX } from './limits.ts'

export interface Market {
  readonly chainId: bigint
  readonly registry: Address
  /** The contract that the registry vouches for: what money is sent to. */
  readonly payments: Address
  readonly reader: ContractReader
  readonly tokens: TokenReader
  readonly rpc: Rpc
}

/** Reads which chain this is and where its payments go. */
export const openMarket = async (
  { chain }: Pick<BuyerEffects, 'chain'>,
  registry: Address | undefined,
  signal?: AbortSignal,
): Promise<Market> => {
  if (!registry) {
    const how = 'give --registry ADDRESS, CHROVE_REGISTRY, or run `chrove init --registry ADDRESS`'
    throw new BuyerError('ERR_REGISTRY_MISSING', `no registry is set: ${how}`)
  }
  const rpc = createRpc(chain)
  const reader = createContractReader(chain)
  const chainId = await rpc.chainId(signal)
  const payments = await reader.paymentsOf(registry, 'latest', signal)
  return { chainId, registry, payments, reader, tokens: createTokenReader(chain), rpc }
}

/**
 * The vendor that a text names: its URI, or its number in this market.
 * @throws ERR_VENDOR_URI_INVALID | ERR_OTHER_CHAIN | ERR_OTHER_REGISTRY
 */
export const vendorIn = ({ chainId, registry }: Pick<Market, 'chainId' | 'registry'>, text: string): VendorUri => {
  const uri = /^[1-9]\d{0,19}$/.test(text)
    ? parseVendorUri(formatVendorUri({ chainId, registry, vendorId: BigInt(text) }))
    : parseVendorUri(text)
  if (uri.chainId !== chainId) {
    throw new BuyerError('ERR_OTHER_CHAIN', `this vendor is on chain ${uri.chainId}: give the --rpc of a node of it`)
  }
  if (uri.registry !== registry) {
    throw new BuyerError(
      'ERR_OTHER_REGISTRY',
      'this vendor is in another registry: give --registry if you trust that one',
    )
  }
  return uri
}

/** @throws ERR_VENDOR_UNKNOWN | ChainError */
export const readListing = async (market: Market, { vendorId }: VendorUri, signal?: AbortSignal): Promise<Listing> => {
  try {
    return await market.reader.listing(market.registry, vendorId, 'latest', signal)
  } catch (cause) {
    if (cause instanceof ContractRevert && cause.reason === 'VendorRegistry_UnknownVendor') {
      throw new BuyerError('ERR_VENDOR_UNKNOWN', 'the registry has no such vendor', { cause })
    }
    throw cause
  }
}

/** What tokens say of themselves, by their addresses. */
export type TokenBook = ReadonlyMap<Address, TokenFacts>

/**
 * Asks tokens what they are, to show amounts and not to pay them: one that fails, or keeps the node busy, is left out.
 * @param tokens zero for the native coin, of which there is nothing to ask
 */
export const readTokens = async (
  market: Market,
  tokens: readonly Address[],
  signal?: AbortSignal,
): Promise<TokenBook> => {
  const different = [...new Set(tokens)].filter((token) => token !== ZERO_ADDRESS).slice(0, TOKENS_READ_MAX)
  const read = async (token: Address): Promise<TokenFacts | undefined> => {
    try {
      return await market.tokens.facts(token, signal)
    } catch (error) {
      if (error instanceof ChainError) return undefined
      throw error
    }
  }
  const facts = (await Promise.all(different.map(read))).filter((each) => each !== undefined)
  return new Map(facts.map((each) => [each.address, each]))
}

/** A listing, and what the tokens are that its plans on sale are priced in. */
export interface PricedListing extends Listing {
  readonly tokens: TokenBook
}

/** @throws ERR_VENDOR_UNKNOWN | ChainError */
export const readPricedListing = async (
  market: Market,
  vendor: VendorUri,
  signal?: AbortSignal,
): Promise<PricedListing> => {
  const listing = await readListing(market, vendor, signal)
  const paidIn = listing.plans.filter(({ onSale }) => onSale).map(({ token }) => token)
  return { ...listing, tokens: await readTokens(market, paidIn, signal) }
}

/** What a price document of this vendor has to agree with. */
export const anchorOf = (vendor: VendorUri, { vendor: state, plans, tokens }: PricedListing): PriceAnchor => ({
  vendor,
  signingKey: fromHex(state.signingKey),
  encryptionKey: fromHex(state.encryptionKey),
  plans: plans.map(({ token, price, periodSeconds, onSale }, index) => ({
    planId: index + 1,
    token,
    decimals: tokens.get(token)?.decimals,
    price,
    periodSeconds,
    onSale,
  })),
})

/**
 * A plan that this buyer can buy so many periods of.
 * @throws ERR_PLAN_UNKNOWN | ERR_NOT_FOR_SALE | ERR_PERIODS
 */
export const planForSale = ({ vendor, plans }: Listing, planId: number, periods: number): PlanState => {
  const plan = plans[planId - 1]
  if (!plan) throw new BuyerError('ERR_PLAN_UNKNOWN', `the vendor has no plan ${planId}: see \`chrove show\``)
  if (!vendor.active) throw new BuyerError('ERR_NOT_FOR_SALE', 'the vendor takes no new orders at present')
  if (!plan.onSale) throw new BuyerError('ERR_NOT_FOR_SALE', `plan ${planId} is no longer on sale: choose another`)
  if (!Number.isSafeInteger(periods) || periods < 1 || periods > plan.maxPeriods) {
    throw new BuyerError('ERR_PERIODS', `this plan sells 1 to ${plan.maxPeriods} periods at once`)
  }
  return plan
}
