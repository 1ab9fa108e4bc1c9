/**
 * The directory's rows as a projection of the chain: every batch and every rollback is one transaction, so a process
 * killed between two statements has written nothing (DESIGN 11).
 */
import { type Kysely, sql, type Transaction } from 'kysely'
import type { Contracts } from '../chain/events.ts'
import type { Batch, Projection, Recorded } from '../chain/projection.ts'
import type { Address, BlockRef, Hash } from '../chain/types.ts'
import { type Bulk, createBulk } from './bulk.ts'
import { OPEN } from './columns.ts'
import { IndexerError } from './errors.ts'
import {
  blockRow,
  gapRow,
  orderRow,
  orderState,
  planRow,
  planState,
  undecodableLogRow,
  vendorRow,
  vendorState,
} from './rows.ts'
import {
  type BlockRow,
  type Database,
  type GapRow,
  migrate,
  type OrderRow,
  type PlanRow,
  RECORDED,
  type UndecodableLogRow,
  VERSIONED,
  type Versioned,
  type VendorRow,
} from './schema.ts'
import { foldBatch, type Standings, touchedKeys, type Version } from './working-set.ts'

/** What a database is about; it never changes. */
export interface Source extends Contracts {
  readonly chainId: bigint
}

/**
 * Brings the database to the newest schema, and makes or checks the note of what it is about.
 * @param find asks the chain what a new database will be about
 * @returns what the database is about
 * @throws ERR_INDEXER_SOURCE when the database is about another registry; what `find` throws
 */
export const openStore = async (
  db: Kysely<Database>,
  registry: Address,
  find: () => Promise<Source>,
): Promise<Source> => {
  await migrate(db)
  const known = await db.selectFrom('source').selectAll().executeTakeFirst()
  if (!known) {
    const source = await find()
    await db
      .insertInto('source')
      .values({ id: 1, chain_id: `${source.chainId}`, registry, payments: source.payments })
      .execute()
    return source
  }
  if (known.registry !== registry) {
    throw new IndexerError('ERR_INDEXER_SOURCE', 'this database belongs to another registry')
  }
  return { chainId: BigInt(known.chain_id), registry, payments: known.payments as Address }
}

/** @param db as `openStore` left it; no one else writes to it */
export const createProjection = (db: Kysely<Database>): Projection => {
  const statements = createStatements()
  return {
    async recorded(): Promise<Recorded | undefined> {
      const checkpoint = await db.selectFrom('checkpoint').select('finalized_number').executeTakeFirst()
      if (!checkpoint) return undefined
      const rows = await db
        .selectFrom('blocks')
        .select(['number', 'hash'])
        .where((where) => where.or([where('number', '>=', checkpoint.finalized_number), where('number', '=', 0)]))
        .orderBy('number', 'desc')
        .execute()
      const blocks = rows.map(({ number, hash }) => ({ number, hash: hash as Hash }))
      const finalized = blocks.find(({ number }) => number === checkpoint.finalized_number)
      return finalized && { finalized, blocks }
    },

    apply: (batch) => db.transaction().execute((transaction) => writeBatch(transaction, statements, batch)),

    rollBack: (to) => db.transaction().execute((transaction) => undo(transaction, to)),
  }
}

/** The statements that take many rows, for each table. */
const createStatements = () => ({
  standing: { vendors: standingRows('vendors'), plans: standingRows('plans'), orders: standingRows('orders') },
  close: { vendors: closeRows('vendors'), plans: closeRows('plans'), orders: closeRows('orders') },
  insert: {
    vendors: insertRows<VendorRow>('vendors'),
    plans: insertRows<PlanRow>('plans'),
    orders: insertRows<OrderRow>('orders'),
    gaps: insertRows<GapRow>('gaps'),
    undecodable: insertRows<UndecodableLogRow>('undecodable_logs'),
    blocks: insertRows<BlockRow>('blocks'),
  },
})

type Statements = ReturnType<typeof createStatements>

const insertRows = <Row extends object>(table: keyof Database): Bulk<Row> =>
  createBulk(
    (db, rows) =>
      db
        .insertInto(table)
        .values(rows as never)
        .compile(),
    // All rows of a table are made in one place, with their columns in one order.
    (row) => Object.values(row) as unknown[],
  )

const standingRows = (table: Versioned): Bulk<string> =>
  createBulk(
    (db, ids) =>
      db.selectFrom(table).selectAll().where('id', 'in', ids).where('to_block', '=', sql.lit(OPEN)).compile(),
    (id) => [id],
  )

/** Ends the rows that stand, each before its block. */
const closeRows = (table: Versioned): Bulk<readonly [key: string, block: number]> =>
  createBulk(
    (db, closed) => {
      const pairs = sql.join(closed.map(([key, block]) => sql`(${key}, cast(${block} as bigint))`))
      // The plus keeps SQLite from choosing the index on `to_block`, where every standing row is alike.
      return sql`
        update ${sql.table(table)} set to_block = closed.column2 from (values ${pairs}) as closed
        where ${sql.ref(`${table}.id`)} = closed.column1 and +${sql.ref(`${table}.to_block`)} = ${sql.lit(OPEN)}
      `.compile(db)
    },
    (pair) => pair,
  )

const writeBatch = async (
  db: Transaction<Database>,
  statements: Statements,
  batch: Batch,
): Promise<'incomplete' | void> => {
  const standings = await readStandings(db, statements, touchedKeys(batch.events))
  const before = {
    vendors: keysOf(standings, 'vendors'),
    plans: keysOf(standings, 'plans'),
    orders: keysOf(standings, 'orders'),
  }
  const { versions, gaps } = foldBatch(standings, await readVendorCount(db), batch.events)

  if (batch.onlyComplete && gaps.length > 0) return 'incomplete'

  const { close, insert } = statements
  await writeVersions(db, { close: close.vendors, insert: insert.vendors }, versions.vendors, before.vendors, vendorRow)
  await writeVersions(db, { close: close.plans, insert: insert.plans }, versions.plans, before.plans, planRow)
  await writeVersions(db, { close: close.orders, insert: insert.orders }, versions.orders, before.orders, orderRow)
  await insert.gaps(db, gaps.map(gapRow))
  await insert.undecodable(db, batch.undecodable.map(undecodableLogRow))
  await insert.blocks(db, batch.blocks.map(blockRow))
  const checkpoint = { finalized_number: batch.finalized.number, head_number: batch.head.number }
  await db
    .insertInto('checkpoint')
    .values({ id: 1, ...checkpoint })
    .onConflict((conflict) => conflict.column('id').doUpdateSet(checkpoint))
    .execute()
}

const keysOf = (standings: Standings, table: Versioned): ReadonlySet<string> => new Set(standings[table].keys())

const readVendorCount = async (db: Transaction<Database>): Promise<bigint> => {
  const row = await db
    .selectFrom('vendors')
    .select('id')
    .where('to_block', '=', OPEN)
    .orderBy('id', 'desc')
    .limit(1)
    .executeTakeFirst()
  return BigInt(row?.id ?? 0)
}

const readStandings = async (
  db: Transaction<Database>,
  { standing }: Statements,
  keys: ReturnType<typeof touchedKeys>,
): Promise<Standings> => {
  const vendors = (await standing.vendors(db, keys.vendors)) as VendorRow[]
  const plans = (await standing.plans(db, keys.plans)) as PlanRow[]
  const orders = (await standing.orders(db, keys.orders)) as OrderRow[]
  return {
    vendors: new Map(vendors.map((row) => [row.id, vendorState(row)])),
    plans: new Map(plans.map((row) => [row.id, planState(row)])),
    orders: new Map(orders.map((row) => [row.id, orderState(row)])),
  }
}

interface VersionStatements<Row> {
  readonly close: Bulk<readonly [key: string, block: number]>
  readonly insert: Bulk<Row>
}

/** Closes the rows that stood, and inserts the new versions, each until the next. */
const writeVersions = async <State, Row extends { readonly id: string; to_block: number }>(
  db: Transaction<Database>,
  { close, insert }: VersionStatements<Row>,
  versions: ReadonlyMap<string, readonly Version<State>[]>,
  stood: ReadonlySet<string>,
  toRow: (state: State, evidence: Version<State>['evidence']) => Row,
): Promise<void> => {
  const closed: (readonly [key: string, block: number])[] = []
  const rows: Row[] = []
  for (const [key, all] of versions) {
    const since = all[0]?.evidence.blockNumber
    if (stood.has(key) && since !== undefined) closed.push([key, since])
    for (const [index, { state, evidence }] of all.entries()) {
      const row = toRow(state, evidence)
      row.to_block = all[index + 1]?.evidence.blockNumber ?? OPEN
      rows.push(row)
    }
  }
  await close(db, closed)
  await insert(db, rows)
}

const undo = async (db: Transaction<Database>, { number }: BlockRef): Promise<void> => {
  for (const table of VERSIONED) {
    await db.deleteFrom(table).where('from_block', '>', number).execute()
    await db
      .updateTable(table)
      .set({ to_block: OPEN })
      .where('to_block', '>', number)
      .where('to_block', '<', OPEN)
      .execute()
  }
  for (const table of RECORDED) await db.deleteFrom(table).where('block_number', '>', number).execute()
  await db.deleteFrom('blocks').where('number', '>', number).execute()
}
