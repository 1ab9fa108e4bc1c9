/** What the fields of one request share: the block it is answered for, and lookups gathered into few statements. */
import DataLoader from 'dataloader'
import type { Kysely } from 'kysely'
import type { Block } from '../../chain/types.ts'
import type { Database, PlanRow, VendorRow } from '../schema.ts'
import type { Source } from '../store.ts'
import { type At, type BlockInput, readBlock, readHead, standsAt } from './block-at.ts'
import { type PlanFilter, planList, type PlanOrder } from './lists.ts'
import {
  type Connection,
  connection,
  countRowsPer,
  type PageArguments,
  pageRequest,
  type Part,
  readPages,
} from './page.ts'
import { createProbeReads, type ProbeReads } from './probes.ts'

/** A row as it stands at a block: what a node of the answer is made of. */
export interface Seen<Row> {
  readonly row: Row
  readonly at: At
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

export interface RequestContext extends Directory, ProbeReads {
  /** The newest block, as it was when this request first asked: every field is answered for the same. */
  head(): Promise<At>
  /** The head that this request was answered for, if it asked. */
  askedHead(): Promise<At> | undefined
  /** Newest block that is never undone; -1 before the first. */
  finalizedNumber(): Promise<number>
  at(input: BlockInput | null | undefined): Promise<At>
  vendor(key: string, at: At): Promise<Seen<VendorRow> | undefined>
  plan(key: string, at: At): Promise<Seen<PlanRow> | undefined>
  plansOf(vendorKey: string, args: PlansArguments, at: At): Promise<Connection<Seen<PlanRow>>>
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

const align = <Row extends { readonly id: string }>(keys: readonly string[], rows: readonly Row[], at: At) => {
  const found = new Map(rows.map((row) => [row.id, { row, at }]))
  return keys.map((key) => found.get(key))
}

/** Names a set of arguments; amounts are bigint, which JSON has no form for. */
const nameOf = (value: unknown): string =>
  JSON.stringify(value, (_, inner: unknown) => (typeof inner === 'bigint' ? `${inner}n` : inner))

export const createContext = (directory: Directory): RequestContext => {
  const { db } = directory
  const head = once(() => readHead(db))
  const finalized = once(async () => {
    const row = await db.selectFrom('checkpoint').select('finalized_number').executeTakeFirst()
    return row?.finalized_number ?? -1
  })
  const ats = kept(async (name) => readBlock(directory, await head.get(), JSON.parse(name) as BlockInput))

  const vendors = kept((name) => {
    const at = JSON.parse(name) as At
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
    const at = JSON.parse(name) as At
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

  /** Pages of plans of many vendors, when each asks for the same kind of page. */
  const planPages = (args: PlansArguments, at: At) => {
    const { list, sorting } = planList(args.filter, args.orderBy, at)
    const request = pageRequest(sorting, args)
    const counts = kept(
      (part) =>
        new DataLoader<string, number>(async (keys) => {
          const found = await countRowsPer(db, list, request, part as Part, 'vendor_id', keys)
          return keys.map((key) => found.get(key) ?? 0)
        }),
    )
    return new DataLoader<string, Connection<Seen<PlanRow>>>(async (keys) => {
      const rows = await readPages<PlanRow>(db, list, request, 'vendor_id', keys)
      const byVendor = Map.groupBy(rows, (row) => row.vendor_id)
      return keys.map((key) => {
        const toNode = (row: PlanRow) => ({ row, at })
        return connection(request, byVendor.get(key) ?? [], toNode, (part) => counts(part).load(key))
      })
    })
  }
  const pagesByArguments = new Map<string, ReturnType<typeof planPages>>()

  return {
    ...directory,
    ...createProbeReads(db),
    head: head.get,
    askedHead: head.peek,
    finalizedNumber: finalized.get,
    at: (input) => (input ? ats(JSON.stringify(input)) : head.get()),
    vendor: (key, at) => vendors(JSON.stringify(at)).load(key),
    plan: (key, at) => plans(JSON.stringify(at)).load(key),
    plansOf: async (vendorKey, args, at) => {
      const name = nameOf([args, at])
      const pages = pagesByArguments.get(name) ?? planPages(args, at)
      pagesByArguments.set(name, pages)
      return pages.load(vendorKey)
    },
  }
}
