/** What the fields of one request share: the block it is answered for, and lookups gathered into few statements. */
import DataLoader from 'dataloader'
import { type Kysely, sql } from 'kysely'
import type { Block } from '../../chain/types.ts'
import { type Clock, nowSeconds } from '../../effects/clock.ts'
import { HEADERS_PER_RUN_MAX, QUERY_TIME_MS_MAX } from '../limits.ts'
import type { Database, PlanRow, VendorRow, Versioned } from '../schema.ts'
import type { Source } from '../store.ts'
import { type At, type BlockInput, isRecorded, type Moment, readBlock, standsAt } from './block-at.ts'
import type { Feed } from './feed.ts'
import type { Changing, Head, HeadWatch } from './head.ts'
import { type PlanFilter, planList, type PlanOrder } from './lists.ts'
import type { Connection, PageArguments } from './page.ts'
import { pagesPer } from './pages-per.ts'
import { createProbeReads, type ProbeReads } from './probes.ts'
import { late } from './run.ts'

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
  readonly head: HeadWatch
  readonly feed: Feed
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

export interface RequestContext extends Pick<Directory, 'source' | 'feed' | 'probes'>, ProbeReads {
  /** All that was written of the chain, for what is not the same whenever the newest block is. */
  readonly writes: Changing
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
  /** The end of a block by number, one object each as that of `at`: what is loaded for it is loaded together. */
  moment(number: number): Moment
  vendor(key: string, at: Moment): Promise<Seen<VendorRow> | undefined>
  plan(key: string, at: Moment): Promise<Seen<PlanRow> | undefined>
  plansOf(vendorKey: string, args: PlansArguments, at: Moment): Promise<Connection<Seen<PlanRow>>>
  /** What fields of this request share under a name, made by the first that asks. */
  shared<Value>(name: readonly unknown[], make: () => Value): Value
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

const align = <Row extends { readonly id: string }>(keys: readonly string[], rows: readonly Row[], at: Moment) => {
  const found = new Map(rows.map((row) => [row.id, { row, at }]))
  return keys.map((key) => found.get(key))
}

/** Names a set of arguments; amounts are bigint, which JSON has no form for. */
const nameOf = (value: unknown): string =>
  JSON.stringify(value, (_, inner: unknown) => (typeof inner === 'bigint' ? `${inner}n` : inner))

/** The same questions to the chain, but not too many of them. */
const sparing = ({ readHeader }: Directory): Directory['readHeader'] => {
  let left = HEADERS_PER_RUN_MAX
  return async (number) => (left-- > 0 ? readHeader(number) : undefined)
}

export const createContext = (directory: Directory): RequestContext => {
  const { head, feed, clock, source, probes } = directory
  const readHeader = sparing(directory)
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

  const moment = kept((number: number): Moment => ({ number }))

  const named = new Map<string, unknown>()
  const shared = <Value>(name: readonly unknown[], make: () => Value): Value => {
    const key = nameOf(name)
    const value = named.has(key) ? (named.get(key) as Value) : make()
    named.set(key, value)
    return value
  }

  /** Rows of a table by key, as they stand at a block. */
  const rowsOf = <Row extends { readonly id: string }>(table: Versioned) =>
    kept(
      (at: Moment) =>
        new DataLoader<string, Seen<Row> | undefined>(async (keys) => {
          const standing = sql<Row>`
            select * from ${sql.table(table)} where id in (${sql.join(keys)}) and ${standsAt(table, at)}`
          return align(keys, (await standing.execute(db)).rows, at)
        }),
    )
  const vendors = rowsOf<VendorRow>('vendors')
  const plans = rowsOf<PlanRow>('plans')

  // Rows of one list share the object of their arguments; other fields may still ask for the same.
  const pages = kept((at: Moment) =>
    kept((args: PlansArguments) =>
      shared(['plans', args, at.number], () =>
        pagesPer(db, planList(args.filter, args.orderBy, at), args, 'vendor_id', (row: PlanRow) => ({ row, at })),
      ),
    ),
  )

  const restOn = (changing: Changing): void => {
    // Of two the earlier counts: what was read first may be older than the later one.
    if (!grounds.has(changing)) grounds.set(changing, changing.revision())
  }

  return {
    source,
    feed,
    probes,
    writes: head.writes,
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
    moment,
    vendor: (key, at) => vendors(at).load(key),
    plan: (key, at) => plans(at).load(key),
    plansOf: async (vendorKey, args, at) => pages(at)(args).load(vendorKey),
    shared,
    ...createProbeReads(db, () => restOn(probes)),
  }
}
