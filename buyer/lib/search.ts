/** Finding vendors: through a directory, or from the contract alone. */
import type { Settlement } from '../../chain/abi.ts'
import { ZERO_ADDRESS, type Address } from '../../chain/types.ts'
import { formatVendorUri } from '../../protocol/vendor-uri.ts'
import { BuyerError } from '../errors.ts'
import { searchDirectory } from './directory.ts'
import type { BuyerEffects } from './effects.ts'
import { CONTRACT_SEARCH_AT_ONCE, CONTRACT_SEARCH_MAX, FOUND_MAX } from './limits.ts'
import { readTokens, type Market, type TokenBook } from './market.ts'
import { readProfile } from '../../protocol/profile.ts'

export interface SearchQuery {
  /** Words that all must occur in title, description, service types or regions. */
  readonly text?: string
  readonly serviceType?: string
  readonly region?: string
  /** 1 to 100. */
  readonly limit?: number
}

export interface FoundPlan {
  readonly planId: number
  readonly title: string
  /** Undefined: the native coin. */
  readonly token: Address | undefined
  /** Smallest units for one period. */
  readonly price: bigint
  readonly periodSeconds: number
  readonly maxPeriods: number
  readonly settlement: Settlement
}

/** A vendor that takes orders, with its plans on sale; the words are the vendor's own, made safe to show. */
export interface Found {
  /** Vendor URI. */
  readonly vendor: string
  readonly title: string
  readonly description: string
  readonly serviceTypes: readonly string[]
  readonly regions: readonly string[]
  readonly plans: readonly FoundPlan[]
}

export interface SearchResult {
  readonly source: 'directory' | 'contract'
  readonly found: readonly Found[]
  /** What the tokens are that plans are priced in, as far as the chain could be asked. */
  readonly tokens: TokenBook
  /** How many there are, of which `found` may be the first. */
  readonly total: number
  /** Whether all vendors were looked at, provably. */
  readonly complete: boolean
  /** Why a directory that is set was not used. */
  readonly directoryFault?: string
}

export interface SearchSettings {
  readonly directory?: string
  readonly registry?: Address
  /** Opens the market when the contract has to be read. */
  market(signal?: AbortSignal): Promise<Market>
}

/**
 * Searches the directory, and the contract when there is none, or it fails.
 * @throws ChainError when the contract cannot be read either
 */
export const search = async (
  effects: Pick<BuyerEffects, 'network' | 'log'>,
  settings: SearchSettings,
  query: SearchQuery,
  signal?: AbortSignal,
): Promise<SearchResult> => {
  const result = await searchAnywhere(effects, settings, query, signal)
  return { ...result, tokens: await tokensOf(settings, result.found, signal) }
}

/** A directory is not asked, for it could say of any token that it is worth more than it is. */
const tokensOf = async (
  settings: SearchSettings,
  found: readonly Found[],
  signal?: AbortSignal,
): Promise<TokenBook> => {
  const tokens = found.flatMap(({ plans }) => plans).flatMap(({ token }) => token ?? [])
  if (tokens.length === 0) return new Map()
  try {
    return await readTokens(await settings.market(signal), tokens, signal)
  } catch (error) {
    // A directory can be searched without a chain.
    if (signal?.aborted || !(error as { code?: string }).code) throw error
    return new Map()
  }
}

const searchAnywhere = async (
  effects: Pick<BuyerEffects, 'network' | 'log'>,
  settings: SearchSettings,
  query: SearchQuery,
  signal?: AbortSignal,
): Promise<Omit<SearchResult, 'tokens'>> => {
  const bounded = { ...query, limit: Math.min(Math.max(query.limit ?? FOUND_MAX, 1), FOUND_MAX) }
  if (settings.directory === undefined) return searchContract(await settings.market(signal), bounded, signal)
  try {
    const answer = await searchDirectory(effects, settings.directory, bounded, settings.registry, signal)
    return { source: 'directory', ...answer }
  } catch (error) {
    if (!(error instanceof BuyerError)) throw error
    effects.log.warn('directory-failed', { code: error.code })
    const result = await searchContract(await settings.market(signal), bounded, signal)
    return { ...result, directoryFault: error.message }
  }
}

const searchContract = async (
  market: Market,
  query: SearchQuery & { readonly limit: number },
  signal?: AbortSignal,
): Promise<Omit<SearchResult, 'tokens'>> => {
  const count = Number(await market.reader.vendorCount(market.registry, 'latest', signal))
  const ids = Array.from({ length: Math.min(count, CONTRACT_SEARCH_MAX) }, (_, index) => BigInt(index + 1))
  const matching: Found[] = []
  for (let start = 0; start < ids.length; start += CONTRACT_SEARCH_AT_ONCE) {
    const some = ids.slice(start, start + CONTRACT_SEARCH_AT_ONCE)
    const read = await Promise.all(some.map((vendorId) => readVendor(market, vendorId, signal)))
    matching.push(...read.filter((vendor) => vendor !== undefined).filter((vendor) => matches(vendor, query)))
  }
  const found = matching.slice(0, query.limit)
  return { source: 'contract', found, total: matching.length, complete: count <= CONTRACT_SEARCH_MAX }
}

const readVendor = async (market: Market, vendorId: bigint, signal?: AbortSignal): Promise<Found | undefined> => {
  const { vendor, plans } = await market.reader.listing(market.registry, vendorId, 'latest', signal)
  const onSale = plans
    .map(({ title, token, ...plan }, index) => ({
      planId: index + 1,
      title: title.text,
      token: token === ZERO_ADDRESS ? undefined : token,
      price: plan.price,
      periodSeconds: plan.periodSeconds,
      maxPeriods: plan.maxPeriods,
      settlement: plan.settlement,
      onSale: plan.onSale,
    }))
    .filter((plan) => plan.onSale)
    .map(({ onSale: _onSale, ...plan }) => plan)
  if (!vendor.active || onSale.length === 0) return undefined
  const uri = formatVendorUri({ chainId: market.chainId, registry: market.registry, vendorId })
  // The same members as a directory's answer has.
  const { title, description, serviceTypes, regions } = readProfile(vendor.profile)
  return { vendor: uri, title, description, serviceTypes, regions, plans: onSale }
}

const matches = (
  { title, description, serviceTypes, regions }: Found,
  { text = '', serviceType, region }: SearchQuery,
): boolean => {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean)
  const said = [title, description, ...serviceTypes, ...regions].join('\n').toLowerCase()
  return (
    words.every((word) => said.includes(word)) &&
    (serviceType === undefined || serviceTypes.includes(serviceType.toLowerCase())) &&
    (region === undefined || regions.includes(region.toLowerCase()))
  )
}
