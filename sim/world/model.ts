/**
 * The market as it must stand after some blocks, computed from events by plain rules that share no code with the
 * services: what checkers hold contracts, vendors and directory against.
 */
import type {
  ChroveEvent,
  OrderCancelled,
  OrderPaid,
  OrderWithdrawn,
  PlanAdded,
  RegistryEvent,
  VendorRegistered,
} from '../../chain/events.ts'
import { ZERO_ADDRESS, type Address, type Hex } from '../../chain/types.ts'

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
  readonly terms: Pick<PlanAdded, 'price' | 'periodSeconds' | 'maxPeriods' | 'settlement'>
  readonly onSale: boolean
}

export interface OrderModel {
  readonly orderId: Hex
  readonly vendorId: bigint
  readonly planId: number
  readonly keyHash: Hex
  readonly controller: Address
  readonly startedAt: number
  readonly endsAt: number
  readonly cancelled: boolean
  readonly periods: number
  readonly paid: bigint
  readonly refunded: bigint
  readonly withdrawn: bigint
  /** Earned in earlier runs and not withdrawn; of this run what was withdrawn. Wei. */
  readonly arrears: bigint
  readonly runWithdrawn: bigint
}

export interface MarketModel {
  readonly vendors: ReadonlyMap<bigint, VendorModel>
  readonly plans: ReadonlyMap<string, PlanModel>
  readonly orders: ReadonlyMap<Hex, OrderModel>
  /** What the Payments contract must hold, wei. */
  readonly heldWei: bigint
  /** Amounts that events tell and these rules do not. */
  readonly complaints: readonly string[]
}

export const emptyMarket: MarketModel = {
  vendors: new Map(),
  plans: new Map(),
  orders: new Map(),
  heldWei: 0n,
  complaints: [],
}

export const planKey = (vendorId: bigint, planId: number): string => `${vendorId}/${planId}`

const hexOf = ({ bytes }: { readonly bytes: Uint8Array }): Hex => `0x${Buffer.from(bytes).toString('hex')}`

export const isRunningAt = ({ endsAt }: OrderModel, seconds: number): boolean => seconds < endsAt

const with_ = <K, V>(map: ReadonlyMap<K, V>, key: K, value: V): ReadonlyMap<K, V> => new Map(map).set(key, value)

/** What the vendor can withdraw of an order at a moment; price × seconds ÷ period, rounded against the vendor. */
export const owedWei = (order: OrderModel, { terms }: PlanModel, seconds: number): bigint => {
  if (terms.settlement === 'Instant') return 0n
  const until = BigInt(Math.min(seconds, order.endsAt) - order.startedAt)
  const period = BigInt(terms.periodSeconds)
  const accrued = terms.price * until
  // What a cancellation could not give back, for it is less than a wei, is the vendor's.
  const earned = order.cancelled ? (accrued + period - 1n) / period : accrued / period
  return earned - order.runWithdrawn + order.arrears
}

/** @param seconds time of the event's block */
export const afterEvent = (market: MarketModel, event: ChroveEvent, seconds: number): MarketModel => {
  switch (event.type) {
    case 'VendorRegistered': {
      const { vendorId, owner, operator, payout, signingKey, encryptionKey, version } = event
      const texts = { endpoints: event.endpoints.map(hexOf), profile: hexOf(event.profile) }
      const vendor = { owner, pendingOwner: ZERO_ADDRESS, operator, payout, active: true, version, planCount: 0 }
      return {
        ...market,
        vendors: with_(market.vendors, vendorId, { ...vendor, signingKey, encryptionKey, ...texts }),
      }
    }
    case 'OrderPaid':
      return paid(market, event, seconds)
    case 'OrderCancelled':
      return cancelled(market, event, seconds)
    case 'OrderWithdrawn':
      return withdrawn(market, event, seconds)
    case 'OrderRefunded':
    case 'ChannelDeposited':
    case 'ChannelClaimed':
    case 'ChannelRefunded':
    case 'WithdrawalRequested':
    case 'ChannelWithdrawn':
    case 'PayoutKept':
    case 'PayoutRedelivered':
      return complain(market, `${event.type}, which nobody here causes`)
    default:
      return vendorChanged(market, event)
  }
}

type VendorChange = Exclude<RegistryEvent, VendorRegistered>

const vendorChanged = (market: MarketModel, event: VendorChange): MarketModel => {
  const before = market.vendors.get(event.vendorId)
  if (!before) return complain(market, `${event.type} of vendor ${event.vendorId}, which there is not`)
  const put = (change: Partial<VendorModel>, plans = market.plans): MarketModel => ({
    ...market,
    plans,
    vendors: with_(market.vendors, event.vendorId, { ...before, ...change, version: event.version }),
  })
  switch (event.type) {
    case 'EndpointsChanged':
      return put({ endpoints: event.endpoints.map(hexOf) })
    case 'KeysChanged':
      return put({ signingKey: event.signingKey, encryptionKey: event.encryptionKey })
    case 'ProfileChanged':
      return put({ profile: hexOf(event.profile) })
    case 'ActiveChanged':
      return put({ active: event.active })
    case 'OperatorChanged':
      return put({ operator: event.operator })
    case 'PayoutChanged':
      return put({ payout: event.payout })
    case 'OwnershipTransferStarted':
      return put({ pendingOwner: event.pendingOwner })
    case 'OwnershipTransferred':
      return put({ owner: event.owner, pendingOwner: ZERO_ADDRESS })
    case 'PlanAdded': {
      const { vendorId, planId, price, periodSeconds, maxPeriods, settlement } = event
      const plan = { terms: { price, periodSeconds, maxPeriods, settlement }, onSale: true }
      return put({ planCount: planId }, with_(market.plans, planKey(vendorId, planId), plan))
    }
    case 'PlanSaleChanged': {
      const key = planKey(event.vendorId, event.planId)
      const plan = market.plans.get(key)
      if (!plan) return complain(market, `PlanSaleChanged of plan ${key}, which there is not`)
      return put({}, with_(market.plans, key, { ...plan, onSale: event.onSale }))
    }
  }
}

const paid = (market: MarketModel, event: OrderPaid, seconds: number): MarketModel => {
  const { orderId, vendorId, planId, keyHash, controller, amount } = event
  const plan = market.plans.get(planKey(vendorId, planId))
  if (!plan) return complain(market, `OrderPaid of plan ${vendorId}/${planId}, which there is not`)
  const { price, periodSeconds, settlement } = plan.terms
  const before = market.orders.get(orderId)
  const goesOn = before !== undefined && isRunningAt(before, seconds)
  const startedAt = goesOn ? before.startedAt : seconds
  const endsAt = (goesOn ? before.endsAt : seconds) + event.periods * periodSeconds
  const order: OrderModel = {
    ...{ orderId, vendorId, planId, keyHash, controller, startedAt, endsAt, cancelled: false },
    periods: event.periods + (goesOn ? before.periods : 0),
    paid: (before?.paid ?? 0n) + amount,
    refunded: before?.refunded ?? 0n,
    withdrawn: before?.withdrawn ?? 0n,
    arrears: goesOn || !before ? (before?.arrears ?? 0n) : owedWei(before, plan, seconds),
    runWithdrawn: goesOn ? before.runWithdrawn : 0n,
  }
  const next = {
    ...market,
    orders: with_(market.orders, orderId, order),
    heldWei: market.heldWei + (settlement === 'Streamed' ? amount : 0n),
  }
  const says = `order ${orderId.slice(0, 10)} paid ${amount} from ${event.startedAt} to ${event.endsAt}`
  const isRight = amount === price * BigInt(event.periods) && event.startedAt === startedAt && event.endsAt === endsAt
  return isRight ? next : complain(next, `${says}, not ${price * BigInt(event.periods)} from ${startedAt} to ${endsAt}`)
}

const cancelled = (market: MarketModel, event: OrderCancelled, seconds: number): MarketModel => {
  const before = market.orders.get(event.orderId)
  const plan = before && market.plans.get(planKey(before.vendorId, before.planId))
  if (!before || !plan) return complain(market, `OrderCancelled of ${event.orderId}, which there is not`)
  const { price, periodSeconds } = plan.terms
  const due = (price * BigInt(before.endsAt - seconds)) / BigInt(periodSeconds)
  const order = { ...before, cancelled: true, endsAt: event.endsAt, refunded: before.refunded + event.refunded }
  const next = {
    ...market,
    orders: with_(market.orders, event.orderId, order),
    heldWei: market.heldWei - event.refunded,
  }
  if (event.refunded === due && event.endsAt === seconds && isRunningAt(before, seconds)) return next
  return complain(next, `order ${event.orderId.slice(0, 10)} refunded ${event.refunded}, not ${due}`)
}

const withdrawn = (market: MarketModel, event: OrderWithdrawn, seconds: number): MarketModel => {
  const before = market.orders.get(event.orderId)
  const plan = before && market.plans.get(planKey(before.vendorId, before.planId))
  if (!before || !plan) return complain(market, `OrderWithdrawn of ${event.orderId}, which there is not`)
  const due = owedWei(before, plan, seconds)
  const order = {
    ...before,
    withdrawn: before.withdrawn + event.amount,
    runWithdrawn: before.runWithdrawn + due - before.arrears,
    arrears: 0n,
  }
  const next = { ...market, orders: with_(market.orders, event.orderId, order), heldWei: market.heldWei - event.amount }
  return event.amount === due
    ? next
    : complain(next, `order ${event.orderId.slice(0, 10)} paid out ${event.amount}, not ${due}`)
}

const complain = (market: MarketModel, complaint: string): MarketModel => ({
  ...market,
  complaints: [...market.complaints, complaint],
})
