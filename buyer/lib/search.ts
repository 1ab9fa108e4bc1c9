/** Finding vendors: through a directory, or from the contract alone. */
import type { Settlement } from '../../chain/abi.ts'
import { parseAddress, type Address } from '../../chain/types.ts'
import { nowSeconds } from '../../effects/clock.ts'
import { pricePerDay } from '../../protocol/amount.ts'
import type { DirectoryVendor, Observed } from '../../protocol/directory/answers.ts'
import { isContractCursor, searchContract } from './contract-search.ts'
import { createDirectory, refuseOther } from './directory.ts'
import type { BuyerEffects } from './effects.ts'
import { readTokens, type Market, type TokenBook } from './market.ts'
import {
  fromDirectory,
  ifReachable,
  isDirectoryError,
  type FromContract,
  type FromDirectory,
  type Origin,
} from './origin.ts'
import { wishOf, type SearchQuery, type Wish } from './wish.ts'

export interface FoundPlan {
  readonly planId: number
  readonly title: string
  /** Undefined: the native coin. */
  readonly token: Address | undefined
  /** Smallest units for one period. */
  readonly price: bigint
  readonly periodSeconds: number
  /** Smallest units for 86,400 seconds, rounded up. */
  readonly pricePerDay: bigint
  readonly maxPeriods: number
  readonly settlement: Settlement
}

/** A vendor that takes orders, with its plans that fit; the words are the vendor's own, made safe to show. */
export interface Found {
  /** Vendor URI. */
  readonly vendor: string
  readonly title: string
  readonly description: string
  readonly serviceTypes: readonly string[]
  readonly regions: readonly string[]
  readonly plans: readonly FoundPlan[]
  /** How many plans fit, of which `plans` may be the first. */
  readonly planTotal: number
  /** What only a directory can tell. */
  readonly observed?: Observed
}

/** A page of what was found. */
export interface Page {
  readonly found: readonly Found[]
  /** How many there are on all pages. */
  readonly total: number
  /** For `after` of the next page, if there is one. */
  readonly next: string | undefined
  /** Whether all vendors were looked at; in a directory's own words if it is the source. */
  readonly complete: boolean
  /** Members of the query that the source can tell nothing of: they were left out of account. */
  readonly ignored: readonly ('reachable' | 'verified' | 'order')[]
}

export type SearchResult = Origin &
  Page & {
    /** What the tokens are that plans are priced in, as far as the chain could be asked. */
    readonly tokens: TokenBook
  }

export interface SearchSettings {
  readonly directory?: string
  readonly registry?: Address
  /** Opens the market when the contract has to be read. */
  market(signal?: AbortSignal): Promise<Market>
}

type Effects = Pick<BuyerEffects, 'clock' | 'network' | 'log'>

/**
 * Searches the directory, and the contract when there is none, or it fails. From a place that only the directory knows,
 * `after`, nobody else can go on: then its failure is the result.
 * @throws ERR_SEARCH_INVALID | ERR_CURSOR; with `after`, what `Directory` throws; ChainError when the contract cannot be
 * read either
 */
export const search = async (
  effects: Effects,
  settings: SearchSettings,
  query: SearchQuery,
  signal?: AbortSignal,
): Promise<SearchResult> => {
  const result = await searchAnywhere(effects, settings, wishOf(query), signal)
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
  const read = async () => readTokens(await settings.market(signal), tokens, signal)
  return (await ifReachable(read, signal)) ?? new Map()
}

const searchAnywhere = async (
  effects: Effects,
  settings: SearchSettings,
  wish: Wish,
  signal?: AbortSignal,
): Promise<Origin & Page> => {
  const readContract = async (why: Omit<FromContract, 'source'>): Promise<FromContract & Page> => ({
    source: 'contract',
    ...why,
    ...(await searchContract(await settings.market(signal), wish, signal)),
  })
  if (settings.directory === undefined) return readContract({ because: 'ERR_DIRECTORY_UNSET' })
  if (isContractCursor(wish.after)) return readContract({ because: 'ERR_CURSOR_OF_CONTRACT' })
  try {
    return await askDirectory(effects, { ...settings, directory: settings.directory }, wish, signal)
  } catch (error) {
    if (!isDirectoryError(error)) throw error
    effects.log.warn('directory-failed', { code: error.code })
    if (wish.after !== undefined) throw error
    return readContract({ because: error.code, directoryFault: error.message })
  }
}

const askDirectory = async (
  effects: Effects,
  settings: SearchSettings & { readonly directory: string },
  wish: Wish,
  signal?: AbortSignal,
): Promise<FromDirectory & Page> => {
  const lookAtChain = async () => {
    const market = await settings.market(signal)
    return { market, head: await market.rpc.block('latest', signal) }
  }
  const about = settings.registry === undefined ? {} : { registry: settings.registry }
  const [{ meta, vendors, total, next }, seen] = await Promise.all([
    createDirectory(effects, settings.directory, about).vendors(wish, signal),
    ifReachable(lookAtChain, signal),
  ])
  if (seen) refuseOther(meta, seen.market)
  const origin = fromDirectory(meta, nowSeconds(effects.clock), seen?.head)
  const complete = meta.complete && meta.gapCount === 0
  return { ...origin, found: vendors.map(foundOf), total, next, complete, ignored: [] }
}

const foundOf = ({ vendor, profile, plans, planTotal, observed }: DirectoryVendor): Found => ({
  vendor,
  ...profile,
  plans: plans.map(({ onSale: _onSale, token, ...plan }) => ({
    ...plan,
    token: token && parseAddress(token),
    pricePerDay: pricePerDay(plan.price, plan.periodSeconds),
  })),
  planTotal,
  observed,
})
