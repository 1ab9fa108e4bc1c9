/** The registry a buyer deals with, read from the chain itself. */
import { createContractReader, type ContractReader, type Listing, type PlanState } from '../../chain/contracts.ts'
import { ContractRevert } from '../../chain/errors.ts'
import { createRpc, type Rpc } from '../../chain/rpc.ts'
import { ZERO_ADDRESS, type Address } from '../../chain/types.ts'
import { fromHex } from '../../protocol/bytes.ts'
import type { PriceAnchor } from '../../protocol/price.ts'
import { formatVendorUri, parseVendorUri, type VendorUri } from '../../protocol/vendor-uri.ts'
import { BuyerError } from '../errors.ts'
import type { BuyerEffects } from './effects.ts'

export interface Market {
  readonly chainId: bigint
  readonly registry: Address
  /** The contract that the registry vouches for: what money is sent to. */
  readonly payments: Address
  readonly reader: ContractReader
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
  return { chainId, registry, payments: await reader.paymentsOf(registry, 'latest', signal), reader, rpc }
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

/** What a price document of this vendor has to agree with. */
export const anchorOf = (vendor: VendorUri, { vendor: state, plans }: Listing): PriceAnchor => ({
  vendor,
  signingKey: fromHex(state.signingKey),
  encryptionKey: fromHex(state.encryptionKey),
  plans: plans.map(({ token, price, periodSeconds, onSale }, index) => ({
    planId: index + 1,
    token,
    price,
    periodSeconds,
    onSale,
  })),
})

/** The same, read from the registry. @param vendor URI or number */
export const anchorFor = async (market: Market, vendor: string, signal?: AbortSignal): Promise<PriceAnchor> => {
  const uri = vendorIn(market, vendor)
  return anchorOf(uri, await readListing(market, uri, signal))
}

/**
 * A plan that this buyer can buy so many periods of.
 * @throws ERR_PLAN_UNKNOWN | ERR_NOT_FOR_SALE | ERR_TOKEN_UNSUPPORTED | ERR_PERIODS
 */
export const planForSale = ({ vendor, plans }: Listing, planId: number, periods: number): PlanState => {
  const plan = plans[planId - 1]
  if (!plan) throw new BuyerError('ERR_PLAN_UNKNOWN', `the vendor has no plan ${planId}: see \`chrove show\``)
  if (!vendor.active) throw new BuyerError('ERR_NOT_FOR_SALE', 'the vendor takes no new orders at present')
  if (!plan.onSale) throw new BuyerError('ERR_NOT_FOR_SALE', `plan ${planId} is no longer on sale: choose another`)
  if (plan.token !== ZERO_ADDRESS) {
    throw new BuyerError('ERR_TOKEN_UNSUPPORTED', 'this plan is priced in a token; only native coin can be paid so far')
  }
  if (!Number.isSafeInteger(periods) || periods < 1 || periods > plan.maxPeriods) {
    throw new BuyerError('ERR_PERIODS', `this plan sells 1 to ${plan.maxPeriods} periods at once`)
  }
  return plan
}
