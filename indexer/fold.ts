/**
 * What an event makes of a row: the directory's meaning, without any database. The contract's counters travel with
 * the events, so the fold also tells where one is missing (DESIGN 11, completeness).
 */
import type {
  ChroveEvent,
  OrderCancelled,
  OrderPaid,
  OrderRefunded,
  OrderWithdrawn,
  PlanAdded,
  PlanSaleChanged,
  RegistryEvent,
  Settlement,
  VendorRegistered,
} from '../chain/events.ts'
import { type Address, type Evidence, type Hex, ZERO_ADDRESS } from '../chain/types.ts'
import type { ChainText } from '../protocol/text.ts'

export interface VendorState {
  readonly vendorId: bigint
  readonly version: number
  readonly owner: Address
  readonly pendingOwner: Address
  readonly operator: Address
  readonly payout: Address
  readonly active: boolean
  readonly signingKey: Hex
  readonly encryptionKey: Hex
  readonly endpoints: readonly ChainText[]
  readonly profile: ChainText
  readonly planCount: number
  /** Where it was registered. */
  readonly createdBlock: number
}

export interface PlanState {
  readonly vendorId: bigint
  readonly planId: number
  readonly token: Address
  readonly price: bigint
  readonly periodSeconds: number
  readonly maxPeriods: number
  readonly settlement: Settlement
  readonly title: ChainText
  readonly onSale: boolean
  /** Where it was added. */
  readonly createdBlock: number
}

export interface OrderState {
  readonly orderId: Hex
  readonly vendorId: bigint
  readonly planId: number
  readonly keyHash: Hex
  /** What amounts are in; undefined as long as the plan is unknown, because a log is missing. */
  readonly token: Address | undefined
  readonly controller: Address
  readonly startedAt: number
  readonly endsAt: number
  readonly periods: number
  readonly cancelled: boolean
  readonly paid: bigint
  readonly refunded: bigint
  readonly withdrawn: bigint
  /** Where it was first bought. */
  readonly createdBlock: number
}

/**
 * What a counter proves to be missing or repeated: a vendor id was skipped, a vendor's version was, a plan id was; or
 * an event speaks of a vendor, plan or order that was never announced.
 */
export type GapKind = 'vendor-id' | 'vendor-version' | 'plan-id' | 'unknown-vendor' | 'unknown-plan' | 'unknown-order'

export interface Gap {
  readonly kind: GapKind
  readonly subject: string
  readonly expected: bigint
  readonly found: bigint
  readonly evidence: Evidence
}

/** What the fold needs to know of the rows as they stand before an event. */
export interface Standing {
  /** Highest vendor id so far; 0 when there is none. */
  readonly vendorCount: bigint
  vendor(vendorId: bigint): VendorState | undefined
  plan(vendorId: bigint, planId: number): PlanState | undefined
  order(orderId: Hex): OrderState | undefined
}

/** What an event changes: a new state of at most one row of each kind, and at most one gap. */
export interface Change {
  readonly vendor?: VendorState
  readonly plan?: PlanState
  readonly order?: OrderState
  readonly gap?: Gap
}

/** The rows after an event. Events come in the order of the chain. */
export const fold = (standing: Standing, event: ChroveEvent): Change => {
  switch (event.type) {
    case 'VendorRegistered':
      return registered(standing, event)
    case 'OrderPaid':
      return paid(standing, event)
    case 'OrderCancelled':
    case 'OrderRefunded':
    case 'OrderWithdrawn':
      return settled(standing, event)
    // Who has a channel with whom is nobody's business but theirs: the directory keeps no rows of it.
    case 'ChannelDeposited':
    case 'ChannelClaimed':
    case 'ChannelRefunded':
    case 'WithdrawalRequested':
    case 'ChannelWithdrawn':
    case 'PayoutKept':
    case 'PayoutRedelivered':
      return {}
    default:
      return vendorChanged(standing, event)
  }
}

const gap = (event: ChroveEvent, kind: GapKind, subject: string, expected: bigint, found: bigint): { gap: Gap } => ({
  gap: { kind, subject, expected, found, evidence: event.evidence },
})

const registered = ({ vendorCount }: Standing, event: VendorRegistered): Change => {
  const { vendorId, version, owner, operator, payout, signingKey, encryptionKey, endpoints, profile } = event
  const expected = vendorCount + 1n
  // A vendor that is there already must not lose what happened to it since.
  if (vendorId < expected) return gap(event, 'vendor-id', 'registry', expected, vendorId)
  const keys = { signingKey, encryptionKey }
  const accounts = { owner, pendingOwner: ZERO_ADDRESS, operator, payout }
  const { blockNumber: createdBlock } = event.evidence
  const says = { active: true, endpoints, profile }
  const vendor = { vendorId, version, ...accounts, ...keys, ...says, planCount: 0, createdBlock }
  if (vendorId !== expected) return { vendor, ...gap(event, 'vendor-id', 'registry', expected, vendorId) }
  if (version !== 1) return { vendor, ...gap(event, 'vendor-version', `${vendorId}`, 1n, BigInt(version)) }
  return { vendor }
}

type VendorChange = Exclude<RegistryEvent, VendorRegistered>

const vendorChanged = (standing: Standing, event: VendorChange): Change => {
  const { vendorId, version } = event
  const before = standing.vendor(vendorId)
  if (!before) return gap(event, 'unknown-vendor', `${vendorId}`, 1n, BigInt(version))
  const expected = before.version + 1
  const versionGap = gap(event, 'vendor-version', `${vendorId}`, BigInt(expected), BigInt(version))
  // A change that was counted already says nothing new, and may be older than what stands.
  if (version < expected) return versionGap
  const change = event.type === 'PlanAdded' ? planAdded(before, event) : changed(standing, before, event)
  const vendor = { ...before, ...change.vendor, version }
  return version === expected ? { ...change, vendor } : { ...change, vendor, ...versionGap }
}

const planAdded = (before: VendorState, event: PlanAdded): Change => {
  const { vendorId, planId, token, price, periodSeconds, maxPeriods, settlement, title } = event
  const terms = { token, price, periodSeconds, maxPeriods, settlement, title }
  const plan = { vendorId, planId, ...terms, onSale: true, createdBlock: event.evidence.blockNumber }
  const expected = before.planCount + 1
  const vendor = { ...before, planCount: Math.max(before.planCount, planId) }
  if (planId === expected) return { vendor, plan }
  return { vendor, plan, ...gap(event, 'plan-id', `${vendorId}`, BigInt(expected), BigInt(planId)) }
}

const planSaleChanged = (standing: Standing, event: PlanSaleChanged): Change => {
  const { vendorId, planId, onSale } = event
  const before = standing.plan(vendorId, planId)
  if (before) return { plan: { ...before, onSale } }
  return gap(event, 'unknown-plan', `${vendorId}`, BigInt(standing.vendor(vendorId)?.planCount ?? 0), BigInt(planId))
}

const changed = (standing: Standing, before: VendorState, event: Exclude<VendorChange, PlanAdded>): Change => {
  switch (event.type) {
    case 'EndpointsChanged':
      return { vendor: { ...before, endpoints: event.endpoints } }
    case 'KeysChanged':
      return { vendor: { ...before, signingKey: event.signingKey, encryptionKey: event.encryptionKey } }
    case 'ProfileChanged':
      return { vendor: { ...before, profile: event.profile } }
    case 'ActiveChanged':
      return { vendor: { ...before, active: event.active } }
    case 'OperatorChanged':
      return { vendor: { ...before, operator: event.operator } }
    case 'PayoutChanged':
      return { vendor: { ...before, payout: event.payout } }
    case 'OwnershipTransferStarted':
      return { vendor: { ...before, pendingOwner: event.pendingOwner } }
    case 'OwnershipTransferred':
      return { vendor: { ...before, owner: event.owner, pendingOwner: ZERO_ADDRESS } }
    case 'PlanSaleChanged':
      return planSaleChanged(standing, event)
  }
}

const paid = (standing: Standing, event: OrderPaid): Change => {
  const { orderId, vendorId, planId, keyHash, controller, startedAt, endsAt, periods, amount } = event
  const before = standing.order(orderId)
  // A run lasts a second at least, so only the run that still goes on can have begun at the same time.
  const extends_ = before !== undefined && !before.cancelled && before.startedAt === startedAt
  const run = { startedAt, endsAt, cancelled: false, periods: extends_ ? before.periods + periods : periods }
  const sums = {
    paid: (before?.paid ?? 0n) + amount,
    refunded: before?.refunded ?? 0n,
    withdrawn: before?.withdrawn ?? 0n,
  }
  const plan = standing.plan(vendorId, planId)
  const token = plan?.token ?? before?.token
  const createdBlock = before?.createdBlock ?? event.evidence.blockNumber
  const order = { orderId, vendorId, planId, keyHash, token, controller, ...run, ...sums, createdBlock }
  if (plan) return { order }
  const planCount = BigInt(standing.vendor(vendorId)?.planCount ?? 0)
  return { order, ...gap(event, 'unknown-plan', `${vendorId}`, planCount, BigInt(planId)) }
}

const settled = (standing: Standing, event: OrderCancelled | OrderRefunded | OrderWithdrawn): Change => {
  const before = standing.order(event.orderId)
  if (!before) return gap(event, 'unknown-order', event.orderId, 1n, 0n)
  if (event.type === 'OrderWithdrawn') return { order: { ...before, withdrawn: before.withdrawn + event.amount } }
  const refunded = before.refunded + event.refunded
  // A refund after the end changes no time; a run that was ended early was cancelled.
  const cancelled = before.cancelled || event.type === 'OrderCancelled' || event.endsAt < before.endsAt
  return { order: { ...before, cancelled, endsAt: event.endsAt, refunded } }
}
