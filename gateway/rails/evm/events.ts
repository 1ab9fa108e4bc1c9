/** What the rails keep of the chain's events, and how a reorg is undone: by forgetting events. */
import { sql, type Transaction } from 'kysely'
import type { ChannelDeposited, ChannelEvent, ChroveEvent, OrderPaid } from '../../../chain/events.ts'
import type { Batch, Projection } from '../../../chain/projection.ts'
import type { Hash } from '../../../chain/types.ts'
import { fromHex } from '../../../protocol/bytes.ts'
import { formatKeyId } from '../../../protocol/keys.ts'
import type { RailDatabase, RailTables } from './store.ts'

export type RailEvent = ChannelEvent | OrderPaid

const KEPT: ReadonlySet<ChroveEvent['type']> = new Set([
  'ChannelDeposited',
  'ChannelClaimed',
  'ChannelRefunded',
  'WithdrawalRequested',
  'ChannelWithdrawn',
  'OrderPaid',
] satisfies RailEvent['type'][])

const isKept =
  (vendorId: bigint) =>
  (event: ChroveEvent): event is RailEvent =>
    KEPT.has(event.type) && event.vendorId === vendorId

/** @param vendorId whose events are kept */
export const createRailProjection = (db: RailDatabase, vendorId: bigint): Projection => ({
  async recorded() {
    const rows = await db.selectFrom('blocks').selectAll().orderBy('number', 'desc').execute()
    const blocks = rows.map(({ number, hash }) => ({ number, hash: hash as Hash }))
    const finalized = blocks[rows.findIndex(({ is_finalized }) => is_finalized === 1)]
    return finalized && { finalized, blocks }
  },

  async apply(batch) {
    const events = batch.events.filter(isKept(vendorId))
    await db.transaction().execute(async (tx) => {
      for (const event of events) await insert(tx, event)
      await recordBlocks(tx, batch)
    })
  },

  async rollBack({ number }) {
    await db.transaction().execute(async (tx) => {
      const told = tx
        .selectFrom('events')
        .select((eb) => ['block_hash', 'log_index', 'account', eb.fn.coalesce('told_by', sql.lit('')).as('told_by')])
        .where('block_number', '>', number)
        .where('told_by', '<>', '')
      await tx
        .insertInto('undone')
        .columns(['block_hash', 'log_index', 'account', 'told_by'])
        .expression(told)
        .execute()
      await tx.deleteFrom('events').where('block_number', '>', number).execute()
      await tx.deleteFrom('blocks').where('number', '>', number).execute()
    })
  },
})

const insert = async (tx: Transaction<RailTables>, event: RailEvent): Promise<void> => {
  const { blockNumber, blockHash, logIndex, transactionHash } = event.evidence
  // A block that was undone and is back: the ledger may know of it still, and is told again.
  const back = await tx
    .deleteFrom('undone')
    .where('block_hash', '=', blockHash)
    .where('log_index', '=', logIndex)
    .returning('told_by')
    .executeTakeFirst()
  await tx
    .insertInto('events')
    .values({
      block_number: blockNumber,
      log_index: logIndex,
      block_hash: blockHash,
      transaction_hash: transactionHash,
      type: event.type,
      account: event.type === 'OrderPaid' ? formatKeyId(fromHex(event.keyHash)) : event.channelId,
      amount: 'amount' in event ? event.amount.toString() : '0',
      settings: event.type === 'ChannelDeposited' ? settingsText(event) : null,
      withdrawable_at: event.type === 'WithdrawalRequested' ? event.withdrawableAt : null,
      plan_id: event.type === 'OrderPaid' ? event.planId : null,
      told_by: back?.told_by ?? null,
      is_told: 0,
    })
    .execute()
}

const settingsText = ({ vendorId, payer, signer, token, withdrawDelay, salt }: ChannelDeposited): string =>
  JSON.stringify({ vendorId: vendorId.toString(), payer, signer, token, withdrawDelay, salt })

/** Below the newest final block only the first is needed: it tells one chain from another. */
const recordBlocks = async (tx: Transaction<RailTables>, { blocks, finalized }: Batch): Promise<void> => {
  const rows = blocks.map(({ number, hash }) => ({ number, hash, is_finalized: 0 }))
  await tx.insertInto('blocks').values(rows).execute()
  await tx.deleteFrom('blocks').where('number', '>', 0).where('number', '<', finalized.number).execute()
  await tx.updateTable('blocks').set({ is_finalized: 0 }).where('is_finalized', '=', 1).execute()
  await tx.updateTable('blocks').set({ is_finalized: 1 }).where('number', '=', finalized.number).execute()
}
