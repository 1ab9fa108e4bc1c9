/** Single rows by what they are called outside, and parts that several kinds of them have. */
import { ZERO_ADDRESS } from '../../chain/types.ts'
import { planKey, vendorKey } from '../columns.ts'
import type { EvidenceColumns, OrderRow, VendorRow } from '../schema.ts'
import { type Moment, standsAt } from './block-at.ts'
import type { RequestContext, Seen } from './context.ts'

/** Ids that the registry can have given. */
const isVendorId = (vendorId: bigint): boolean => vendorId < 2n ** 64n

export const vendorAt = async (
  context: RequestContext,
  vendorId: bigint,
  at: Moment,
): Promise<Seen<VendorRow> | undefined> => (isVendorId(vendorId) ? context.vendor(vendorKey(vendorId), at) : undefined)

export const planAt = async (context: RequestContext, vendorId: bigint, planId: number, at: Moment) =>
  isVendorId(vendorId) ? context.plan(planKey(vendorId, planId), at) : undefined

export const orderAt = async (
  { db }: RequestContext,
  by: { readonly orderId: string } | { readonly vendorId: bigint; readonly planId: number; readonly keyHash: string },
  at: Moment,
): Promise<Seen<OrderRow> | undefined> => {
  const standing = db.selectFrom('orders').selectAll().where(standsAt('orders', at))
  if ('orderId' in by) {
    const row = await standing.where('id', '=', by.orderId).executeTakeFirst()
    return row && { row, at }
  }
  if (!isVendorId(by.vendorId)) return undefined
  const row = await standing
    .where('vendor_id', '=', vendorKey(by.vendorId))
    .where('plan_id', '=', by.planId)
    .where('key_hash', '=', by.keyHash)
    .executeTakeFirst()
  return row && { row, at }
}

/** An account that may be nobody. */
export const somebody = (account: string): string | null => (account === ZERO_ADDRESS ? null : account)

/** Where a row is written on the chain. */
export const evidenceOf = (row: EvidenceColumns, blockNumber: number) => ({
  blockNumber,
  blockHash: row.block_hash,
  transactionHash: row.transaction_hash,
  logIndex: row.log_index,
})
