/**
 * Watches a gateway from outside: what its clients sent, what left it, and its ledger after every durable write. What was
 * charged has to be the price of what was asked for, to the unit, in the very write that says for which request it was.
 */
import type { SimHost } from '../host.ts'
import type { World } from '../world/world.ts'
import { costOfBytes, type Good, goodPaidOnce, PIECE_BYTES } from './goods.ts'
import { ledgerRows, type AccountRow } from './ledger-rows.ts'
import { STREAM_PIECE_BYTES } from '../../gateway/limits.ts'

/** A request as its payer proved it. */
export interface Proved {
  readonly client: string
  readonly account: string
  readonly proof: string
  readonly method: string
  readonly target: string
  readonly idempotencyKey: string
  readonly amount: string
  readonly digest: string
}

export interface Audit {
  /** A client is about to send this. @param cumulative that its voucher allows, of a channel */
  sent(proved: Proved, good: Good | undefined, cumulative: bigint | undefined): void
  /** The ledger was written. */
  look(): void
  /** An answer other than a refusal begins to leave. */
  leaves(proved: Proved | undefined, isStream: boolean): void
  /** A body that costs by the bit begins to leave. */
  streams(account: string): Flow
  /** The gateway died. */
  died(): void
  /** A refund request was taken. */
  refundTaken(text: string): void
  proved(proof: string): Proved | undefined
  /** All that a payer ever signed for, smallest unit, by channel. */
  readonly signed: ReadonlyMap<string, bigint>
  /** Keys of requests that were charged, with their accounts. */
  charged(): ReadonlySet<string>
  /** What streams were charged, once none flows. */
  checkStreams(): void
}

/** A body that costs by the bit. */
export interface Flow {
  /** A piece leaves. */
  piece(bytes: number): void
  /** It has ended; of more than once the first counts. */
  end(how: 'whole' | 'broken'): void
}

const SUMS = 'charged ≤ signed ≤ deposited'
const EACH = 'what is charged is what was asked for'
const ONCE = 'a request is served once'
const FLOWS = 'nothing flows that is not charged'

const keyed = (account: string, key: string): string => `${account} ${key}`

export const createAudit = (world: World, host: SimHost): Audit => {
  const { breach, reach } = world
  const byProof = new Map<string, Proved>()
  const byKey = new Map<string, { readonly good: Good; readonly amount: bigint }>()
  const signed = new Map<string, bigint>()
  const served = new Set<string>()
  const refunds = new Set<string>()
  const known = new Map<string, AccountRow>()
  const highest = new Map<string, bigint>()
  let keys: ReadonlySet<string> = new Set()
  let once: ReadonlySet<string> = new Set()
  const open = new Map<string, number>()
  /** By account: what streams were charged; what has left for it; what may be charged on top. */
  const streamed = new Map<string, { charged: bigint; flowed: bigint; slack: bigint }>()

  const streamOf = (account: string) => {
    const entry = streamed.get(account) ?? { charged: 0n, flowed: 0n, slack: 0n }
    streamed.set(account, entry)
    return entry
  }

  const costOf = (key: string): bigint => {
    const sent = byKey.get(key)
    if (!sent) {
      breach(EACH, `the ledger has an idempotency key that nobody sent: ${key}`)
      return 0n
    }
    const { good, amount } = sent
    if (good.per === 'bit') breach(EACH, `what costs by the bit is charged each time; the ledger keeps the key ${key}`)
    if (good.per === 'access') return good.price
    return good.per === 'donation' ? amount : 0n
  }

  const costOnce = (row: string): bigint => {
    const good = goodPaidOnce(row)
    if (!good) breach(EACH, `the ledger says that "${row}" was paid once and for all: nothing here is`)
    return good?.price ?? 0n
  }

  const checkSums = (row: AccountRow): void => {
    const { name, deposited, charged, refunded, signed: limit } = row
    const most = highest.get(name) ?? 0n
    if (deposited > most) highest.set(name, deposited)
    const high = highest.get(name) ?? 0n
    const short = row.account.slice(0, 10)
    if (charged < 0n || refunded < 0n) breach(SUMS, `${short} was charged ${charged} and refunded ${refunded}`)
    if (limit !== undefined && charged > limit) breach(SUMS, `${short} was charged ${charged} and signed ${limit}`)
    if (charged + refunded > high)
      breach(SUMS, `${short} was charged ${charged} and refunded ${refunded}, deposited were never more than ${high}`)
    const bySelf = signed.get(row.account) ?? 0n
    if (limit !== undefined && limit > bySelf) breach(SUMS, `${short} counts as signed ${limit}; signed are ${bySelf}`)
    if (deposited < charged + refunded) reach('account below zero after a reorg')
  }

  const checkCharge = (row: AccountRow, fresh: bigint): void => {
    const extra = row.charged - (known.get(row.name)?.charged ?? 0n) - fresh
    if (extra === 0n) return
    const short = row.account.slice(0, 10)
    if (!streamed.has(row.account)) breach(EACH, `${short} was charged ${fresh + extra} for what costs ${fresh}`)
    const stream = streamOf(row.account)
    stream.charged += extra
    if (extra > 0n) reach('stream charged')
  }

  return {
    signed,
    charged: () => keys,
    proved: (proof) => byProof.get(proof),
    sent(proved, good, cumulative) {
      byProof.set(proved.proof, proved)
      if (good) byKey.set(proved.idempotencyKey, { good, amount: unitsOf(proved.amount) })
      if (cumulative !== undefined && (signed.get(proved.account) ?? 0n) < cumulative)
        signed.set(proved.account, cumulative)
    },
    look() {
      const rows = ledgerRows(host)
      const fresh = new Map<string, bigint>()
      const add = (name: string, amount: bigint) => void fresh.set(name, (fresh.get(name) ?? 0n) + amount)
      for (const { name, account, key } of rows.keys) if (!keys.has(keyed(account, key))) add(name, costOf(key))
      for (const { name, route } of rows.once)
        if (!once.has(`${name} ${route}`)) {
          add(name, costOnce(route))
          reach('request charged once and for all')
        }
      for (const row of rows.accounts) {
        checkSums(row)
        checkCharge(row, fresh.get(row.name) ?? 0n)
        known.set(row.name, row)
      }
      for (const { name, deposited, refunded } of rows.accounts) {
        const paid = rows.deposits.get(name) ?? 0n
        if (paid !== deposited) breach(SUMS, `deposits of ${paid} count as ${deposited}`)
        const back = rows.refunds.get(name) ?? 0n
        if (back !== refunded) breach(SUMS, `refunds of ${back} count as ${refunded}`)
      }
      keys = new Set(rows.keys.map(({ account, key }) => keyed(account, key)))
      once = new Set(rows.once.map(({ name, route }) => `${name} ${route}`))
    },
    leaves(proved, isStream) {
      if (!proved) return breach(ONCE, 'something was served that nobody asked for')
      if (served.has(proved.proof)) breach(ONCE, `a proved request for ${proved.target} was served again`)
      served.add(proved.proof)
      if (isStream) return
      if (!keys.has(keyed(proved.account, proved.idempotencyKey)))
        breach('what is served is charged', `${proved.target} was served and is not in the ledger`)
    },
    streams(account) {
      open.set(account, (open.get(account) ?? 0) + 1)
      streamOf(account)
      let [ended, flowed] = [false, 0]
      return {
        piece(bytes) {
          const stream = streamOf(account)
          stream.flowed += costOfBytes(flowed + bytes) - costOfBytes(flowed)
          flowed += bytes
          if (stream.flowed > stream.charged)
            breach(FLOWS, `${stream.flowed} flowed to ${account.slice(0, 10)}, charged are ${stream.charged}`)
        },
        end(how) {
          if (ended) return
          ended = true
          open.set(account, (open.get(account) ?? 1) - 1)
          // One piece may be on its way inside the gateway.
          if (how === 'broken') streamOf(account).slack += costOfBytes(PIECE_BYTES)
        },
      }
    },
    died() {
      for (const [account, count] of open) {
        if (count > 0) streamOf(account).slack += BigInt(count) * costOfBytes(STREAM_PIECE_BYTES + 2 * PIECE_BYTES)
      }
      open.clear()
    },
    refundTaken(text) {
      if (refunds.has(text)) breach('refunds are exact and single', 'a refund request was taken twice')
      refunds.add(text)
    },
    checkStreams() {
      for (const [account, { charged, flowed, slack }] of streamed) {
        if (charged >= flowed && charged <= flowed + slack) continue
        breach(FLOWS, `${flowed} flowed to ${account.slice(0, 10)} and up to ${slack} more; charged are ${charged}`)
      }
    },
  }
}

/** Whole units as `Payment-Amount` has them, in smallest ones. */
const unitsOf = (text: string): bigint => {
  const [whole = '0', fraction = ''] = text.split('.')
  return BigInt(whole === '' ? '0' : whole) * 10n ** 18n + BigInt(fraction.padEnd(18, '0') || '0')
}
