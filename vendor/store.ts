/**
 * The vendor's database: the orders that the chain says were paid, and the few codes that memory cannot guard.
 * Orders are kept as the events that made them, so that a reorg is undone by forgetting events.
 */
import { Kysely, sql, type Dialect, type Selectable, type Transaction } from 'kysely'
import type { Batch, Projection } from '../chain/projection.ts'
import type { Hash, Hex } from '../chain/types.ts'
import { foldOrder, isAccessEventOf, type AccessEvent, type OrderChange, type PaidOrder } from './orders.ts'

interface Tables {
  /** Blocks that were followed, so that a reorg finds the last one both chains share. */
  blocks: {
    number: number
    hash: string
    /** 1 for the newest block that nothing undoes, else 0. */
    is_finalized: number
  }
  /** OrderPaid, OrderCancelled and OrderRefunded of this vendor, in the chain's order. */
  order_events: {
    block_number: number
    /** Among all logs of the block. */
    log_index: number
    order_id: string
    type: AccessEvent['type']
    /** Null in cancellations, as the two after it: they stand in the payment. */
    key_hash: string | null
    plan_id: number | null
    started_at_seconds: number | null
    ends_at_seconds: number
  }
  /** Codes answered before their own signed time: a restart would not refuse these by time. */
  early_codes: { id: string; ts_seconds: number }
}

type Row = Selectable<Tables['order_events']>

export interface VendorStore extends Projection {
  /** Orders of a key, ended ones included. */
  ordersOfKey(keyHash: Hex): Promise<readonly PaidOrder[]>
  /** Orders whose paid time has not ended at that moment, sorted by id. */
  runningOrders(nowSeconds: number): Promise<PaidOrder[]>
  /** All orders ever paid, sorted by id. */
  allOrders(): Promise<PaidOrder[]>
  rememberCode(id: string, tsSeconds: number): Promise<void>
  /** Codes to be guarded, signed at or after that time; older ones are forgotten. */
  rememberedCodes(sinceSeconds: number): Promise<readonly (readonly [id: string, tsSeconds: number])[]>
  close(): Promise<void>
}

const SCHEMA = [
  sql`create table if not exists blocks (
    number integer primary key, hash text not null, is_finalized integer not null default 0)`,
  sql`create table if not exists order_events (
    block_number integer not null, log_index integer not null, order_id text not null, type text not null,
    key_hash text, plan_id integer, started_at_seconds integer, ends_at_seconds integer not null,
    primary key (block_number, log_index))`,
  sql`create index if not exists order_events_by_order on order_events (order_id, block_number, log_index)`,
  sql`create index if not exists order_events_by_key on order_events (key_hash)`,
  sql`create index if not exists order_events_by_end on order_events (ends_at_seconds)`,
  sql`create table if not exists early_codes (id text primary key, ts_seconds integer not null)`,
]

/** Opens the database of one vendor; `vendorId` chooses the events that are kept. */
export const openVendorStore = async (dialect: Dialect, vendorId: bigint): Promise<VendorStore> => {
  const db = new Kysely<Tables>({ dialect })
  await db.transaction().execute(async (tx) => {
    for (const statement of SCHEMA) await statement.execute(tx)
  })
  const isOurs = isAccessEventOf(vendorId)
  /** Orders by key, as asked for since the last change: buyers ask far more often than they pay. */
  let answers = new Map<string, PaidOrder[]>()

  const select = () =>
    db.selectFrom('order_events').selectAll().orderBy('order_id').orderBy('block_number').orderBy('log_index')
  /** Built once: to build a query takes longer than to answer this one. */
  const eventsOfKey = select()
    .where('order_id', 'in', (eb) => eb.selectFrom('order_events').select('order_id').where('key_hash', '=', ''))
    .compile()

  return {
    async recorded() {
      const rows = await db.selectFrom('blocks').selectAll().orderBy('number', 'desc').execute()
      const blocks = rows.map(({ number, hash }) => ({ number, hash: hash as Hash }))
      const finalized = blocks[rows.findIndex(({ is_finalized }) => is_finalized === 1)]
      return finalized && { finalized, blocks }
    },

    async apply(batch) {
      const events = batch.events.filter(isOurs)
      await db.transaction().execute(async (tx) => {
        for (const event of events) await insert(tx, event)
        await recordBlocks(tx, batch)
      })
      if (events.length > 0) answers = new Map()
    },

    async rollBack({ number }) {
      await db.transaction().execute(async (tx) => {
        await tx.deleteFrom('order_events').where('block_number', '>', number).execute()
        await tx.deleteFrom('blocks').where('number', '>', number).execute()
      })
      answers = new Map()
    },

    async ordersOfKey(keyHash) {
      // One that is asked before a change and answered after it must not be kept.
      const current = answers
      const known = current.get(keyHash)
      if (known) return known
      const { rows } = await db.executeQuery<Row>({ ...eventsOfKey, parameters: [keyHash] })
      const orders = fold(rows)
      // Of strangers' keys there is no end.
      if (orders.length > 0) current.set(keyHash, orders)
      return orders
    },

    async runningOrders(nowSeconds) {
      const events = select().where('order_id', 'in', (eb) =>
        eb.selectFrom('order_events').select('order_id').where('ends_at_seconds', '>', nowSeconds),
      )
      const orders = fold(await events.execute())
      return orders.filter((order) => order.endsAtSeconds > nowSeconds)
    },

    async allOrders() {
      return fold(await select().execute())
    },

    async rememberCode(id, tsSeconds) {
      await db.insertInto('early_codes').values({ id, ts_seconds: tsSeconds }).execute()
    },

    async rememberedCodes(sinceSeconds) {
      await db.deleteFrom('early_codes').where('ts_seconds', '<', sinceSeconds).execute()
      const rows = await db.selectFrom('early_codes').selectAll().orderBy('ts_seconds').orderBy('id').execute()
      return rows.map(({ id, ts_seconds }) => [id, ts_seconds] as const)
    },

    close: () => db.destroy(),
  }
}

/** @param events in the chain's order */
const fold = (events: readonly Row[]): PaidOrder[] => {
  const orders = new Map<string, PaidOrder>()
  for (const row of events) {
    const order = foldOrder(orders.get(row.order_id), changeOf(row))
    if (order) orders.set(row.order_id, order)
  }
  return [...orders.values()]
}

const insert = async (tx: Transaction<Tables>, event: AccessEvent): Promise<void> => {
  const { blockNumber, logIndex } = event.evidence
  const paid = event.type === 'OrderPaid' ? event : undefined
  await tx
    .insertInto('order_events')
    .values({
      block_number: blockNumber,
      log_index: logIndex,
      order_id: event.orderId,
      type: event.type,
      key_hash: paid?.keyHash ?? null,
      plan_id: paid?.planId ?? null,
      started_at_seconds: paid?.startedAt ?? null,
      ends_at_seconds: event.endsAt,
    })
    .execute()
}

/** Rows are written by `insert` alone, so their texts are hex and a payment has all its columns. */
const changeOf = (row: Row): OrderChange => {
  const orderId = row.order_id as Hex
  const endsAt = row.ends_at_seconds
  if (row.type !== 'OrderPaid') return { type: row.type, orderId, endsAt }
  const { key_hash, plan_id, started_at_seconds } = row
  if (key_hash === null || plan_id === null || started_at_seconds === null) throw new Error('payment without its key')
  return { type: row.type, orderId, keyHash: key_hash as Hex, planId: plan_id, startedAt: started_at_seconds, endsAt }
}

/** Below the newest final block only the first is needed: it tells one chain from another. */
const recordBlocks = async (tx: Transaction<Tables>, { blocks, finalized }: Batch): Promise<void> => {
  const rows = blocks.map(({ number, hash }) => ({ number, hash, is_finalized: 0 }))
  await tx.insertInto('blocks').values(rows).execute()
  await tx.deleteFrom('blocks').where('number', '>', 0).where('number', '<', finalized.number).execute()
  await tx.updateTable('blocks').set({ is_finalized: 0 }).where('is_finalized', '=', 1).execute()
  await tx.updateTable('blocks').set({ is_finalized: 1 }).where('number', '=', finalized.number).execute()
}
