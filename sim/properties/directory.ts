/** The directory equals the contract: its rows are those of the blocks it has read, whatever was undone. */
import { ZERO_ADDRESS } from '../../chain/types.ts'
import type { Market } from '../world/market.ts'
import type { MarketModel } from '../world/model.ts'
import { difference, type Row } from './difference.ts'

const PROPERTY = 'directory equals contract'

/** Pages hold a hundred; no run has more of anything. */
const query = (block: string) => `{
  _meta${block && `(${block})`} { block { number hash } completeness { complete } }
  vendors(first: 100${block && `, ${block}`}) { nodes {
    vendorId version owner pendingOwner operator payout active signingKey encryptionKey
    endpoints { bytes } profile { raw { bytes } } planCount } }
  plans(first: 100${block && `, ${block}`}) { nodes { vendor { vendorId } planId token price periodSeconds maxPeriods settlement onSale } }
  orders(first: 100${block && `, ${block}`}) { nodes {
    orderId vendorId planId keyHash controller startedAt endsAt periods paid refunded withdrawn status } } }`

export interface Answer {
  readonly _meta: {
    readonly block: { readonly number: number; readonly hash: string }
    readonly completeness: { readonly complete: boolean }
  }
  readonly vendors: { readonly nodes: readonly Row[] }
  readonly plans: { readonly nodes: readonly Row[] }
  readonly orders: { readonly nodes: readonly Row[] }
}

const orNull = (address: string): string | null => (address === ZERO_ADDRESS ? null : address)

/** The answer's rows as the model has them. */
const expected = (market: MarketModel, seconds: number) => ({
  vendors: [...market.vendors].map(([vendorId, { pendingOwner, operator, endpoints, profile, ...same }]) => ({
    ...same,
    vendorId: `${vendorId}`,
    pendingOwner: orNull(pendingOwner),
    operator: orNull(operator),
    endpoints: endpoints.map((bytes) => ({ bytes })),
    profile: { raw: { bytes: profile } },
  })),
  plans: [...market.plans].map(([key, { terms, onSale }]) => {
    const [vendorId, planId] = key.split('/')
    const { token, price, settlement, ...rest } = terms
    const named = { vendor: { vendorId }, planId: Number(planId) }
    return { ...named, ...rest, token: orNull(token), price: `${price}`, settlement: settlement.toUpperCase(), onSale }
  }),
  orders: [...market.orders.values()].map((order) => ({
    orderId: order.orderId,
    vendorId: `${order.vendorId}`,
    planId: order.planId,
    keyHash: order.keyHash,
    controller: orNull(order.controller),
    startedAt: `${order.startedAt}`,
    endsAt: `${order.endsAt}`,
    periods: `${order.periods}`,
    paid: `${order.paid}`,
    refunded: `${order.refunded}`,
    withdrawn: `${order.withdrawn}`,
    status: order.cancelled ? 'CANCELLED' : seconds < order.endsAt ? 'RUNNING' : 'ENDED',
  })),
})

const compare = ({ world }: Market, answer: Answer): void => {
  const { block, completeness } = answer._meta
  const known = world.history.at(block.hash)
  if (!known) return
  const should = expected(known.market, known.block.timestampSeconds)
  for (const kind of ['vendors', 'plans', 'orders'] as const) {
    const found = difference(answer[kind].nodes, should[kind])
    if (found) world.breach(PROPERTY, `${kind} at block ${block.number}: ${found}`)
  }
  if (!completeness.complete) world.breach(PROPERTY, `it says of itself that it is incomplete at ${block.number}`)
}

/** Holds an answer of this moment, however old what it tells, against the blocks that it was made from. */
export const checkDirectoryNow = async (market: Market): Promise<void> => {
  const { world, indexer } = market
  const answer = (await indexer.ask(query(''))) as unknown as Answer | undefined
  if (!answer) return
  if (answer._meta.block.hash !== world.chain.head().hash) world.reach('directory answered while behind')
  compare(market, answer)
}

/**
 * Once blocks stand still: the directory gets to the newest one, tells what the contracts tell, and of earlier blocks
 * what was true then.
 */
export const checkDirectoryAtEnd = async (market: Market, patienceMs: number): Promise<void> => {
  const { world, indexer } = market
  const { chain, loop } = world
  const endMs = loop.nowMs() + patienceMs
  for (;;) {
    const answer = (await indexer.ask('{ _meta { block { hash } } }')) as { _meta: Answer['_meta'] } | undefined
    if (answer?._meta.block.hash === chain.head().hash) break
    if (loop.nowMs() > endMs) return world.breach('directory catches up', 'it is not at the newest block')
    await new Promise<void>((resolve) => void loop.schedule(1_000, resolve))
  }
  await checkDirectoryNow(market)
  const canonical = world.history.canonical()
  for (const share of [0.3, 0.6, 0.9]) {
    const entry = canonical[Math.floor(share * canonical.length)]
    if (!entry) continue
    const answer = await indexer.ask(query(`block: { number: ${entry.block.number} }`))
    if (answer) compare(market, answer as unknown as Answer)
  }
}
