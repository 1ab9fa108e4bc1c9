/**
 * The market as it must stand after some blocks: what checkers hold contracts, vendors and directory against. `fold.ts`
 * computes it.
 */
import type { ChannelDeposited, PlanAdded } from '../../chain/events.ts'
import type { Address, Hex } from '../../chain/types.ts'

export interface VendorModel {
  readonly owner: Address
  readonly pendingOwner: Address
  readonly operator: Address
  readonly payout: Address
  readonly active: boolean
  readonly version: number
  readonly planCount: number
  readonly signingKey: Hex
  readonly encryptionKey: Hex
  /** Hex of their bytes. */
  readonly endpoints: readonly Hex[]
  readonly profile: Hex
}

export interface PlanModel {
  readonly terms: Pick<PlanAdded, 'token' | 'price' | 'periodSeconds' | 'maxPeriods' | 'settlement'>
  readonly onSale: boolean
}

/** Amounts are in the smallest unit of the plan's token. */
export interface OrderModel {
  readonly orderId: Hex
  readonly vendorId: bigint
  readonly planId: number
  readonly keyHash: Hex
  readonly controller: Address
  readonly startedAt: number
  readonly endsAt: number
  readonly cancelled: boolean
  /** Whether it was the vendor that cancelled it. */
  readonly isGivenBack: boolean
  readonly periods: number
  readonly paid: bigint
  readonly refunded: bigint
  readonly withdrawn: bigint
  /** Earned in earlier runs and not withdrawn; of this run what was withdrawn, or given back out of what was earned. */
  readonly arrears: bigint
  readonly runWithdrawn: bigint
}

/** Amounts are in the smallest unit of the channel's token. */
export interface ChannelModel {
  readonly channelId: Hex
  readonly settings: Pick<ChannelDeposited, 'vendorId' | 'payer' | 'signer' | 'token' | 'withdrawDelay' | 'salt'>
  /** All that ever came in, whatever went out again. */
  readonly deposited: bigint
  readonly balance: bigint
  readonly claimed: bigint
  readonly refunds: number
  readonly withdrawTo: Address
  readonly withdrawableAt: number
  /** Whether its payer ever took back what was left. */
  readonly wasWithdrawn: boolean
}

export interface MarketModel {
  readonly vendors: ReadonlyMap<bigint, VendorModel>
  readonly plans: ReadonlyMap<string, PlanModel>
  readonly orders: ReadonlyMap<Hex, OrderModel>
  readonly channels: ReadonlyMap<Hex, ChannelModel>
  /** What the Payments contract must hold of each token, smallest units. */
  readonly held: ReadonlyMap<Address, bigint>
  /** The part of it that payout accounts refused, by `keptKey`. */
  readonly kept: ReadonlyMap<string, bigint>
  /** The part of it that belongs to nobody: paid for Instant orders of vendors whose payout is Payments itself. */
  readonly stranded: ReadonlyMap<Address, bigint>
  /** Amounts that events tell and these rules do not. */
  readonly complaints: readonly string[]
}

export const emptyMarket: MarketModel = {
  vendors: new Map(),
  plans: new Map(),
  orders: new Map(),
  channels: new Map(),
  held: new Map(),
  kept: new Map(),
  stranded: new Map(),
  complaints: [],
}

export const planKey = (vendorId: bigint, planId: number): string => `${vendorId}/${planId}`

export const keptKey = (vendorId: bigint, token: Address): string => `${vendorId}/${token}`

export const isRunningAt = ({ endsAt }: Pick<OrderModel, 'endsAt'>, seconds: number): boolean => seconds < endsAt

export const planOf = (
  { plans }: MarketModel,
  { vendorId, planId }: Pick<OrderModel, 'vendorId' | 'planId'>,
): PlanModel | undefined => plans.get(planKey(vendorId, planId))

/** What the vendor can withdraw of an order at a moment; price × seconds ÷ period, rounded against the vendor. */
export const owed = (order: OrderModel, { terms }: PlanModel, seconds: number): bigint => {
  if (terms.settlement === 'Instant') return 0n
  const until = BigInt(Math.min(seconds, order.endsAt) - order.startedAt)
  const period = BigInt(terms.periodSeconds)
  const accrued = terms.price * until
  // What a cancellation could not give back, for it is less than a unit, is the vendor's.
  const earned = order.cancelled ? (accrued + period - 1n) / period : accrued / period
  return earned - order.runWithdrawn + order.arrears
}

/** What the controller of an order gets back when it ends at a moment, rounded against the controller. */
export const refundable = (order: OrderModel, { terms }: PlanModel, seconds: number): bigint =>
  terms.settlement === 'Streamed' && isRunningAt(order, seconds)
    ? (terms.price * BigInt(order.endsAt - seconds)) / BigInt(terms.periodSeconds)
    : 0n

/** A copy of a map with one entry changed. */
export const put = <K, V>(map: ReadonlyMap<K, V>, key: K, value: V): ReadonlyMap<K, V> => new Map(map).set(key, value)

export const plus = <K>(map: ReadonlyMap<K, bigint>, key: K, amount: bigint): ReadonlyMap<K, bigint> =>
  put(map, key, (map.get(key) ?? 0n) + amount)

/** The market with so much more in the Payments contract. */
export const holding = (market: MarketModel, token: Address, amount: bigint): MarketModel => ({
  ...market,
  held: plus(market.held, token, amount),
})

export const complain = (market: MarketModel, complaint: string): MarketModel => ({
  ...market,
  complaints: [...market.complaints, complaint],
})

/** The market, with a complaint unless something is as it should be. */
export const expecting = (market: MarketModel, isRight: boolean, complaint: () => string): MarketModel =>
  isRight ? market : complain(market, complaint())
