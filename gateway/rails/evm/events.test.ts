/** What a reorg leaves for the ledger to be told. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Batch } from '../../../chain/projection.ts'
import type { Address, Block, Hash } from '../../../chain/types.ts'
import { createRailProjection } from './events.ts'
import { openRailDatabase } from './store.ts'
import { createTestDisk } from './testing.ts'

const hash = (fill: string) => `0x${fill.repeat(32)}` as Hash
const block = (number: number, fill: string): Block => {
  return { number, hash: hash(fill), parentHash: hash('00'), timestampSeconds: number }
}
const genesis = block(0, '11')

const paidIn = ({ number, hash: blockHash }: Block): Batch['events'][number] => ({
  type: 'OrderPaid',
  contract: `0x${'aa'.repeat(20)}` as Address,
  evidence: { blockNumber: number, blockHash, transactionHash: hash('22'), transactionIndex: 0, logIndex: 0 },
  orderId: hash('33'),
  vendorId: 1n,
  keyHash: hash('44'),
  planId: 1,
  periods: 1,
  startedAt: 1,
  endsAt: 2,
  amount: 5n,
  controller: `0x${'00'.repeat(20)}` as Address,
})

const batch = (blocks: readonly [...Block[], Block], events: Batch['events']): Batch => {
  return { blocks, events, undecodable: [], head: blocks.at(-1) as Block, finalized: genesis }
}

describe('an event that the ledger may know', () => {
  it('is revoked when it is undone, also after its block was undone once and came back', async () => {
    const db = await openRailDatabase(createTestDisk().mount().dialect('gateway-evm'))
    const projection = createRailProjection(db, 1n)
    const one = block(1, '55')
    const undone = () => db.selectFrom('undone').select(['block_hash', 'told_by']).execute()
    await projection.apply(batch([genesis, one], [paidIn(one)]))
    await db.updateTable('events').set({ told_by: 'rail', is_told: 1 }).execute()
    const known = [{ block_hash: one.hash, told_by: 'rail' }]

    await projection.rollBack(genesis)
    assert.deepEqual(await undone(), known)
    await projection.apply(batch([one], [paidIn(one)]))
    assert.deepEqual(await undone(), [])
    const [event] = await db.selectFrom('events').select(['told_by', 'is_told']).execute()
    assert.deepEqual(event, { told_by: 'rail', is_told: 0 })
    await projection.rollBack(genesis)
    assert.deepEqual(await undone(), known)
    await db.destroy()
  })

  it('is none when nobody was told: it is forgotten with its block', async () => {
    const db = await openRailDatabase(createTestDisk().mount().dialect('gateway-evm'))
    const projection = createRailProjection(db, 1n)
    const one = block(1, '55')
    await projection.apply(batch([genesis, one], [paidIn(one)]))
    await projection.rollBack(genesis)
    assert.deepEqual(await db.selectFrom('undone').selectAll().execute(), [])
    assert.deepEqual(await db.selectFrom('events').selectAll().execute(), [])
    await db.destroy()
  })
})
