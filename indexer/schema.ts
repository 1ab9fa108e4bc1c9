/**
 * The directory's tables, for SQLite and PostgreSQL alike.
 *
 * `vendors`, `plans` and `orders` are versioned, and so are the sums over them: a row holds from the end of block
 * `from_block` until the end of `to_block - 1`, so the state at the end of block N is `from_block <= N and to_block > N`,
 * and undoing all blocks after N is deleting rows with a later `from_block` and reopening rows with a later `to_block`.
 * Several changes in one block leave one row, the last. `bytea` is a type in PostgreSQL, and in SQLite a column that keeps
 * blobs as they are. Numbers wider than 53 bits, flags and word lists are written as `columns.ts` says.
 */
import type { Insertable, Kysely, Selectable } from 'kysely'
import { type Migration, type MigrationProvider, Migrator } from 'kysely/migration'
import { probeMigration, type ProbeTables } from './prober/schema.ts'

/** Where on chain the last change of a row is written; its block is `from_block` or `block_number`. */
export interface EvidenceColumns {
  /** Hash of that block. */
  block_hash: string
  transaction_hash: string
  /** Position among all logs of the block. */
  log_index: number
}

interface SpanColumns {
  /** First block at whose end the row holds. */
  from_block: number
  /** First block at whose end it no longer holds; `OPEN` while it stands. */
  to_block: number
}

interface VersionColumns extends EvidenceColumns, SpanColumns {
  /** Block of the first version. */
  created_block: number
}

/** One row: which contracts on which chain this database is about. */
export interface SourceTable {
  /** Always 1. */
  id: number
  /** Decimal. */
  chain_id: string
  registry: string
  payments: string
}

/** One row, with the newest batch: how far the follower is. Absent before the first. */
export interface CheckpointTable {
  /** Always 1. */
  id: number
  /** Newest recorded block that is never undone. */
  finalized_number: number
  /** Newest block of the chain as the node told it. */
  head_number: number
}

/** Headers that the follower has handed over: all above the finalized block, below it only some. */
export interface BlocksTable {
  number: number
  hash: string
  parent_hash: string
  timestamp_seconds: number
}

export interface VendorsTable extends VersionColumns {
  /** `vendorKey`. */
  id: string
  /** The registry's counter of changes; rises by one with each. */
  version: number
  owner: string
  /** Whom the vendor is offered to; the zero address when to nobody. */
  pending_owner: string
  operator: string
  payout: string
  /** Flag: open for new orders. */
  active: number
  /** RFC 7638 thumbprint. */
  signing_key: string
  encryption_key: string
  /** JSON array of hex: each endpoint's bytes as they are on chain. */
  endpoints: string
  /** Profile's bytes as they are on chain. */
  profile: Uint8Array
  /** Flag: the profile is JSON of the known shape; otherwise all that follows from it is empty. */
  profile_valid: number
  /** Cleaned. */
  title: string
  /** Cleaned. */
  description: string
  /** Cleaned; never fetched. */
  logo: string
  /** Words. */
  service_types: string
  /** Words. */
  regions: string
  /** Words of the title, as `protocol/words.ts` has them. */
  search_title: string
  /** Words of title, service types, regions and description. */
  search_text: string
  /** Plans exist with ids 1 to this number. */
  plan_count: number
}

export interface PlansTable extends VersionColumns {
  /** `planKey`. */
  id: string
  /** `vendorKey`. */
  vendor_id: string
  plan_id: number
  /** Zero address: the native coin. */
  token: string
  /** Amount in the token's smallest units for one period. */
  price: string
  period_seconds: number
  max_periods: number
  /** `Instant` or `Streamed`. */
  settlement: string
  /** Title's bytes as they are on chain. */
  title_bytes: Uint8Array
  /** Cleaned. */
  title: string
  /** Words of the title. */
  search_text: string
  /** Flag. */
  on_sale: number
  /** Amount for 86,400 seconds, rounded up: by this, plans of different periods are compared. */
  price_per_day: string
}

export interface OrdersTable extends VersionColumns {
  /** The contract's order id. */
  id: string
  /** `vendorKey`. */
  vendor_id: string
  plan_id: number
  /** The buyer's keyId. */
  key_hash: string
  /** The plan's token; empty while the plan is unknown. */
  token: string
  /** Who may cancel; the zero address for nobody. */
  controller: string
  /** Start of the current run, unix seconds. */
  started_at: number
  /** End of the paid time, unix seconds. */
  ends_at: number
  /** Periods paid for in the current run. */
  periods: number
  /** Flag: the current run was cancelled. */
  cancelled: number
  /** Amount of all purchases so far. */
  paid: string
  /** Amount returned by cancellations so far. */
  refunded: string
  /** Amount the vendor has withdrawn so far. */
  withdrawn: string
}

/** How many there are of what. One row. */
export interface TotalsTable extends SpanColumns {
  /** Empty. */
  id: string
  vendors: number
  active_vendors: number
  plans: number
  plans_on_sale: number
  orders: number
}

/** What was paid in a token, to one vendor and to all: sums over the rows of `orders`. */
export interface VolumesTable extends SpanColumns {
  /** `volumeKey`. */
  id: string
  /** `vendorKey`; empty for all vendors together. */
  vendor_id: string
  /** As of the orders. */
  token: string
  /** How many orders. */
  orders: number
  /** Amounts. */
  paid: string
  refunded: string
  withdrawn: string
  /** Amount paid and not refunded. */
  volume: string
}

/**
 * Vendors by words that they or their plans have or ever had, also on a branch that was undone: where to look, not what
 * is found. That is what the words in their rows say.
 */
export interface WordsTable {
  /** UTF-8. */
  word: Uint8Array
  /** `vendorKey`. */
  vendor_id: string
}

/**
 * What subscribers are told, in the order of telling, which no reorg changes: one that undoes events adds that they are
 * retracted. Rows up to `feed_state.floor` are not kept.
 */
export interface FeedTable extends EvidenceColumns {
  /** Counts without holes. */
  seq: number
  /** `vendor`: a row of `vendors` changed; `payment`: an order was paid. */
  kind: string
  /** The event that this retracts, by `seq`; 0 when it is an event itself. */
  retracts: number
  block_number: number
  /** `vendorKey`. */
  vendor_id: string
  /** Words before the change and after it; none of a payment. */
  service_types: string
  regions: string
  /** JSON of a `Payment`; empty of a vendor. */
  payment: string
}

/** One row, with the first batch. */
export interface FeedStateTable {
  /** Always 1. */
  id: number
  /** `seq` that was given last. */
  newest: number
  /** Rows of the feed with a later `seq` are kept. */
  floor: number
  /** Of this block and those before, rows may be kept no more. */
  floor_block: number
}

/** Places where the chain's own counters show that a log is missing or came twice. */
export interface GapsTable extends EvidenceColumns {
  block_number: number
  kind: string
  /** What the counter belongs to: a vendor's or plan's number, an order id, or `registry`. */
  subject: string
  /** What the counter had to be, decimal. */
  expected: string
  /** What it was, decimal. */
  found: string
}

/** Logs of the followed contracts that are none of their events. */
export interface UndecodableLogsTable extends EvidenceColumns {
  block_number: number
  address: string
  /** JSON array of hex. */
  topics: string
  /** Data's first bytes, `UNDECODABLE_DATA_BYTES_MAX` at most. */
  data: Uint8Array
  /** How many bytes the log's data has. */
  data_length: number
  reason: string
}

/** What the chain says. */
interface ChainTables {
  source: SourceTable
  checkpoint: CheckpointTable
  blocks: BlocksTable
  vendors: VendorsTable
  plans: PlansTable
  orders: OrdersTable
  totals: TotalsTable
  volumes: VolumesTable
  words: WordsTable
  feed: FeedTable
  feed_state: FeedStateTable
  gaps: GapsTable
  undecodable_logs: UndecodableLogsTable
}

export interface Database extends ChainTables, ProbeTables {}

export type VendorRow = Selectable<VendorsTable>
export type PlanRow = Selectable<PlansTable>
export type OrderRow = Selectable<OrdersTable>
export type BlockRow = Selectable<BlocksTable>
export type TotalsRow = Selectable<TotalsTable>
export type VolumeRow = Selectable<VolumesTable>
export type WordRow = Selectable<WordsTable>
export type FeedRow = Selectable<FeedTable>
export type GapRow = Selectable<GapsTable>
export type UndecodableLogRow = Insertable<UndecodableLogsTable>

/** The tables whose rows are versioned. */
export const VERSIONED = ['vendors', 'plans', 'orders'] as const
export type Versioned = (typeof VERSIONED)[number]

/** The tables whose rows are versioned and follow from the others. */
export const SUMMED = ['totals', 'volumes'] as const
export type Summed = (typeof SUMMED)[number]

/** The tables whose rows are written once, with the block that tells them. */
export const RECORDED = ['gaps', 'undecodable_logs'] as const

const text = (names: readonly string[]) => names.map((name) => [name, 'text'] as const)
const integers = (names: readonly string[]) => names.map((name) => [name, 'bigint'] as const)
const bytes = (names: readonly string[]) => names.map((name) => [name, 'bytea'] as const)

type Column = readonly [name: string, type: 'text' | 'bigint' | 'bytea']

const EVIDENCE: readonly Column[] = [...text(['block_hash', 'transaction_hash']), ...integers(['log_index'])]
const SPAN: readonly Column[] = [...text(['id']), ...integers(['from_block', 'to_block'])]
const VERSION: readonly Column[] = [...SPAN, ...EVIDENCE, ...integers(['created_block'])]

const VENDOR_TEXT = ['owner', 'pending_owner', 'operator', 'payout', 'signing_key', 'encryption_key', 'endpoints']
const VENDOR_PROFILE = ['title', 'description', 'logo', 'service_types', 'regions', 'search_title', 'search_text']
const PLAN_TEXT = ['vendor_id', 'token', 'price', 'settlement', 'title', 'search_text', 'price_per_day']
const ORDER_TEXT = ['vendor_id', 'key_hash', 'token', 'controller', 'paid', 'refunded', 'withdrawn']

const CHAIN_TABLES: Readonly<Record<keyof ChainTables, { columns: readonly Column[]; key: readonly string[] }>> = {
  source: { columns: [...integers(['id']), ...text(['chain_id', 'registry', 'payments'])], key: ['id'] },
  checkpoint: { columns: integers(['id', 'finalized_number', 'head_number']), key: ['id'] },
  blocks: {
    columns: [...integers(['number', 'timestamp_seconds']), ...text(['hash', 'parent_hash'])],
    key: ['number'],
  },
  vendors: {
    columns: [
      ...VERSION,
      ...integers(['version', 'active', 'profile_valid', 'plan_count']),
      ...text([...VENDOR_TEXT, ...VENDOR_PROFILE]),
      ...bytes(['profile']),
    ],
    key: ['id', 'from_block'],
  },
  plans: {
    columns: [
      ...VERSION,
      ...integers(['plan_id', 'period_seconds', 'max_periods', 'on_sale']),
      ...text(PLAN_TEXT),
      ...bytes(['title_bytes']),
    ],
    key: ['id', 'from_block'],
  },
  orders: {
    columns: [
      ...VERSION,
      ...integers(['plan_id', 'started_at', 'ends_at', 'periods', 'cancelled']),
      ...text(ORDER_TEXT),
    ],
    key: ['id', 'from_block'],
  },
  totals: {
    columns: [...SPAN, ...integers(['vendors', 'active_vendors', 'plans', 'plans_on_sale', 'orders'])],
    key: ['id', 'from_block'],
  },
  volumes: {
    columns: [
      ...SPAN,
      ...text(['vendor_id', 'token', 'paid', 'refunded', 'withdrawn', 'volume']),
      ...integers(['orders']),
    ],
    key: ['id', 'from_block'],
  },
  words: { columns: [...bytes(['word']), ...text(['vendor_id'])], key: ['word', 'vendor_id'] },
  feed: {
    columns: [
      ...integers(['seq', 'retracts', 'block_number']),
      ...EVIDENCE,
      ...text(['kind', 'vendor_id', 'service_types', 'regions', 'payment']),
    ],
    key: ['seq'],
  },
  feed_state: { columns: integers(['id', 'newest', 'floor', 'floor_block']), key: ['id'] },
  gaps: {
    columns: [...integers(['block_number']), ...EVIDENCE, ...text(['kind', 'subject', 'expected', 'found'])],
    key: ['block_number', 'log_index'],
  },
  undecodable_logs: {
    columns: [
      ...integers(['block_number', 'data_length']),
      ...EVIDENCE,
      ...text(['address', 'topics', 'reason']),
      ...bytes(['data']),
    ],
    key: ['block_number', 'log_index'],
  },
}

type Index = readonly [table: keyof Database, columns: readonly string[]]

/** What is looked up to write the next batch, other than by key: sums get a version with every block. */
const WRITING_INDEXES: readonly Index[] = [
  ['totals', ['to_block', 'id', 'from_block']],
  ['volumes', ['to_block', 'id', 'from_block']],
]

/** What readers look up other than by key: what stands at a block; and what a rollback undoes. */
const READING_INDEXES: readonly Index[] = [
  ['blocks', ['hash']],
  ['vendors', ['to_block', 'id', 'from_block']],
  ['vendors', ['from_block']],
  ['plans', ['to_block', 'id', 'from_block']],
  ['plans', ['from_block']],
  ['plans', ['vendor_id', 'to_block']],
  ['plans', ['token', 'price_per_day', 'id']],
  ['plans', ['created_block', 'id']],
  ['orders', ['to_block', 'id', 'from_block']],
  ['orders', ['from_block']],
  ['orders', ['vendor_id', 'to_block']],
  ['orders', ['key_hash', 'to_block']],
  ['orders', ['started_at', 'id']],
  ['orders', ['ends_at', 'id', 'from_block', 'to_block', 'cancelled']],
  ['totals', ['from_block']],
  ['volumes', ['from_block']],
  ['volumes', ['vendor_id', 'to_block']],
  ['volumes', ['token', 'volume', 'vendor_id']],
]

const createIndexes = async (db: Kysely<Database>, indexes: readonly Index[]): Promise<void> => {
  for (const [table, columns] of indexes) {
    const index = db.schema.createIndex([table, ...columns, 'index'].join('_')).ifNotExists()
    await index
      .on(table)
      .columns([...columns])
      .execute()
  }
}

/**
 * Makes what readers need, where it is not there yet. To fill it row by row while a long chain is read for the first
 * time would cost more than all the rows: order ids are hashes, and each falls anywhere.
 */
export const createReadingIndexes = (db: Kysely<Database>): Promise<void> => createIndexes(db, READING_INDEXES)

/**
 * Makes the tables of the chain anew. Their rows are but a copy, which the follower fills again: for a new layout this is
 * run under a new name, and the old name does nothing. What the database is about stays.
 */
const chainMigration: Migration = {
  async up(db) {
    for (const [name, { columns, key }] of Object.entries(CHAIN_TABLES)) {
      if (name !== 'source') await db.schema.dropTable(name).ifExists().execute()
      let table = db.schema.createTable(name).ifNotExists()
      for (const [column, type] of columns) table = table.addColumn(column, type, (built) => built.notNull())
      await table.addPrimaryKeyConstraint(`${name}_key`, [...key] as never[]).execute()
    }
    await createIndexes(db, WRITING_INDEXES)
  },
}

/** An earlier layout of those tables. */
const droppedMigration: Migration = { up: async () => {} }

const migrations: MigrationProvider = {
  getMigrations: async () => ({
    '0001-first': droppedMigration,
    '0002-probes': probeMigration,
    '0003-sums-words-feed': chainMigration,
  }),
}

/**
 * Brings a database to the newest schema. Migrations can be begun again: the next start ends what a crash cut short.
 * @throws what the database throws
 */
export const migrate = async (db: Kysely<Database>): Promise<void> => {
  const { error } = await new Migrator({ db, provider: migrations }).migrateToLatest()
  if (error !== undefined) throw error
}
