/** All there is to know of one vendor before buying: what the chain says, and whether its servers agree. */
import type { EndpointReport } from '../../protocol/examine-endpoint.ts'
import { formatVendorUri } from '../../protocol/vendor-uri.ts'
import type { BuyerEffects } from './effects.ts'
import { anchorOf, readPricedListing, vendorIn, type Market, type PricedListing } from './market.ts'
import { askEndpoints } from './price-of-vendor.ts'
import { readProfile, type Profile } from '../../protocol/profile.ts'

export interface VendorView {
  /** Vendor URI. */
  readonly vendor: string
  readonly listing: PricedListing
  readonly profile: Profile
  /** Endpoints in the vendor's order, up to the first whose price document is acceptable. */
  readonly endpoints: readonly EndpointReport[]
}

/** Reads the listing and examines the vendor's price document against it. */
export const show = async (
  effects: Pick<BuyerEffects, 'clock' | 'network' | 'jose'>,
  market: Market,
  vendor: string,
  signal?: AbortSignal,
): Promise<VendorView> => {
  const uri = vendorIn(market, vendor)
  const listing = await readPricedListing(market, uri, signal)
  const endpoints = listing.vendor.endpoints.map(({ text }) => text)
  return {
    vendor: formatVendorUri(uri),
    listing,
    profile: readProfile(listing.vendor.profile),
    endpoints: await askEndpoints(effects, endpoints, anchorOf(uri, listing), signal),
  }
}
