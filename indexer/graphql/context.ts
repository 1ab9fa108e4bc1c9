/** What the fields of one request share: the block it is answered for, and lookups gathered into few statements. */
import DataLoader from 'dataloader'
import type { Kysely } from 'kysely'
import type { Block } from '../../chain/types.ts'
import { type Clock, nowSeconds } from '../../effects/clock.ts'
import { QUERY_TIME_MS_MAX } from '../limits.ts'
import type { Database, PlanRow, VendorRow } from '../schema.ts'
import type { Source } from '../store.ts'
import { type At, type BlockInput, isRecorded, readBlock, standsAt } from './block-at.ts'
import type { Changing, Head, HeadWatch } from './head.ts'
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
import { late } from './run.ts'

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
  readonly head: HeadWatch
  /** What the prober found out. */
  readonly probes: Changing
  readonly source: Source
  readonly clock: Clock
  readonly sha256: (bytes: Uint8Array) => Uint8Array
  /** Header of a block that cannot change any more, from the chain; undefined if it has none. */
  readonly readHeader: (number: number) => Promise<Block | undefined>
}

/** What an answer rests on that can change, each as it was: while all of it is so still, the answer is as good as new. */
export type Grounds = ReadonlyMap<Changing, ReturnType<Changing['revision']>>

export interface RequestContext extends Pick<Directory, 'source' | 'readHeader' | 'probes'>, ProbeReads {
  /** Refuses statements when the request's time is over. */
  readonly db: Kysely<Database>
  /** The newest block, as it was when this request first asked: every field is answered for the same. */
  newest(): Promise<At>
  /** Newest block that is never undone. */
  finalizedNumber(): Promise<number>
  /** Unix seconds. */
  nowSeconds(): number
  /** Notes, before it is read, that the answer rests on something that changes without a new block. */
  restOn(changing: Changing): void
  readonly grounds: Grounds
  /** Whether the block that the answer is for was undone meanwhile: its parts may not fit together then. */
  wasReplaced(): Promise<boolean>
  at(input: BlockInput | null | undefined): Promise<At>
  vendor(key: string, at: At): Promise<Seen<VendorRow> | undefined>
  plan(key: string, at: At): Promise<Seen<PlanRow> | undefined>
  plansOf(vendorKey: string, args: PlansArguments, at: At): Promise<Connection<Seen<PlanRow>>>
}

/** Loaders by what they have in common, each made once a request. */
const kept = <Key, Value>(make: (key: Key) => Value) => {
  const values = new Map<Key, Value>()
  return (key: Key): Value => {
    const value = values.get(key) ?? make(key)
    values.set(key, value)
    return value
  }
}

/** The clock: it is another at any time. */
const time: Changing = { revision: () => Number.NaN }

const align = <Row extends { readonly id: string }>(keys: readonly string[], rows: readonly Row[], at: At) => {
  const found = new Map(rows.map((row) => [row.id, { row, at }]))
  return keys.map((key) => found.get(key))
}

/** Names a set of arguments; amounts are bigint, which JSON has no form for. */
const nameOf = (value: unknown): string =>
  JSON.stringify(value, (_, inner: unknown) => (typeof inner === 'bigint' ? `${inner}n` : inner))

export const createContext = (directory: Directory): RequestContext => {
  const { head, clock, source, probes, readHeader } = directory
  const lateAtMs = clock.nowMs() + QUERY_TIME_MS_MAX
  const db = directory.db.withPlugin({
    transformQuery: ({ node }) => {
      if (clock.nowMs() >= lateAtMs) throw late()
      return node
    },
    transformResult: async ({ result }) => result,
  })

  const grounds = new Map<Changing, ReturnType<Changing['revision']>>()
  const reorgs = head.reorgs()
  let reading: Promise<Head> | undefined
  const newest = (): Promise<Head> =>
    (reading ??= head.read().then((read) => {
      grounds.set(head.block, read.hash)
      return read
    }))
  // One object for each block, so that it can stand for its block below.
  const ats = kept(async (name: string) =>
    readBlock({ db, readHeader }, await newest(), JSON.parse(name) as BlockInput),
  )

  const vendors = kept(
    (at: At) =>
      new DataLoader<string, Seen<VendorRow> | undefined>(async (keys) => {
        const rows = await db
          .selectFrom('vendors')
          .selectAll()
          .where('id', 'in', keys)
          .where(standsAt('vendors', at))
          .execute()
        return align(keys, rows, at)
      }),
  )
  const plans = kept(
    (at: At) =>
      new DataLoader<string, Seen<PlanRow> | undefined>(async (keys) => {
        const rows = await db
          .selectFrom('plans')
          .selectAll()
          .where('id', 'in', keys)
          .where(standsAt('plans', at))
          .execute()
        return align(keys, rows, at)
      }),
  )

  /** Pages of plans of many vendors, when each asks for the same kind of page. */
  const planPages = (args: PlansArguments, at: At) => {
    const { list, sorting } = planList(args.filter, args.orderBy, at)
    const request = pageRequest(sorting, args)
    const counts = kept(
      (part: Part) =>
        new DataLoader<string, number>(async (keys) => {
          const found = await countRowsPer(db, list, request, part, 'vendor_id', keys)
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
  // Rows of one list share the object of their arguments; other fields may still ask for the same.
  const pagesNamed = new Map<string, ReturnType<typeof planPages>>()
  const pages = kept((at: At) =>
    kept((args: PlansArguments) => {
      const name = nameOf([args, at])
      const named = pagesNamed.get(name) ?? planPages(args, at)
      pagesNamed.set(name, named)
      return named
    }),
  )

  const restOn = (changing: Changing): void => {
    // Of two the earlier counts: what was read first may be older than the later one.
    if (!grounds.has(changing)) grounds.set(changing, changing.revision())
  }

  return {
    source,
    probes,
    readHeader,
    db,
    newest,
    async finalizedNumber() {
      const { finalizedNumber } = await newest()
      grounds.set(head.finality, finalizedNumber)
      return finalizedNumber
    },
    nowSeconds() {
      grounds.set(time, time.revision())
      return nowSeconds(clock)
    },
    restOn,
    grounds,
    async wasReplaced() {
      const answeredFor = await reading?.catch(() => undefined)
      if (!answeredFor || (reorgs === head.reorgs() && reorgs % 2 === 0)) return false
      return !(await isRecorded(directory.db, answeredFor))
    },
    at: (input) => (input ? ats(JSON.stringify(input)) : newest()),
    vendor: (key, at) => vendors(at).load(key),
    plan: (key, at) => plans(at).load(key),
    plansOf: async (vendorKey, args, at) => pages(at)(args).load(vendorKey),
    ...createProbeReads(db, () => restOn(probes)),
  }
}
