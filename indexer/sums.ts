/**
 * Sums over rows, kept as rows, so that nobody counts a million orders to tell how many there are. Each is derived from
 * how rows change, and so is at every block the sum over the rows that stand at its end.
 */
import type { Address } from '../chain/types.ts'
import { decodeAmount, encodeAmount, OPEN, vendorKey, volumeKey } from './columns.ts'
import type { OrderState } from './fold.ts'
import type { Summed, TotalsRow, VolumeRow } from './schema.ts'
import { type Folded, type InBlock, type Standings, stepsOf } from './working-set.ts'

/** How many there are of what. */
interface Totals {
  readonly vendors: number
  readonly activeVendors: number
  readonly plans: number
  readonly plansOnSale: number
  readonly orders: number
}

/** What was paid; the vendor is undefined for all together, the token while the plan is unknown. */
interface Volume {
  readonly vendorId: bigint | undefined
  readonly token: Address | undefined
  readonly orders: number
  readonly paid: bigint
  readonly refunded: bigint
  readonly withdrawn: bigint
}

export interface Sums {
  readonly totals: Totals
  readonly volumes: Volume
}

interface SumRows {
  readonly totals: TotalsRow
  readonly volumes: VolumeRow
}

/** How much the blocks of a batch add to each sum, by row key and block. */
export type Increments = { readonly [Table in Summed]: ReadonlyMap<string, ReadonlyMap<number, Sums[Table]>> }

/** Key of the only row of `totals`. */
const TOTALS_KEY = ''

const NO_TOTALS: Totals = { vendors: 0, activeVendors: 0, plans: 0, plansOnSale: 0, orders: 0 }

/** @param before what stood before the batch */
export const incrementsOf = (before: Standings, { versions }: Folded): Increments => {
  const totals = new Map<number, Totals>()
  const volumes = new Map<string, Map<number, Volume>>()

  const count = (block: number, by: Partial<Totals>): void => {
    totals.set(block, addTotals(totals.get(block) ?? NO_TOTALS, { ...NO_TOTALS, ...by }))
  }
  const pay = (block: number, order: OrderState, sign: 1 | -1): void => {
    for (const vendorId of [order.vendorId, undefined]) {
      const key = volumeKey(vendorId, order.token ?? '')
      const blocks = volumes.get(key) ?? new Map<number, Volume>()
      const sum = blocks.get(block)
      const change = volumeOf(vendorId, order, sign)
      volumes.set(key, blocks.set(block, sum ? addVolumes(sum, change) : change))
    }
  }

  for (const { evidence, was, is } of stepsOf(before.vendors, versions.vendors)) {
    count(evidence.blockNumber, {
      vendors: was ? 0 : 1,
      activeVendors: Number(is.active) - Number(was?.active ?? false),
    })
  }
  for (const { evidence, was, is } of stepsOf(before.plans, versions.plans)) {
    count(evidence.blockNumber, { plans: was ? 0 : 1, plansOnSale: Number(is.onSale) - Number(was?.onSale ?? false) })
  }
  for (const { evidence, was, is } of stepsOf(before.orders, versions.orders)) {
    if (was) pay(evidence.blockNumber, was, -1)
    else count(evidence.blockNumber, { orders: 1 })
    pay(evidence.blockNumber, is, 1)
  }
  return { totals: new Map(totals.size === 0 ? [] : [[TOTALS_KEY, totals]]), volumes }
}

/**
 * The versions that the sums of a table have by a batch, by row key: one for each block that changes it.
 * @param standing the sums as they stood before
 */
export const summed = <Table extends Summed>(
  table: Table,
  standing: ReadonlyMap<string, Sums[Table]>,
  increments: Increments[Table],
): Map<string, InBlock<Sums[Table]>[]> => {
  const { add, isNothing } = ARITHMETIC[table]
  const all = new Map<string, InBlock<Sums[Table]>[]>()
  for (const [key, blocks] of increments) {
    let sum = standing.get(key)
    const versions: InBlock<Sums[Table]>[] = []
    for (const [blockNumber, increment] of [...blocks].toSorted(([a], [b]) => a - b)) {
      if (isNothing(increment)) continue
      sum = sum === undefined ? increment : add(sum, increment)
      versions.push({ state: sum, evidence: { blockNumber } })
    }
    if (versions.length > 0) all.set(key, versions)
  }
  return all
}

const addTotals = (a: Totals, b: Totals): Totals => ({
  vendors: a.vendors + b.vendors,
  activeVendors: a.activeVendors + b.activeVendors,
  plans: a.plans + b.plans,
  plansOnSale: a.plansOnSale + b.plansOnSale,
  orders: a.orders + b.orders,
})

const volumeOf = (vendorId: bigint | undefined, order: OrderState, sign: 1 | -1): Volume => {
  const signed = (amount: bigint) => (sign === 1 ? amount : -amount)
  const { token, paid, refunded, withdrawn } = order
  const amounts = { paid: signed(paid), refunded: signed(refunded), withdrawn: signed(withdrawn) }
  return { vendorId, token, orders: sign, ...amounts }
}

const addVolumes = (a: Volume, b: Volume): Volume => ({
  ...a,
  orders: a.orders + b.orders,
  paid: a.paid + b.paid,
  refunded: a.refunded + b.refunded,
  withdrawn: a.withdrawn + b.withdrawn,
})

const ARITHMETIC: {
  readonly [Table in Summed]: {
    add(a: Sums[Table], b: Sums[Table]): Sums[Table]
    isNothing(increment: Sums[Table]): boolean
  }
} = {
  totals: {
    add: addTotals,
    isNothing: (totals) => Object.values(totals).every((value) => value === 0),
  },
  volumes: {
    add: addVolumes,
    isNothing: ({ orders, paid, refunded, withdrawn }) => orders === 0 && (paid | refunded | withdrawn) === 0n,
  },
}

const span = ({ blockNumber }: { readonly blockNumber: number }) => ({ from_block: blockNumber, to_block: OPEN })

/** Sums as rows. */
export const sumRow: { readonly [Table in Summed]: (sum: Sums[Table], by: { blockNumber: number }) => SumRows[Table] } =
  {
    totals: ({ vendors, activeVendors, plans, plansOnSale, orders }, by) => ({
      id: TOTALS_KEY,
      ...span(by),
      vendors,
      active_vendors: activeVendors,
      plans,
      plans_on_sale: plansOnSale,
      orders,
    }),
    volumes: ({ vendorId, token = '', orders, paid, refunded, withdrawn }, by) => ({
      id: volumeKey(vendorId, token),
      ...span(by),
      vendor_id: vendorId === undefined ? '' : vendorKey(vendorId),
      token,
      orders,
      paid: encodeAmount(paid),
      refunded: encodeAmount(refunded),
      withdrawn: encodeAmount(withdrawn),
      // Contracts cannot return more than was paid; a directory that misses logs may see that they did.
      volume: encodeAmount(paid > refunded ? paid - refunded : 0n),
    }),
  }

/** Rows as sums. */
export const sumState: { readonly [Table in Summed]: (row: SumRows[Table]) => Sums[Table] } = {
  totals: ({ vendors, active_vendors: activeVendors, plans, plans_on_sale: plansOnSale, orders }) => ({
    vendors,
    activeVendors,
    plans,
    plansOnSale,
    orders,
  }),
  volumes: (row) => ({
    vendorId: row.vendor_id === '' ? undefined : BigInt(row.vendor_id),
    token: row.token === '' ? undefined : (row.token as Address),
    orders: row.orders,
    paid: decodeAmount(row.paid),
    refunded: decodeAmount(row.refunded),
    withdrawn: decodeAmount(row.withdrawn),
  }),
}
