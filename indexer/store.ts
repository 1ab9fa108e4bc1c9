/**
 * The directory's rows as a projection of the chain: every batch and every rollback is one transaction, so a process
 * killed between two statements has written nothing (DESIGN 11).
 */
import { type Kysely, sql, type Transaction } from 'kysely'
import type { Contracts } from '../chain/events.ts'
import type { Batch, Projection, Recorded } from '../chain/projection.ts'
import type { Address, BlockRef, Hash } from '../chain/types.ts'
import { readProfile } from '../protocol/profile.ts'
import { planWords, vendorWords } from '../protocol/words.ts'
import { type Bulk, createBulk } from './bulk.ts'
import { OPEN } from './columns.ts'
import { IndexerError } from './errors.ts'
import { retract, tell } from './feed.ts'
import { FEED_BLOCKS_MAX } from './limits.ts'
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
  wordRows,
} from './rows.ts'
import {
  type BlockRow,
  createReadingIndexes,
  type Database,
  type FeedRow,
  type GapRow,
  migrate,
  type OrderRow,
  type PlanRow,
  RECORDED,
  SUMMED,
  type Summed,
  type TotalsRow,
  type UndecodableLogRow,
  VERSIONED,
  type Versioned,
  type VendorRow,
  type VolumeRow,
  type WordRow,
} from './schema.ts'
import { type Increments, incrementsOf, summed, sumRow, sumState } from './sums.ts'
import { tidingsOf } from './tidings.ts'
import { foldBatch, type Folded, type InBlock, type Standings, stepsOf, touchedKeys } from './working-set.ts'

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
  let isReadable = false
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

    async apply(batch) {
      const outcome = await db.transaction().execute(async (transaction) => {
        if (!isReadable && endsBackfill(batch)) await createReadingIndexes(transaction)
        return writeBatch(transaction, statements, batch)
      })
      if (outcome !== 'incomplete') isReadable ||= endsBackfill(batch)
      return outcome
    },

    rollBack: (to) => db.transaction().execute((transaction) => undo(transaction, statements, to)),
  }
}

/** Whether a batch goes beyond what is final, or has all there is: from here on rows are read, and may be undone. */
const endsBackfill = ({ blocks, finalized, head }: Batch): boolean => {
  const checkpoint = blocks.at(-1) ?? blocks[0]
  return checkpoint.number > finalized.number || checkpoint.number >= head.number
}

/** The statements that take many rows, for each table. */
const createStatements = () => ({
  standing: {
    vendors: standingRows('vendors'),
    plans: standingRows('plans'),
    orders: standingRows('orders'),
    totals: standingRows('totals'),
    volumes: standingRows('volumes'),
  },
  close: {
    vendors: closeRows('vendors'),
    plans: closeRows('plans'),
    orders: closeRows('orders'),
    totals: closeRows('totals'),
    volumes: closeRows('volumes'),
  },
  insert: {
    vendors: insertRows<VendorRow>('vendors'),
    plans: insertRows<PlanRow>('plans'),
    orders: insertRows<OrderRow>('orders'),
    totals: insertRows<TotalsRow>('totals'),
    volumes: insertRows<VolumeRow>('volumes'),
    words: insertRows<WordRow>('words', true),
    feed: insertRows<FeedRow>('feed'),
    gaps: insertRows<GapRow>('gaps'),
    undecodable: insertRows<UndecodableLogRow>('undecodable_logs'),
    blocks: insertRows<BlockRow>('blocks'),
  },
})

type Statements = ReturnType<typeof createStatements>

const insertRows = <Row extends object>(table: keyof Database, isKnownAlready = false): Bulk<Row> =>
  createBulk(
    (db, rows) => {
      const insert = db.insertInto(table).values(rows as never)
      return (isKnownAlready ? insert.onConflict((conflict) => conflict.doNothing()) : insert).compile()
    },
    // All rows of a table are made in one place, with their columns in one order.
    (row) => Object.values(row) as unknown[],
  )

const standingRows = (table: Versioned | Summed): Bulk<string> =>
  createBulk(
    (db, ids) =>
      db.selectFrom(table).selectAll().where('id', 'in', ids).where('to_block', '=', sql.lit(OPEN)).compile(),
    (id) => [id],
  )

/** Ends the rows that stand, each before its block. */
const closeRows = (table: Versioned | Summed): Bulk<readonly [key: string, block: number]> =>
  createBulk(
    (db, closed) => {
      // `OPEN` is among the values so that SQLite looks each row up by all of the index, and does not begin with it.
      const triples = closed.map(([key, block]) => sql`(${key}, cast(${block} as bigint), ${sql.lit(OPEN)})`)
      return sql`
        update ${sql.table(table)} set to_block = closed.column2 from (values ${sql.join(triples)}) as closed
        where ${sql.ref(`${table}.id`)} = closed.column1 and ${sql.ref(`${table}.to_block`)} = closed.column3
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
  const before: Standings = {
    vendors: new Map(standings.vendors),
    plans: new Map(standings.plans),
    orders: new Map(standings.orders),
  }
  const folded = foldBatch(standings, await readVendorCount(db), batch.events)
  const { versions, gaps } = folded

  if (batch.onlyComplete && gaps.length > 0) return 'incomplete'

  const { close, insert } = statements
  await writeVersions(db, { close: close.vendors, insert: insert.vendors }, versions.vendors, before.vendors, vendorRow)
  await writeVersions(db, { close: close.plans, insert: insert.plans }, versions.plans, before.plans, planRow)
  await writeVersions(db, { close: close.orders, insert: insert.orders }, versions.orders, before.orders, orderRow)
  await addUp(db, statements, incrementsOf(before, folded))
  await insert.words(db, newWords(before, folded))
  const old = batch.head.number - FEED_BLOCKS_MAX
  await tell(db, insert.feed, tidingsOf(before, standings, folded, batch.events, old))
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

/** Writes the sums that a batch changes. */
const addUp = async (
  db: Transaction<Database>,
  { standing, close, insert }: Statements,
  increments: Increments,
): Promise<void> => {
  const totalRows = (await standing.totals(db, [...increments.totals.keys()])) as TotalsRow[]
  const totals = new Map(totalRows.map((row) => [row.id, sumState.totals(row)]))
  const newTotals = summed('totals', totals, increments.totals)
  await writeVersions(db, { close: close.totals, insert: insert.totals }, newTotals, totals, sumRow.totals)

  const volumeRows = (await standing.volumes(db, [...increments.volumes.keys()])) as VolumeRow[]
  const volumes = new Map(volumeRows.map((row) => [row.id, sumState.volumes(row)]))
  const newVolumes = summed('volumes', volumes, increments.volumes)
  await writeVersions(db, { close: close.volumes, insert: insert.volumes }, newVolumes, volumes, sumRow.volumes)
}

/** The words that are new to a row; an old row's profile is the same object as before. */
const newWords = (before: Standings, { versions }: Folded): WordRow[] => {
  const rows: WordRow[] = []
  for (const { was, is } of stepsOf(before.vendors, versions.vendors)) {
    if (was?.profile !== is.profile) rows.push(...wordRows(is.vendorId, vendorWords(readProfile(is.profile))))
  }
  for (const { was, is } of stepsOf(before.plans, versions.plans)) {
    if (!was) rows.push(...wordRows(is.vendorId, planWords(is.title.text)))
  }
  return rows
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
const writeVersions = async <
  State,
  By extends { readonly blockNumber: number },
  Row extends { readonly id: string; to_block: number },
>(
  db: Transaction<Database>,
  { close, insert }: VersionStatements<Row>,
  versions: ReadonlyMap<string, readonly InBlock<State, By>[]>,
  stood: ReadonlyMap<string, unknown>,
  toRow: (state: State, evidence: By) => Row,
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

const undo = async (db: Transaction<Database>, { insert }: Statements, { number }: BlockRef): Promise<void> => {
  await retract(db, insert.feed, number)
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
