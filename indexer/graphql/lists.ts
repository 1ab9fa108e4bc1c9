/** Filters, searches and orders, as SQL that means the same in SQLite and PostgreSQL. */
import { type RawBuilder, sql } from 'kysely'
import { encodeAmount, encodeFlag, vendorKey } from '../columns.ts'
import { FILTER_LIST_MAX } from '../limits.ts'
import type { Versioned } from '../schema.ts'
import { type At, type Moment, standsAt } from './block-at.ts'
import type { Sorting } from './cursor.ts'
import { queryError } from './errors.ts'
import type { List } from './page.ts'
import { distanceOf, foundBy, type Search } from './search.ts'

export interface PlanFilter {
  readonly vendorId?: bigint | null
  readonly onSale?: boolean | null
  readonly token?: string | null
  readonly settlement?: string | null
  readonly maxPricePerDay?: bigint | null
}

export interface VendorFilter {
  readonly ids?: readonly bigint[] | null
  readonly active?: boolean | null
  readonly owner?: string | null
  readonly serviceType?: string | null
  readonly region?: string | null
  readonly reachable?: boolean | null
  readonly verified?: boolean | null
  readonly plan?: PlanFilter | null
}

export type OrderStatus = 'RUNNING' | 'ENDED' | 'CANCELLED'

export interface OrderFilter {
  readonly vendorId?: bigint | null
  readonly planId?: number | null
  readonly keyHashes?: readonly string[] | null
  readonly controller?: string | null
  readonly token?: string | null
  readonly status?: OrderStatus | null
}

export type Direction = 'ASC' | 'DESC'

export interface OrderBy<Field extends string> {
  readonly field: Field
  readonly direction: Direction
}

export interface Sorted {
  readonly list: List
  readonly sorting: Sorting
}

type Condition = RawBuilder<unknown>

/** A condition if its value is given; a filter's null means the same as leaving it out. */
const given = <Value>(value: Value | null | undefined, condition: (value: Value) => Condition): Condition[] =>
  value === null || value === undefined ? [] : [condition(value)]

const equals = (column: string) => (value: string | number) => sql`${sql.ref(column)} = ${value}`

const oneOf = (column: string, values: readonly string[]): Condition => {
  if (values.length > FILTER_LIST_MAX) {
    throw queryError('ERR_FILTER_INVALID', `a filter lists at most ${FILTER_LIST_MAX} values`)
  }
  return values.length === 0 ? sql`1 = 0` : sql`${sql.ref(column)} in (${sql.join(values)})`
}

const contains = (column: string, text: string): Condition =>
  sql`${sql.ref(column)} like ${`%${text.replace(/[\\%_]/g, '\\$&')}%`} escape ${'\\'}`

/** A NUL ends text in some databases, and a bar separates words: neither is in any word. */
const containsWord = (column: string) => (word: string) => {
  const text = word.toLowerCase()
  return /[|\0]/.test(text) ? sql`1 = 0` : contains(column, `|${text}|`)
}

/** Pads a vendor id as keys are; an id that no vendor can have matches nothing. */
const keyOf = (vendorId: bigint): string => (vendorId < 2n ** 64n ? vendorKey(vendorId) : '-')

const cheaperThan =
  (column: string, token: unknown) =>
  (price: bigint): Condition => {
    if (!token) throw queryError('ERR_ORDER_NEEDS_TOKEN', 'prices compare within a token: give `token` in the filter')
    // More than any price there can be bounds nothing.
    return price >= 2n ** 160n ? sql`1 = 1` : sql`${sql.ref(column)} <= ${encodeAmount(price)}`
  }

const planConditions = (table: string, filter: PlanFilter, at: Moment): Condition[] => [
  standsAt(table, at),
  ...given(filter.vendorId, (id) => equals(`${table}.vendor_id`)(keyOf(id))),
  ...given(filter.onSale, (onSale) => equals(`${table}.on_sale`)(encodeFlag(onSale))),
  ...given(filter.token, equals(`${table}.token`)),
  ...given(filter.settlement, equals(`${table}.settlement`)),
  ...given(filter.maxPricePerDay, cheaperThan(`${table}.price_per_day`, filter.token)),
]

/** @param columns those that the rows are sorted by before their ids, and what stands for the id where it is not `id` */
const sortedBy = (
  columns: Readonly<Record<string, readonly [column: string, id?: string]>>,
  order: OrderBy<string> | null | undefined,
): Sorting => {
  const { field, direction } = order ?? { field: 'ID', direction: 'ASC' }
  const [column, id = 'id'] = columns[field] ?? []
  return {
    name: `${field}_${direction}`,
    columns: column === undefined ? [id] : [column, id],
    descending: direction === 'DESC',
  }
}

/** Whether which vendors are listed, or in which order, depends on what the prober found. */
export const restsOnProbes = (
  filter: VendorFilter | null | undefined,
  order: VendorOrder | null | undefined,
): boolean => (filter?.reachable ?? filter?.verified ?? null) !== null || order?.field === 'UPTIME'

/** What the prober found, which is the same for every block. */
const isProbed = (column: 'reachable' | 'verified') => (wanted: boolean) => {
  const found = sql`exists (
    select 1 from vendor_probes where vendor_probes.vendor_id = listed.id and ${sql.ref(`vendor_probes.${column}`)} = 1)`
  return wanted ? found : sql`not ${found}`
}

/** Vendors that were never tried have been up for nothing. */
const VENDORS_WITH_UPTIME = sql`(select vendors.*, coalesce(vendor_probes.uptime, 0) as uptime
  from vendors left join vendor_probes on vendor_probes.vendor_id = vendors.id)`

export interface VendorOrder extends OrderBy<'ID' | 'CREATED' | 'CHANGED' | 'PRICE' | 'VOLUME' | 'UPTIME'> {
  readonly token?: string | null
}

/** Vendors with what they are sorted by, in a column of its own. */
const vendorSource = (
  order: VendorOrder | null | undefined,
  plan: PlanFilter,
  search: Search | undefined,
  at: At,
): RawBuilder<unknown> => {
  const plans = (table: string) => sql.join(planConditions(table, plan, at), sql` and `)
  switch (order?.field) {
    case 'PRICE':
      if (!plan.token) throw queryError('ERR_ORDER_NEEDS_TOKEN', 'sorting by price needs `token` in `filter.plan`')
      // Plans come by price from an index, and each vendor's first is kept: a page reads little more than its rows.
      return sql`(select vendors.*, offers.price_per_day as cheapest, offers.id as offer
        from plans as offers join vendors on vendors.id = offers.vendor_id
        where ${plans('offers')} and not exists (
          select 1 from plans where plans.vendor_id = offers.vendor_id and ${plans('plans')}
            and (plans.price_per_day, plans.id) < (offers.price_per_day, offers.id)))`
    case 'VOLUME':
      if (!order.token) throw queryError('ERR_ORDER_NEEDS_TOKEN', 'sorting by volume needs `token` in `orderBy`')
      return sql`(select vendors.*, earned.volume, earned.vendor_id as earner
        from volumes as earned join vendors on vendors.id = earned.vendor_id
        where earned.token = ${order.token} and ${standsAt('earned', at)})`
    case 'UPTIME':
      return VENDORS_WITH_UPTIME
    case undefined:
      if (!search || search.isCommon) return sql.table('vendors')
      return sql`(select vendors.*, ${distanceOf(search)} as distance from vendors)`
    default:
      return sql.table('vendors')
  }
}

/** By how well they match, unless told otherwise, if there is a search. @throws ERR_FILTER_INVALID | ERR_ORDER_NEEDS_TOKEN */
export const vendorList = (
  filter: VendorFilter | null | undefined,
  search: Search | undefined,
  order: VendorOrder | null | undefined,
  at: At,
): Sorted => {
  const plans = (planFilter: PlanFilter) => sql.join(planConditions('plans', planFilter, at), sql` and `)
  const source = vendorSource(order, filter?.plan ?? {}, search, at)
  const withPlan = given(
    filter?.plan,
    (plan) => sql`exists (select 1 from plans where plans.vendor_id = listed.id and ${plans(plan)})`,
  )
  const conditions = [
    standsAt('listed', at),
    ...given(filter?.ids, (ids) => oneOf('listed.id', ids.map(keyOf))),
    ...given(filter?.active, (active) => equals('listed.active')(encodeFlag(active))),
    ...given(filter?.owner, equals('listed.owner')),
    ...given(filter?.serviceType, containsWord('listed.service_types')),
    ...given(filter?.region, containsWord('listed.regions')),
    ...given(filter?.reachable, isProbed('reachable')),
    ...given(filter?.verified, isProbed('verified')),
    ...given(search, (words) => foundBy(words, at)),
  ]
  // Ids are given in the order of registration.
  const columns = {
    CHANGED: ['from_block'],
    PRICE: ['cheapest', 'offer'],
    VOLUME: ['volume', 'earner'],
    UPTIME: ['uptime'],
    RELEVANCE: ['distance'],
  } as const
  const sorting = sortedBy(
    columns,
    order ?? (search && !search.isCommon ? { field: 'RELEVANCE', direction: 'ASC' } : undefined),
  )
  const name = order?.field === 'VOLUME' ? `${sorting.name}_${order.token}` : sorting.name
  const list =
    order?.field === 'PRICE'
      ? { source, conditions, counted: { source: sql.table('vendors'), conditions: [...conditions, ...withPlan] } }
      : { source, conditions: [...conditions, ...withPlan] }
  return { list, sorting: { ...sorting, name } }
}

export type PlanOrder = OrderBy<'ID' | 'CREATED' | 'CHANGED' | 'PRICE'>

/** @throws ERR_ORDER_NEEDS_TOKEN */
export const planList = (
  filter: PlanFilter | null | undefined,
  order: PlanOrder | null | undefined,
  at: Moment,
): Sorted => {
  if (order?.field === 'PRICE' && !filter?.token) {
    throw queryError('ERR_ORDER_NEEDS_TOKEN', 'sorting by price needs `token` in the filter')
  }
  return {
    list: { source: sql.table('plans'), conditions: planConditions('listed', filter ?? {}, at) },
    sorting: sortedBy({ CREATED: ['created_block'], CHANGED: ['from_block'], PRICE: ['price_per_day'] }, order),
  }
}

export type OrderOrder = OrderBy<'ID' | 'CHANGED' | 'STARTED_AT' | 'ENDS_AT'>

const hasStatus =
  ({ timestampSeconds }: At) =>
  (status: OrderStatus): Condition => {
    if (status === 'CANCELLED') return sql`listed.cancelled = 1`
    const operator = sql.raw(status === 'RUNNING' ? '>' : '<=')
    return sql`listed.cancelled = 0 and listed.ends_at ${operator} ${timestampSeconds}`
  }

/** @throws ERR_FILTER_INVALID */
export const orderList = (
  filter: OrderFilter | null | undefined,
  order: OrderOrder | null | undefined,
  at: At,
): Sorted => {
  if (filter?.planId != null && filter.vendorId == null) {
    throw queryError('ERR_FILTER_INVALID', 'plan ids count per vendor: give `vendorId` with `planId`')
  }
  const conditions = [
    standsAt('listed', at),
    ...given(filter?.vendorId, (id) => equals('listed.vendor_id')(keyOf(id))),
    ...given(filter?.planId, equals('listed.plan_id')),
    ...given(filter?.keyHashes, (hashes) => oneOf('listed.key_hash', hashes)),
    ...given(filter?.controller, equals('listed.controller')),
    ...given(filter?.token, equals('listed.token')),
    ...given(filter?.status, hasStatus(at)),
  ]
  const columns = { CHANGED: ['from_block'], STARTED_AT: ['started_at'], ENDS_AT: ['ends_at'] } as const
  return { list: { source: sql.table('orders'), conditions }, sorting: sortedBy(columns, order) }
}

/** All versions that rows had up to a block: of each row one per block that changed it. */
export const historyList = (table: Versioned, direction: Direction, { number }: Moment): Sorted => ({
  list: { source: sql.table(table), conditions: [sql`listed.from_block <= ${number}`] },
  sorting: { name: `HISTORY_${direction}`, columns: ['from_block'], descending: direction === 'DESC' },
})
