/**
 * Folds a batch in memory: begins with the rows that the batch touches as they stand, ends with the versions to
 * write. One version per row and block, since `block:` asks for ends of blocks.
 */
import type { ChroveEvent } from '../chain/events.ts'
import type { Evidence } from '../chain/types.ts'
import { planKey, vendorKey } from './columns.ts'
import { fold, type Gap, type OrderState, type PlanState, type VendorState } from './fold.ts'
import type { Versioned } from './schema.ts'

export interface States {
  readonly vendors: VendorState
  readonly plans: PlanState
  readonly orders: OrderState
}

/** What stands, by row key. */
export type Standings = { readonly [Table in Versioned]: Map<string, States[Table]> }

export interface Version<State> {
  readonly state: State
  readonly evidence: Evidence
}

export interface Folded {
  /** By row key, oldest first; the last stands. */
  readonly versions: { readonly [Table in Versioned]: ReadonlyMap<string, readonly Version<States[Table]>[]> }
  readonly gaps: readonly Gap[]
}

/** Keys of the rows that folding these events reads or writes; each once, sorted. */
export const touchedKeys = (events: readonly ChroveEvent[]): { readonly [Table in Versioned]: readonly string[] } => {
  const keys = { vendors: new Set<string>(), plans: new Set<string>(), orders: new Set<string>() }
  for (const event of events) {
    keys.vendors.add(vendorKey(event.vendorId))
    if ('planId' in event) keys.plans.add(planKey(event.vendorId, event.planId))
    if ('orderId' in event) keys.orders.add(event.orderId)
  }
  const sorted = (set: Set<string>) => [...set].toSorted()
  return { vendors: sorted(keys.vendors), plans: sorted(keys.plans), orders: sorted(keys.orders) }
}

/**
 * @param standings is left as it stands after the events
 * @param vendorCount highest vendor id before the events
 */
export const foldBatch = (standings: Standings, vendorCount: bigint, events: readonly ChroveEvent[]): Folded => {
  const versions = {
    vendors: new Map<string, Version<VendorState>[]>(),
    plans: new Map<string, Version<PlanState>[]>(),
    orders: new Map<string, Version<OrderState>[]>(),
  }
  const gaps: Gap[] = []
  let count = vendorCount

  const put = <Table extends Versioned>(table: Table, key: string, state: States[Table], evidence: Evidence): void => {
    const standing: Map<string, States[Table]> = standings[table]
    standing.set(key, state)
    const all = versions[table] as unknown as Map<string, Version<States[Table]>[]>
    const earlier = all.get(key) ?? []
    if (earlier.at(-1)?.evidence.blockNumber === evidence.blockNumber) earlier.pop()
    all.set(key, [...earlier, { state, evidence }])
  }

  for (const event of events.toSorted(byPosition)) {
    const { vendor, plan, order, gap } = fold(
      {
        vendorCount: count,
        vendor: (vendorId) => standings.vendors.get(vendorKey(vendorId)),
        plan: (vendorId, planId) => standings.plans.get(planKey(vendorId, planId)),
        order: (orderId) => standings.orders.get(orderId),
      },
      event,
    )
    if (vendor) {
      put('vendors', vendorKey(vendor.vendorId), vendor, event.evidence)
      if (vendor.vendorId > count) count = vendor.vendorId
    }
    if (plan) put('plans', planKey(plan.vendorId, plan.planId), plan, event.evidence)
    if (order) put('orders', order.orderId, order, event.evidence)
    if (gap) gaps.push(gap)
  }
  return { versions, gaps }
}

const byPosition = (a: ChroveEvent, b: ChroveEvent): number =>
  a.evidence.blockNumber - b.evidence.blockNumber || a.evidence.logIndex - b.evidence.logIndex

/** A version, and what is known of how it was made. */
export interface InBlock<State, By extends Pick<Evidence, 'blockNumber'> = Pick<Evidence, 'blockNumber'>> {
  readonly state: State
  readonly evidence: By
}

/** Each version with the state before it. */
export const stepsOf = function* <State, By extends Pick<Evidence, 'blockNumber'>>(
  before: ReadonlyMap<string, State>,
  versions: ReadonlyMap<string, readonly InBlock<State, By>[]>,
): Generator<{ readonly evidence: By; readonly was: State | undefined; readonly is: State }> {
  for (const [key, all] of versions) {
    let was = before.get(key)
    for (const { state, evidence } of all) {
      yield { evidence, was, is: state }
      was = state
    }
  }
}
