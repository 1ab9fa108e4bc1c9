/**
 * The feed as it is written: what was told, each under the next number, and what was taken back. It keeps the newest; up
 * to its floor nothing can be gone on from.
 */
import type { Transaction } from 'kysely'
import type { Bulk } from './bulk.ts'
import { FEED_ROWS_MAX } from './limits.ts'
import type { Database, FeedRow } from './schema.ts'
import type { Tidings, Told } from './tidings.ts'

/** @param retracts the event that this one takes back, by place; 0 when it is an event itself */
const feedRow = (seq: number, retracts: number, told: Told): FeedRow => ({
  seq,
  retracts,
  kind: told.kind,
  block_number: told.block_number,
  block_hash: told.block_hash,
  transaction_hash: told.transaction_hash,
  log_index: told.log_index,
  vendor_id: told.vendor_id,
  service_types: told.service_types,
  regions: told.regions,
  payment: told.payment,
})

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

/** Tells what a batch has to tell. */
export const tell = async (
  db: Transaction<Database>,
  insert: Bulk<FeedRow>,
  { told, untold }: Tidings,
): Promise<void> => {
  if (told.length === 0 && untold === undefined) return
  const state = await readFeedState(db)
  const skipped = Math.max(told.length - FEED_ROWS_MAX, 0)
  const forgotten = skipped > 0 ? told[skipped - 1]?.block_number : untold
  const after = forgotten === undefined ? state : forgetting(state, forgotten)
  const rows = told.slice(skipped).map((event, index) => feedRow(after.newest + 1 + index, 0, event))
  await insert(db, rows)
  await trimFeed(db, { ...after, newest: after.newest + rows.length })
}

/** Takes a number that stands for what nobody will be told, so that nobody can go on from before it. */
const forgetting = ({ newest, floor_block }: FeedState, block: number): FeedState => ({
  newest: newest + 1,
  floor: newest + 1,
  floor_block: Math.max(floor_block, block),
})

/** Retracts, newest first, what was told of later blocks. */
export const retract = async (db: Transaction<Database>, insert: Bulk<FeedRow>, number: number): Promise<void> => {
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
  const rows = told.map((row, index) => feedRow(state.newest + 1 + index, row.seq, row))
  await insert(db, rows)
  await trimFeed(db, { ...state, newest: state.newest + rows.length })
}
