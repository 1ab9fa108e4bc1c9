/** Finding vendors without a directory: reading them all from the contract, as far as that goes. */
import { ZERO_ADDRESS } from '../../chain/types.ts'
import { pricePerDay } from '../../protocol/amount.ts'
import { readProfile } from '../../protocol/profile.ts'
import { formatVendorUri } from '../../protocol/vendor-uri.ts'
import { distanceFrom } from '../../protocol/words.ts'
import { BuyerError } from '../errors.ts'
import { CONTRACT_SEARCH_AT_ONCE, CONTRACT_SEARCH_MAX, FOUND_PLANS_MAX } from './limits.ts'
import type { Market } from './market.ts'
import type { Found, FoundPlan, Page } from './search.ts'
import type { Wish } from './wish.ts'

/** Marks a place in a list that was read from the contract: its last vendor. */
const CURSOR = /^contract:([1-9]\d{0,19})$/

export const isContractCursor = (after: string | undefined): boolean => after !== undefined && CURSOR.test(after)

interface Candidate {
  readonly vendorId: bigint
  readonly found: Found
  readonly distance: number
}

/**
 * Reads the contract. What only a directory knows is left out of account, and named in `ignored`.
 * @throws ERR_CURSOR; ChainError
 */
export const searchContract = async (market: Market, wish: Wish, signal?: AbortSignal): Promise<Page> => {
  const count = Number(await market.reader.vendorCount(market.registry, 'latest', signal))
  const ids = Array.from({ length: Math.min(count, CONTRACT_SEARCH_MAX) }, (_, index) => BigInt(index + 1))
  const matching: Candidate[] = []
  for (let start = 0; start < ids.length; start += CONTRACT_SEARCH_AT_ONCE) {
    const some = ids.slice(start, start + CONTRACT_SEARCH_AT_ONCE)
    const read = await Promise.all(some.map((vendorId) => readCandidate(market, vendorId, wish, signal)))
    matching.push(...read.filter((candidate) => candidate !== undefined))
  }
  const sorted = matching.toSorted(compareFor(wish))
  const from = placeAfter(sorted, wish.after)
  const page = sorted.slice(from, from + wish.limit)
  const last = from + wish.limit < sorted.length ? page.at(-1) : undefined
  return {
    found: page.map(({ found }) => found),
    total: sorted.length,
    next: last && `contract:${last.vendorId}`,
    complete: count <= CONTRACT_SEARCH_MAX,
    ignored: [
      ...(wish.reachable ? (['reachable'] as const) : []),
      ...(wish.verified ? (['verified'] as const) : []),
      ...(wish.order === 'volume' || wish.order === 'uptime' ? (['order'] as const) : []),
    ],
  }
}

const readCandidate = async (
  market: Market,
  vendorId: bigint,
  wish: Wish,
  signal?: AbortSignal,
): Promise<Candidate | undefined> => {
  const { vendor, plans } = await market.reader.listing(market.registry, vendorId, 'latest', signal)
  const onSale = plans.flatMap(({ onSale: isOnSale, ...plan }, index) =>
    isOnSale ? [{ ...plan, planId: index + 1 }] : [],
  )
  const profile = readProfile(vendor.profile)
  const { title, description, serviceTypes, regions } = profile
  const titles = onSale.map((plan) => plan.title.text)
  const distance = distanceFrom(wish.phrases, profile, titles)
  const fitting = onSale
    .map(({ planId, token, price, periodSeconds, maxPeriods, settlement, title: { text } }): FoundPlan => ({
      planId,
      title: text,
      token: token === ZERO_ADDRESS ? undefined : token,
      price,
      periodSeconds,
      pricePerDay: pricePerDay(price, periodSeconds),
      maxPeriods,
      settlement,
    }))
    .filter((plan) => fits(plan, wish))
  const names = (words: readonly string[], word: string | undefined) =>
    word === undefined || words.includes(word.toLowerCase())
  const isWanted = names(serviceTypes, wish.serviceType) && names(regions, wish.region)
  if (!vendor.active || fitting.length === 0 || distance === undefined || !isWanted) return undefined
  const uri = formatVendorUri({ chainId: market.chainId, registry: market.registry, vendorId })
  const sorted = wish.order === 'price' ? fitting.toSorted(byPrice) : fitting
  const told = { plans: sorted.slice(0, FOUND_PLANS_MAX), planTotal: fitting.length }
  return { vendorId, distance, found: { vendor: uri, title, description, serviceTypes, regions, ...told } }
}

const fits = (plan: FoundPlan, { token, maxPricePerDay }: Wish): boolean =>
  (token === undefined || (plan.token ?? ZERO_ADDRESS) === token) &&
  (maxPricePerDay === undefined || plan.pricePerDay <= maxPricePerDay)

const compare = <Value extends bigint | number>(a: Value, b: Value): number => (a < b ? -1 : a > b ? 1 : 0)

const byPrice = (a: FoundPlan, b: FoundPlan): number =>
  compare(a.pricePerDay, b.pricePerDay) || compare(a.planId, b.planId)

/** As a directory sorts; ids are given in the order of registration. */
const compareFor = ({ order }: Wish): ((a: Candidate, b: Candidate) => number) => {
  const cheapest = ({ found }: Candidate): bigint => found.plans[0]?.pricePerDay ?? 0n
  const byId = (a: Candidate, b: Candidate) => compare(a.vendorId, b.vendorId)
  if (order === 'age') return byId
  if (order === 'price') return (a, b) => compare(cheapest(a), cheapest(b)) || byId(a, b)
  return (a, b) => compare(a.distance, b.distance) || byId(a, b)
}

/** @throws ERR_CURSOR */
const placeAfter = (sorted: readonly Candidate[], after: string | undefined): number => {
  if (after === undefined) return 0
  const [, id] = CURSOR.exec(after) ?? []
  if (id === undefined) throw new BuyerError('ERR_CURSOR', 'this place is of a list that no directory is set for')
  const place = sorted.findIndex(({ vendorId }) => vendorId === BigInt(id))
  if (place < 0) throw new BuyerError('ERR_CURSOR', 'the vendor at this place is no longer in the list: begin anew')
  return place + 1
}
