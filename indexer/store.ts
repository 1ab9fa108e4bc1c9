/**
 * The directory's rows as a projection of the chain: every batch and every rollback is one transaction, so a process
 * killed between two statements has written nothing (DESIGN 11).
 */
import { type Kysely, sql, type Transaction } from 'kysely'
import type { Contracts } from '../chain/events.ts'
import type { Batch, Projection, Recorded } from '../chain/projection.ts'
import type { Address, BlockRef, Hash } from '../chain/types.ts'
import { readProfile } from '../protocol/profile.ts'
import { OPEN } from './columns.ts'
import { IndexerError } from './errors.ts'
import { type Told, toldOf } from './feed.ts'
import { FEED_BLOCKS_MAX, FEED_ROWS_MAX, SQL_VALUES_MAX } from './limits.ts'
import { gapRow, orderRow, orderState, planRow, planState, undecodableLogRow, vendorRow, vendorState } from './rows.ts'
import { type Database, migrate, RECORDED, SUMMED, type Summed, VERSIONED, type Versioned } from './schema.ts'
import { type Increments, incrementsOf, summed, sumRow, type Sums, sumState } from './sums.ts'
import { planWords, vendorWords, wordRows } from './words.ts'
import { foldBatch, type Folded, type Standings, stepsOf, touchedKeys } from './working-set.ts'

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
export const createProjection = (db: Kysely<Database>): Projection => ({
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

  apply: (batch) => db.transaction().execute((transaction) => writeBatch(transaction, batch)),

  rollBack: (to) => db.transaction().execute((transaction) => undo(transaction, to)),
})

const writeBatch = async (db: Transaction<Database>, batch: Batch): Promise<void> => {
  const standings = await readStandings(db, touchedKeys(batch.events))
  const before: Standings = {
    vendors: new Map(standings.vendors),
    plans: new Map(standings.plans),
    orders: new Map(standings.orders),
  }
  const folded = foldBatch(standings, await readVendorCount(db), batch.events)
  const { versions, gaps } = folded

  await writeVersions(db, 'vendors', versions.vendors, before.vendors, vendorRow)
  await writeVersions(db, 'plans', versions.plans, before.plans, planRow)
  await writeVersions(db, 'orders', versions.orders, before.orders, orderRow)
  const increments = incrementsOf(before, folded)
  await addUp(db, 'totals', increments)
  await addUp(db, 'volumes', increments)
  await insertWords(db, before, folded)
  await tell(db, toldOf(before, standings, folded, batch.events), batch.head.number - FEED_BLOCKS_MAX)
  await insert(db, 'gaps', gaps.map(gapRow))
  await insert(db, 'undecodable_logs', batch.undecodable.map(undecodableLogRow))
  await insert(
    db,
    'blocks',
    batch.blocks.map(({ number, hash, parentHash, timestampSeconds }) => ({
      number,
      hash,
      parent_hash: parentHash,
      timestamp_seconds: timestampSeconds,
    })),
  )
  const checkpoint = { finalized_number: batch.finalized.number, head_number: batch.head.number }
  await db
    .insertInto('checkpoint')
    .values({ id: 1, ...checkpoint })
    .onConflict((conflict) => conflict.column('id').doUpdateSet(checkpoint))
    .execute()
}

const addUp = async <Table extends Summed>(
  db: Transaction<Database>,
  table: Table,
  increments: Increments,
): Promise<void> => {
  const standing = new Map<string, Sums[Table]>()
  for (const ids of chunks([...increments[table].keys()], SQL_VALUES_MAX)) {
    const query = sql<Parameters<(typeof sumState)[Table]>[0]>`
      select * from ${sql.table(table)} where id in (${sql.join(ids)}) and +to_block = ${OPEN}`
    for (const row of (await query.execute(db)).rows) standing.set(row.id, sumState[table](row as never))
  }
  await writeVersions(db, table, summed(table, standing, increments[table]), standing, sumRow[table])
}

/** Notes the words that are new to a row; an old row's profile is the same object as before. */
const insertWords = async (db: Transaction<Database>, before: Standings, { versions }: Folded): Promise<void> => {
  const rows = []
  for (const { was, is } of stepsOf(before.vendors, versions.vendors)) {
    if (was?.profile !== is.profile) rows.push(...wordRows(is.vendorId, vendorWords(readProfile(is.profile))))
  }
  for (const { was, is } of stepsOf(before.plans, versions.plans)) {
    if (!was) rows.push(...wordRows(is.vendorId, planWords(is.title.text)))
  }
  for (const some of chunks(rows, SQL_VALUES_MAX / 2)) {
    await db
      .insertInto('words')
      .values(some)
      .onConflict((conflict) => conflict.doNothing())
      .execute()
  }
}

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

const readStandings = async (db: Transaction<Database>, keys: ReturnType<typeof touchedKeys>): Promise<Standings> => {
  const standing = async <Table extends Versioned>(table: Table) => {
    const rows = []
    for (const ids of chunks(keys[table], SQL_VALUES_MAX)) {
      rows.push(
        ...(await db
          .selectFrom(table as Versioned)
          .selectAll()
          .where('to_block', '=', OPEN)
          .where('id', 'in', ids)
          .execute()),
      )
    }
    return rows
  }
  const vendors = (await standing('vendors')) as Parameters<typeof vendorState>[0][]
  const plans = (await standing('plans')) as Parameters<typeof planState>[0][]
  const orders = (await standing('orders')) as Parameters<typeof orderState>[0][]
  return {
    vendors: new Map(vendors.map((row) => [row.id, vendorState(row)])),
    plans: new Map(plans.map((row) => [row.id, planState(row)])),
    orders: new Map(orders.map((row) => [row.id, orderState(row)])),
  }
}

/** Closes the rows that stood, and inserts the new versions, each until the next. */
const writeVersions = async <State, By extends { readonly blockNumber: number }>(
  db: Transaction<Database>,
  table: Versioned | Summed,
  versions: ReadonlyMap<string, readonly { readonly state: State; readonly evidence: By }[]>,
  stood: ReadonlyMap<string, unknown>,
  toRow: (state: State, evidence: By) => object,
): Promise<void> => {
  const closed: (readonly [key: string, block: number])[] = []
  const rows: object[] = []
  for (const [key, all] of versions) {
    const since = all[0]?.evidence.blockNumber
    if (stood.has(key) && since !== undefined) closed.push([key, since])
    for (const [index, { state, evidence }] of all.entries()) {
      rows.push({ ...toRow(state, evidence), to_block: all[index + 1]?.evidence.blockNumber ?? OPEN })
    }
  }
  for (const some of chunks(closed, SQL_VALUES_MAX / 2)) {
    const pairs = sql.join(some.map(([key, block]) => sql`(${key}, cast(${block} as bigint))`))
    // The plus keeps SQLite from choosing the index on `to_block`, where every standing row is alike.
    await sql`
      update ${sql.table(table)} set to_block = closed.column2 from (values ${pairs}) as closed
      where ${sql.ref(`${table}.id`)} = closed.column1 and +${sql.ref(`${table}.to_block`)} = ${OPEN}`.execute(db)
  }
  await insert(db, table, rows)
}

const insert = async (db: Transaction<Database>, table: keyof Database, rows: readonly object[]): Promise<void> => {
  const columns = Object.keys(rows[0] ?? {}).length
  for (const some of chunks(rows, Math.floor(SQL_VALUES_MAX / Math.max(columns, 1)))) {
    await db
      .insertInto(table)
      .values(some as never)
      .execute()
  }
}

interface FeedState {
  readonly newest: number
  readonly floor: number
  readonly floor_block: number
}

const readFeedState = async (db: Transaction<Database>): Promise<FeedState> =>
  (await db.selectFrom('feed_state').select(['newest', 'floor', 'floor_block']).executeTakeFirst()) ?? {
    newest: 0,
    floor: 0,
    floor_block: -1,
  }

/** Records how far the feed goes, and lets go of what is more than it keeps. */
const trimFeed = async (db: Transaction<Database>, state: FeedState): Promise<void> => {
  const floor = Math.max(state.floor, state.newest - FEED_ROWS_MAX)
  const dropped = db.selectFrom('feed').where('seq', '<=', floor)
  const last = await dropped.select(({ fn }) => fn.max('block_number').as('number')).executeTakeFirst()
  await db.deleteFrom('feed').where('seq', '<=', floor).execute()
  const kept = { newest: state.newest, floor, floor_block: Math.max(state.floor_block, last?.number ?? -1) }
  await db
    .insertInto('feed_state')
    .values({ id: 1, ...kept })
    .onConflict((conflict) => conflict.column('id').doUpdateSet(kept))
    .execute()
}

/** @param old events up to this block are not told: who is that far behind has to read rows */
const tell = async (db: Transaction<Database>, told: readonly Told[], old: number): Promise<void> => {
  if (told.length === 0) return
  const state = await readFeedState(db)
  const skipped = Math.max(
    told.findLastIndex(({ block_number }) => block_number <= old) + 1,
    told.length - FEED_ROWS_MAX,
  )
  const after = skipped > 0 ? forgetting(state, told[skipped - 1]?.block_number ?? 0) : state
  const rows = told.slice(skipped).map((event, index) => ({ seq: after.newest + 1 + index, retracts: 0, ...event }))
  await insert(db, 'feed', rows)
  await trimFeed(db, { ...after, newest: after.newest + rows.length })
}

/** Takes a number that stands for what nobody will be told, so that nobody can go on from before it. */
const forgetting = ({ newest, floor_block }: FeedState, block: number): FeedState => ({
  newest: newest + 1,
  floor: newest + 1,
  floor_block: Math.max(floor_block, block),
})

/** Retracts, newest first, what was told of later blocks. */
const retract = async (db: Transaction<Database>, number: number): Promise<void> => {
  const state = await readFeedState(db)
  if (state.floor_block > number) return trimFeed(db, forgetting(state, number))
  const told = await db
    .selectFrom('feed')
    .selectAll()
    .where('block_number', '>', number)
    .where('retracts', '=', 0)
    .where('seq', 'not in', db.selectFrom('feed').select('retracts'))
    .orderBy('seq', 'desc')
    .execute()
  if (told.length === 0) return
  const rows = told.map((row, index) => ({ ...row, seq: state.newest + 1 + index, retracts: row.seq }))
  await insert(db, 'feed', rows)
  await trimFeed(db, { ...state, newest: state.newest + rows.length })
}

const undo = async (db: Transaction<Database>, { number }: BlockRef): Promise<void> => {
  await retract(db, number)
  for (const table of [...VERSIONED, ...SUMMED]) {
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

/** Pieces of at most this many items; none when there are no items. */
const chunks = <Item>(items: readonly Item[], size: number): Item[][] =>
  Array.from({ length: Math.ceil(items.length / size) }, (_, i) => items.slice(i * size, (i + 1) * size))
