/** What the fields of one request share: the block it is answered for, and lookups gathered into few statements. */
import DataLoader from 'dataloader'
import type { Kysely } from 'kysely'
import type { Block } from '../../chain/types.ts'
import type { Clock } from '../../effects/clock.ts'
import type { Feed } from './feed.ts'
import { HEADERS_PER_REQUEST_MAX } from '../limits.ts'
import type { Database, PlanRow, VendorRow } from '../schema.ts'
import type { Source } from '../store.ts'
import { type At, type BlockInput, type Moment, readBlock, readHead, standsAt } from './block-at.ts'
import { type PlanFilter, planList, type PlanOrder } from './lists.ts'
import { pagesPer } from './pages-per.ts'
import type { Connection, PageArguments } from './page.ts'

/** A row as it stands at a block: what a node of the answer is made of. */
export interface Seen<Row> {
  readonly row: Row
  readonly at: Moment
}

export interface PlansArguments extends PageArguments {
  readonly filter?: PlanFilter | null
  readonly orderBy?: PlanOrder | null
}

export interface Directory {
  readonly db: Kysely<Database>
  readonly feed: Feed
  readonly clock: Clock
  readonly source: Source
  /** Unix seconds. */
  nowSeconds(): number
  /** Header of a block that cannot change any more, from the chain; undefined if it has none. */
  readHeader(number: number): Promise<Block | undefined>
}

export interface RequestContext extends Directory {
  /** The newest block, as it was when this request first asked: every field is answered for the same. */
  head(): Promise<At>
  /** The head that this request was answered for, if it asked. */
  askedHead(): Promise<At> | undefined
  /** Newest block that is never undone; -1 before the first. */
  finalizedNumber(): Promise<number>
  at(input: BlockInput | null | undefined): Promise<At>
  vendor(key: string, at: Moment): Promise<Seen<VendorRow> | undefined>
  plan(key: string, at: Moment): Promise<Seen<PlanRow> | undefined>
  plansOf(vendorKey: string, args: PlansArguments, at: Moment): Promise<Connection<Seen<PlanRow>>>
  /** What fields of this request share under a name, made by the first that asks. */
  shared<Value>(name: readonly unknown[], make: () => Value): Value
}

/** Loaders by what they have in common, each made once a request. */
const kept = <Value>(make: (key: string) => Value) => {
  const values = new Map<string, Value>()
  return (key: string): Value => {
    const value = values.get(key) ?? make(key)
    values.set(key, value)
    return value
  }
}

const once = <Value>(make: () => Value) => {
  let made: { value: Value } | undefined
  return { get: () => (made ??= { value: make() }).value, peek: () => made?.value }
}

const align = <Row extends { readonly id: string }>(keys: readonly string[], rows: readonly Row[], at: Moment) => {
  const found = new Map(rows.map((row) => [row.id, { row, at }]))
  return keys.map((key) => found.get(key))
}

/** Names a set of arguments; amounts are bigint, which JSON has no form for. */
const nameOf = (value: unknown): string =>
  JSON.stringify(value, (_, inner: unknown) => (typeof inner === 'bigint' ? `${inner}n` : inner))

/** The same questions to the chain, but not too many of them. */
const sparing = ({ readHeader }: Directory): Directory['readHeader'] => {
  let left = HEADERS_PER_REQUEST_MAX
  return async (number) => (left-- > 0 ? readHeader(number) : undefined)
}

export const createContext = (directory: Directory): RequestContext => {
  const { db } = directory
  const readHeader = sparing(directory)
  const head = once(() => readHead(db))
  const finalized = once(async () => {
    const row = await db.selectFrom('checkpoint').select('finalized_number').executeTakeFirst()
    return row?.finalized_number ?? -1
  })
  const ats = kept(async (name) => readBlock({ db, readHeader }, await head.get(), JSON.parse(name) as BlockInput))

  const vendors = kept((name) => {
    const at = { number: Number(name) }
    return new DataLoader<string, Seen<VendorRow> | undefined>(async (keys) => {
      const rows = await db
        .selectFrom('vendors')
        .selectAll()
        .where('id', 'in', keys)
        .where(standsAt('vendors', at))
        .execute()
      return align(keys, rows, at)
    })
  })
  const plans = kept((name) => {
    const at = { number: Number(name) }
    return new DataLoader<string, Seen<PlanRow> | undefined>(async (keys) => {
      const rows = await db
        .selectFrom('plans')
        .selectAll()
        .where('id', 'in', keys)
        .where(standsAt('plans', at))
        .execute()
      return align(keys, rows, at)
    })
  })

  const kinds = new Map<string, unknown>()
  const shared = <Value>(name: readonly unknown[], make: () => Value): Value => {
    const key = nameOf(name)
    const value = kinds.has(key) ? (kinds.get(key) as Value) : make()
    kinds.set(key, value)
    return value
  }

  return {
    ...directory,
    head: head.get,
    askedHead: head.peek,
    finalizedNumber: finalized.get,
    at: (input) => (input ? ats(JSON.stringify(input)) : head.get()),
    vendor: (key, at) => vendors(`${at.number}`).load(key),
    plan: (key, at) => plans(`${at.number}`).load(key),
    plansOf: async (vendorKey, args, at) =>
      shared(['plans', args, at.number], () =>
        pagesPer(db, planList(args.filter, args.orderBy, at), args, 'vendor_id', (row: PlanRow) => ({ row, at })),
      ).load(vendorKey),
    shared,
  }
}
