/** What subscribers are told of a batch: which vendors are not as they were, and what was paid. */
import { z } from 'zod'
import type { ChroveEvent } from '../chain/events.ts'
import { type Address, type Evidence, type Hex, parseAddress, parseHash } from '../chain/types.ts'
import { readProfile } from '../protocol/profile.ts'
import { encodeWords, vendorKey } from './columns.ts'
import type { VendorState } from './fold.ts'
import type { FeedRow } from './schema.ts'
import { type Folded, type Standings, stepsOf } from './working-set.ts'

/** A purchase, as its event tells it. */
export interface Payment {
  readonly orderId: Hex
  readonly planId: number
  readonly keyHash: Hex
  /** Undefined while the plan is unknown, because a log is missing. */
  readonly token: Address | undefined
  readonly controller: Address
  readonly periods: number
  /** Unix seconds. */
  readonly startedAt: number
  /** Unix seconds. */
  readonly endsAt: number
  readonly amount: bigint
}

/** An event without its place in the feed. */
export type Told = Omit<FeedRow, 'seq' | 'retracts'>

const at = (evidence: Evidence) => ({
  block_number: evidence.blockNumber,
  block_hash: evidence.blockHash,
  transaction_hash: evidence.transactionHash,
  log_index: evidence.logIndex,
})

/** What a batch has to tell. */
export interface Tidings {
  /** In the order of the chain. */
  readonly told: readonly Told[]
  /** Newest block of which something is not told, because it is too old. */
  readonly untold: number | undefined
}

/**
 * @param before what stood before the batch
 * @param after what stands after it
 * @param old events up to this block are not told
 */
export const tidingsOf = (
  before: Standings,
  after: Standings,
  folded: Folded,
  events: readonly ChroveEvent[],
  old: number,
): Tidings => {
  const told: Told[] = []
  let untold: number | undefined
  const isTold = ({ blockNumber }: Evidence): boolean => {
    if (blockNumber <= old) untold = Math.max(untold ?? blockNumber, blockNumber)
    return blockNumber > old
  }
  for (const { evidence, was, is } of stepsOf(before.vendors, folded.versions.vendors)) {
    if (!isTold(evidence)) continue
    const vendor_id = vendorKey(is.vendorId)
    told.push({ kind: 'vendor', ...at(evidence), vendor_id, ...wordsOfEither(was, is), payment: '' })
  }
  for (const event of events) {
    if (event.type !== 'OrderPaid' || !isTold(event.evidence)) continue
    const { evidence, vendorId, orderId, planId, keyHash, controller, periods, startedAt, endsAt, amount } = event
    const token = after.orders.get(orderId)?.token
    const run = { periods, startedAt, endsAt, amount }
    const payment = encodePayment({ orderId, planId, keyHash, token, controller, ...run })
    const words = { service_types: '', regions: '' }
    told.push({ kind: 'payment', ...at(evidence), vendor_id: vendorKey(vendorId), ...words, payment })
  }
  return { told: told.toSorted((a, b) => a.block_number - b.block_number || a.log_index - b.log_index), untold }
}

/** Who follows one kind of service is told of a vendor that gives it up, too. */
const wordsOfEither = (was: VendorState | undefined, is: VendorState) => {
  const profiles = (was && was.profile !== is.profile ? [was, is] : [is]).map(({ profile }) => readProfile(profile))
  const all = (of: 'serviceTypes' | 'regions') => [...new Set(profiles.flatMap((profile) => profile[of]))].toSorted()
  return { service_types: encodeWords(all('serviceTypes')), regions: encodeWords(all('regions')) }
}

const encodePayment = ({ amount, ...payment }: Payment): string => JSON.stringify({ ...payment, amount: `${amount}` })

const hash = z.string().transform((value) => parseHash(value) ?? z.NEVER)
const address = z.string().transform((value) => parseAddress(value) ?? z.NEVER)
const paymentSchema = z.object({
  orderId: hash,
  planId: z.int(),
  keyHash: hash,
  token: address.optional(),
  controller: address,
  periods: z.int(),
  startedAt: z.int(),
  endsAt: z.int(),
  amount: z.string().transform((value) => BigInt(value)),
})

export const decodePayment = (text: string): Payment => {
  const { token, ...payment } = paymentSchema.parse(JSON.parse(text))
  return { ...payment, token }
}
