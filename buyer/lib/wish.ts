/** What a buyer looks for, said once for a directory and for the contract. */
import { ZERO_ADDRESS, type Address } from '../../chain/types.ts'
import { phrasesOf, SEARCH_BOUNDS } from '../../protocol/words.ts'
import { BuyerError } from '../errors.ts'
import { FOUND_MAX } from './limits.ts'

/** `price`: the cheapest day first; `volume`: most paid, less refunds; `age`: the oldest; `uptime`: most often verified. */
export const searchOrders = ['price', 'volume', 'age', 'uptime'] as const
export type SearchOrder = (typeof searchOrders)[number]

export interface SearchQuery {
  /** Words that all must begin a word of what a vendor says of itself and its plans. */
  readonly text?: string
  readonly serviceType?: string
  readonly region?: string
  /** Plans in this token; zero for the coin. */
  readonly token?: Address
  /** Smallest units of `token` for 86,400 seconds; of the coin when no token is given, as prices compare within one only. */
  readonly maxPricePerDay?: bigint
  /** Vendors that answered a directory, or whose price document held, when it last asked. */
  readonly reachable?: boolean
  readonly verified?: boolean
  /** Of `price` and `volume` in `token`, or else in the coin. Left out: by how well the words match, else by id. */
  readonly order?: SearchOrder
  /** 1 to 100; 100 when left out. */
  readonly limit?: number
  /** `next` of an earlier result of the same query. */
  readonly after?: string
}

/** A query that can be asked. */
export interface Wish extends SearchQuery {
  /** Words of `text` as they are sought; none for all vendors. */
  readonly phrases: readonly (readonly string[])[]
  readonly limit: number
  /** What prices and volumes are compared in; zero for the coin. */
  readonly comparedIn: Address
}

/** @throws ERR_SEARCH_INVALID */
export const wishOf = (query: SearchQuery): Wish => {
  const phrases = phrasesOf(query.text ?? '')
  if (!phrases) throw new BuyerError('ERR_SEARCH_INVALID', SEARCH_BOUNDS)
  const comparedIn = query.token ?? ZERO_ADDRESS
  const needsToken = query.maxPricePerDay !== undefined || query.order === 'price'
  return {
    ...query,
    ...(needsToken && { token: comparedIn }),
    phrases,
    comparedIn,
    limit: Math.min(Math.max(query.limit ?? FOUND_MAX, 1), FOUND_MAX),
  }
}
