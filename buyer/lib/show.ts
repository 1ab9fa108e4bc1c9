/**
 * All there is to know of one vendor before buying: what the chain says, whether its servers agree, and what a directory
 * has seen of it. Nothing that matters for money is taken from a directory.
 */
import { nowSeconds } from '../../effects/clock.ts'
import type { Observed } from '../../protocol/directory/answers.ts'
import type { EndpointReport } from '../../protocol/examine-endpoint.ts'
import { readProfile, type Profile } from '../../protocol/profile.ts'
import { formatVendorUri } from '../../protocol/vendor-uri.ts'
import { BuyerError } from '../errors.ts'
import { createDirectory } from './directory.ts'
import type { BuyerEffects } from './effects.ts'
import { anchorOf, readPricedListing, vendorIn, type Market, type PricedListing } from './market.ts'
import {
  fromDirectory,
  holdAgainst,
  ifReachable,
  isDirectoryError,
  type FromContract,
  type FromDirectory,
} from './origin.ts'
import { askEndpoints } from './price-of-vendor.ts'

/** `source`: whether a directory could add what it has seen; the rest is from the contract in any case. */
export type VendorView = ((FromDirectory & { readonly observed: Observed }) | FromContract) & {
  /** Vendor URI. */
  readonly vendor: string
  readonly listing: PricedListing
  readonly profile: Profile
  /** Endpoints in the vendor's order, up to the first whose price document is acceptable. */
  readonly endpoints: readonly EndpointReport[]
}

type Effects = Pick<BuyerEffects, 'clock' | 'network' | 'jose' | 'log'>

/**
 * Reads the listing, examines the vendor's price document against it, and asks the directory.
 * @param directory its URL, if there is one
 */
export const show = async (
  effects: Effects,
  market: Market,
  directory: string | undefined,
  vendor: string,
  signal?: AbortSignal,
): Promise<VendorView> => {
  const uri = vendorIn(market, vendor)
  const listing = await readPricedListing(market, uri, signal)
  const registered = listing.vendor.endpoints.map(({ text }) => text)
  const [endpoints, seen] = await Promise.all([
    askEndpoints(effects, registered, anchorOf(uri, listing), signal),
    askDirectory(effects, market, directory, uri.vendorId, listing, signal),
  ])
  return { ...seen, vendor: formatVendorUri(uri), listing, profile: readProfile(listing.vendor.profile), endpoints }
}

const askDirectory = async (
  effects: Effects,
  market: Market,
  url: string | undefined,
  vendorId: bigint,
  listing: PricedListing,
  signal?: AbortSignal,
): Promise<(FromDirectory & { readonly observed: Observed }) | FromContract> => {
  if (url === undefined) return { source: 'contract', because: 'ERR_DIRECTORY_UNSET' }
  try {
    const directory = createDirectory(effects, url, market)
    const [{ meta, vendor }, head] = await Promise.all([
      directory.vendor(vendorId, signal),
      ifReachable(() => market.rpc.block('latest', signal), signal),
    ])
    if (!vendor) throw new BuyerError('ERR_DIRECTORY_VENDOR_UNKNOWN', 'the directory does not know this vendor')
    const origin = fromDirectory(meta, nowSeconds(effects.clock), head)
    const warnings = [...origin.warnings, ...holdAgainst(listing, vendor)]
    return { ...origin, warnings, observed: vendor.observed }
  } catch (error) {
    if (!isDirectoryError(error)) throw error
    effects.log.warn('directory-failed', { code: error.code })
    return { source: 'contract', because: error.code, directoryFault: error.message }
  }
}
