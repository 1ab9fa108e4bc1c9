/** What the fields of one request share: the block it is answered for, and lookups gathered into few statements. */
import DataLoader from 'dataloader'
import type { Kysely } from 'kysely'
import type { Block } from '../../chain/types.ts'
import { HEADERS_PER_REQUEST_MAX } from '../limits.ts'
import type { Database, OrderRow, PlanRow, VendorRow, Versioned } from '../schema.ts'
import type { Source } from '../store.ts'
import { type At, type BlockInput, type Moment, readBlock, readHead, standsAt } from './block-at.ts'
import { type Direction, historyList, type PlanFilter, planList, type PlanOrder, type Sorted } from './lists.ts'
import {
  type Connection,
  connection,
  countRowsPer,
  type PageArguments,
  pageRequest,
  type Part,
  readPages,
} from './page.ts'

/** A row as it stands at a block: what a node of the answer is made of. */
export interface Seen<Row> {
  readonly row: Row
  readonly at: Moment
}

/** A row as it stood from a block until another, if that is known. */
export interface Version<Row> {
  readonly seen: Seen<Row>
  readonly fromBlock: number
  readonly toBlock: number | null
}

/** Rows of the tables whose history can be read. */
export interface Rows {
  readonly vendors: VendorRow
  readonly plans: PlanRow
  readonly orders: OrderRow
}

export interface HistoryArguments extends PageArguments {
  readonly direction: Direction
}

export interface PlansArguments extends PageArguments {
  readonly filter?: PlanFilter | null
  readonly orderBy?: PlanOrder | null
}

export interface Directory {
  readonly db: Kysely<Database>
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
  /** Versions of a row up to a block. */
  historyOf<Table extends Versioned>(
    table: Table,
    key: string,
    args: HistoryArguments,
    at: Moment,
  ): Promise<Connection<Version<Rows[Table]>>>
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

/** Loaders of what stands at a block, by the block's number. */
const perMoment = <Value>(make: (at: Moment) => Value) => {
  const values = kept((name) => make({ number: Number(name) }))
  return ({ number }: Moment): Value => values(`${number}`)
}

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

  const vendors = perMoment(
    (at) =>
      new DataLoader<string, Seen<VendorRow> | undefined>(async (keys) => {
        const standing = db.selectFrom('vendors').selectAll().where(standsAt('vendors', at))
        return align(keys, await standing.where('id', 'in', keys).execute(), at)
      }),
  )
  const plans = perMoment(
    (at) =>
      new DataLoader<string, Seen<PlanRow> | undefined>(async (keys) => {
        const standing = db.selectFrom('plans').selectAll().where(standsAt('plans', at))
        return align(keys, await standing.where('id', 'in', keys).execute(), at)
      }),
  )

  /** Pages of many lists, one for each value of a column, when each asks for the same kind of page. */
  const pagesPer = <Row extends object, Node>(
    { list, sorting }: Sorted,
    args: PageArguments,
    column: string & keyof Row,
    toNode: (row: Row) => Node,
  ) => {
    const request = pageRequest(sorting, args)
    const counts = kept(
      (part) =>
        new DataLoader<string, number>(async (keys) => {
          const found = await countRowsPer(db, list, request, part as Part, column, keys)
          return keys.map((key) => found.get(key) ?? 0)
        }),
    )
    return new DataLoader<string, Connection<Node>>(async (keys) => {
      const rows = await readPages<Row>(db, list, request, column, keys)
      const byValue = Map.groupBy(rows, (row) => row[column])
      return keys.map((key) =>
        connection(request, byValue.get(key as Row[typeof column]) ?? [], toNode, (part) => counts(part).load(key)),
      )
    })
  }
  type Pages<Node> = DataLoader<string, Connection<Node>>
  const pagesByArguments = new Map<string, unknown>()
  /** Fields that ask the same of their parents are answered together. */
  const pages = <Node>(asked: unknown, make: () => Pages<Node>): Pages<Node> => {
    const name = nameOf(asked)
    const made = (pagesByArguments.get(name) as Pages<Node> | undefined) ?? make()
    pagesByArguments.set(name, made)
    return made
  }

  return {
    ...directory,
    head: head.get,
    askedHead: head.peek,
    finalizedNumber: finalized.get,
    at: (input) => (input ? ats(JSON.stringify(input)) : head.get()),
    vendor: (key, at) => vendors(at).load(key),
    plan: (key, at) => plans(at).load(key),
    plansOf: async (vendorKey, args, at) =>
      pages(['plans', args, at.number], () =>
        pagesPer(planList(args.filter, args.orderBy, at), args, 'vendor_id', (row: PlanRow) => ({ row, at })),
      ).load(vendorKey),
    historyOf: async <Table extends Versioned>(table: Table, key: string, args: HistoryArguments, at: Moment) =>
      pages(['history', table, args, at.number], () =>
        pagesPer(historyList(table, args.direction, at), args, 'id', (row: Rows[Table]) => versionOf(row, at)),
      ).load(key),
  }
}

/** What followed on a version is told up to the block that is answered for. */
const versionOf = <Row extends VendorRow | PlanRow | OrderRow>(row: Row, at: Moment): Version<Row> => ({
  seen: { row, at: { number: row.from_block, hash: row.block_hash } },
  fromBlock: row.from_block,
  toBlock: row.to_block > at.number ? null : row.to_block,
})
