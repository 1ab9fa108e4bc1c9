/** States as rows and back. What can be derived from a state is derived here, once, when it is written. */
import type { Settlement, UndecodableLog } from '../chain/events.ts'
import type { Address, Block, Evidence, Hex } from '../chain/types.ts'
import { pricePerDay } from '../protocol/amount.ts'
import { fromHex, toHex, utf8 } from '../protocol/bytes.ts'
import { chainText } from '../protocol/text.ts'
import { decodeAmount, encodeAmount, encodeFlag, encodeWords, OPEN, planKey, vendorKey } from './columns.ts'
import type { Gap, OrderState, PlanState, VendorState } from './fold.ts'
import { UNDECODABLE_DATA_BYTES_MAX } from './limits.ts'
import { readProfile } from '../protocol/profile.ts'
import { encodePhrase, planWords, titleWords, vendorWords } from '../protocol/words.ts'
import type { BlockRow, GapRow, OrderRow, PlanRow, UndecodableLogRow, VendorRow, WordRow } from './schema.ts'

const evidenceColumns = (evidence: Evidence) => ({
  block_hash: evidence.blockHash,
  transaction_hash: evidence.transactionHash,
  log_index: evidence.logIndex,
})

const version = (evidence: Evidence) => ({
  from_block: evidence.blockNumber,
  to_block: OPEN,
  ...evidenceColumns(evidence),
})

export const vendorRow = (vendor: VendorState, evidence: Evidence): VendorRow => {
  const profile = readProfile(vendor.profile)
  const { valid, title, description, logo, serviceTypes, regions } = profile
  return {
    id: vendorKey(vendor.vendorId),
    ...version(evidence),
    version: vendor.version,
    owner: vendor.owner,
    pending_owner: vendor.pendingOwner,
    operator: vendor.operator,
    payout: vendor.payout,
    active: encodeFlag(vendor.active),
    signing_key: vendor.signingKey,
    encryption_key: vendor.encryptionKey,
    endpoints: JSON.stringify(vendor.endpoints.map(({ bytes }) => toHex(bytes))),
    profile: vendor.profile.bytes,
    profile_valid: encodeFlag(valid),
    title,
    description,
    logo,
    service_types: encodeWords(serviceTypes),
    regions: encodeWords(regions),
    search_title: encodePhrase(titleWords(profile)),
    search_text: encodePhrase(vendorWords(profile)),
    plan_count: vendor.planCount,
    created_block: vendor.createdBlock,
  }
}

/** Endpoints of a row, each as it is on chain and cleaned. */
export const endpointsOf = (row: Pick<VendorRow, 'endpoints'>) =>
  (JSON.parse(row.endpoints) as string[]).map((hex) => chainText(fromHex(hex)))

export const vendorState = (row: VendorRow): VendorState => ({
  vendorId: BigInt(row.id),
  version: row.version,
  owner: row.owner as Address,
  pendingOwner: row.pending_owner as Address,
  operator: row.operator as Address,
  payout: row.payout as Address,
  active: row.active === 1,
  signingKey: row.signing_key as Hex,
  encryptionKey: row.encryption_key as Hex,
  endpoints: endpointsOf(row),
  profile: chainText(row.profile),
  planCount: row.plan_count,
  createdBlock: row.created_block,
})

/** Words as the index has them: bytes, which every database sorts alike. */
export const wordRows = (vendorId: bigint, words: readonly string[]): WordRow[] => {
  const id = vendorKey(vendorId)
  return [...new Set(words)].map((word) => ({ word: utf8(word), vendor_id: id }))
}

export const planRow = (plan: PlanState, evidence: Evidence): PlanRow => ({
  id: planKey(plan.vendorId, plan.planId),
  ...version(evidence),
  vendor_id: vendorKey(plan.vendorId),
  plan_id: plan.planId,
  token: plan.token,
  price: encodeAmount(plan.price),
  period_seconds: plan.periodSeconds,
  max_periods: plan.maxPeriods,
  settlement: plan.settlement,
  title_bytes: plan.title.bytes,
  title: plan.title.text,
  search_text: encodePhrase(planWords(plan.title.text)),
  on_sale: encodeFlag(plan.onSale),
  price_per_day: encodeAmount(pricePerDay(plan.price, plan.periodSeconds)),
  created_block: plan.createdBlock,
})

export const planState = (row: PlanRow): PlanState => ({
  vendorId: BigInt(row.vendor_id),
  planId: row.plan_id,
  token: row.token as Address,
  price: decodeAmount(row.price),
  periodSeconds: row.period_seconds,
  maxPeriods: row.max_periods,
  settlement: row.settlement as Settlement,
  title: chainText(row.title_bytes),
  onSale: row.on_sale === 1,
  createdBlock: row.created_block,
})

export const orderRow = (order: OrderState, evidence: Evidence): OrderRow => ({
  id: order.orderId,
  ...version(evidence),
  vendor_id: vendorKey(order.vendorId),
  plan_id: order.planId,
  key_hash: order.keyHash,
  token: order.token ?? '',
  controller: order.controller,
  started_at: order.startedAt,
  ends_at: order.endsAt,
  periods: order.periods,
  cancelled: encodeFlag(order.cancelled),
  paid: encodeAmount(order.paid),
  refunded: encodeAmount(order.refunded),
  withdrawn: encodeAmount(order.withdrawn),
  created_block: order.createdBlock,
})

export const orderState = (row: OrderRow): OrderState => ({
  orderId: row.id as Hex,
  vendorId: BigInt(row.vendor_id),
  planId: row.plan_id,
  keyHash: row.key_hash as Hex,
  token: row.token === '' ? undefined : (row.token as Address),
  controller: row.controller as Address,
  startedAt: row.started_at,
  endsAt: row.ends_at,
  periods: row.periods,
  cancelled: row.cancelled === 1,
  paid: decodeAmount(row.paid),
  refunded: decodeAmount(row.refunded),
  withdrawn: decodeAmount(row.withdrawn),
  createdBlock: row.created_block,
})

export const blockRow = ({ number, hash, parentHash, timestampSeconds }: Block): BlockRow => ({
  number,
  hash,
  parent_hash: parentHash,
  timestamp_seconds: timestampSeconds,
})

export const gapRow = (gap: Gap): GapRow => ({
  block_number: gap.evidence.blockNumber,
  ...evidenceColumns(gap.evidence),
  kind: gap.kind,
  subject: gap.subject,
  expected: gap.expected.toString(),
  found: gap.found.toString(),
})

export const undecodableLogRow = ({ reason, log }: UndecodableLog): UndecodableLogRow => ({
  block_number: log.evidence.blockNumber,
  ...evidenceColumns(log.evidence),
  address: log.address,
  topics: JSON.stringify(log.topics),
  data: fromHex(log.data.slice(0, 2 + 2 * UNDECODABLE_DATA_BYTES_MAX)),
  data_length: (log.data.length - 2) / 2,
  reason,
})
