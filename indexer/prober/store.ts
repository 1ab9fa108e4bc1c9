/** What was found out about endpoints, and which are to be asked next. */
import { type Kysely, sql, type Transaction } from 'kysely'
import type { Address } from '../../chain/types.ts'
import { fromHex } from '../../protocol/bytes.ts'
import { endpointUrl } from '../../protocol/endpoint.ts'
import type { PriceAnchor } from '../../protocol/price.ts'
import { chainText } from '../../protocol/text.ts'
import { decodeAmount, encodeFlag, OPEN, planKey } from '../columns.ts'
import { PROBE_RETRY_MS, PROBE_SPREAD_MS, PROBE_VENDORS_MAX, SQL_VALUES_MAX } from '../limits.ts'
import type { Database } from '../schema.ts'
import type { Source } from '../store.ts'
import { chunks } from '../bulk.ts'
import { addTry, type Days, pauseAfter, uptimeOf } from './schedule.ts'
import type { ProbesTable } from './schema.ts'

/** An endpoint of a vendor, by its keys. */
export interface DueProbe {
  readonly vendor_id: string
  readonly endpoint: string
}

export interface ProbeResult extends DueProbe {
  /** Unix seconds. */
  readonly triedAt: number
  readonly reachable: boolean
  readonly verified: boolean
  /** Empty when verified. */
  readonly code: string
  readonly latencyMs: number
}

/** How the next tries are spread. */
export interface Spreading {
  readonly intervalMs: number
  /** From 0 to 1. */
  draw(): number
}

export interface ProbeStore {
  /**
   * Takes over the endpoints of vendors that changed since the last time, to be asked at once; the first time, those of
   * all vendors, spread over some time.
   */
  follow(nowMs: number, spreading: Spreading): Promise<void>
  /** Endpoints whose time has come, the longest waiting first; no vendor and no host comes twice. */
  due(nowMs: number, max: number): Promise<DueProbe[]>
  /** What the chain says now; undefined when the vendor does not stand any more. */
  anchor(vendorId: string, planIds: readonly number[]): Promise<PriceAnchor | undefined>
  /** Asks nothing of these for an interval, and says nothing of them. */
  postpone(probes: readonly DueProbe[], nowMs: number, spreading: Spreading): Promise<void>
  record(results: readonly ProbeResult[], nowMs: number, spreading: Spreading): Promise<void>
  /** Another number after each change of what is told of probes. */
  revision(): number
}

/** @param db whose chain tables somebody else writes, and whose probe tables nobody else */
export const createProbeStore = (db: Kysely<Database>, source: Source): ProbeStore => {
  let seen: { readonly number: number; readonly hash: string } | undefined
  let revision = 0

  /** In one transaction. Counted when it is over, for until then what is read may be old. */
  const change = async (work: (transaction: Transaction<Database>) => Promise<void>): Promise<void> => {
    try {
      await db.transaction().execute(work)
    } finally {
      revision++
    }
  }

  return {
    async follow(nowMs, spreading) {
      const blocks = db.selectFrom('blocks').select(['number', 'hash'])
      const head = await blocks.orderBy('number', 'desc').limit(1).executeTakeFirst()
      if (!head || head.hash === seen?.hash) return
      const still = seen && (await blocks.where('hash', '=', seen.hash).executeTakeFirst())
      if (!still) await change(forgetGone)
      for (let taken = 0; ;) {
        const vendors = await readChanged(db, still?.number)
        taken += vendors.length
        const windowMs = seen ? 0 : Math.min(taken * PROBE_SPREAD_MS, spreading.intervalMs)
        const due = () => nowMs + Math.round(spreading.draw() * windowMs)
        if (vendors.length > 0) {
          await change((transaction) => takeOver(transaction, vendors, nowMs, due))
        }
        if (vendors.length < PROBE_VENDORS_MAX) break
      }
      seen = head
    },

    async due(nowMs, max) {
      const query = sql<DueProbe>`
        select vendor_id, endpoint from (
          select vendor_id, endpoint, due_at_ms,
            row_number() over (partition by vendor_id order by due_at_ms, endpoint) as of_vendor,
            row_number() over (partition by host order by due_at_ms, vendor_id, endpoint) as of_host
          from probes where due_at_ms <= ${nowMs}
        ) as waiting where of_vendor = 1 and of_host = 1 order by due_at_ms, vendor_id limit ${max}`
      return (await query.execute(db)).rows
    },

    async anchor(vendorId, planIds) {
      const vendor = await db
        .selectFrom('vendors')
        .select(['signing_key', 'encryption_key'])
        .where('id', '=', vendorId)
        .where('to_block', '=', OPEN)
        .executeTakeFirst()
      if (!vendor) return undefined
      const keys = planIds.map((planId) => planKey(BigInt(vendorId), planId))
      const standing = db.selectFrom('plans').selectAll().where('to_block', '=', OPEN)
      const plans = keys.length === 0 ? [] : await standing.where('id', 'in', keys).orderBy('id').execute()
      return {
        vendor: { chainId: source.chainId, registry: source.registry as Address, vendorId: BigInt(vendorId) },
        signingKey: fromHex(vendor.signing_key),
        encryptionKey: fromHex(vendor.encryption_key),
        plans: plans.map((plan) => ({
          planId: plan.plan_id,
          token: plan.token,
          price: decodeAmount(plan.price),
          periodSeconds: plan.period_seconds,
          onSale: plan.on_sale === 1,
        })),
      }
    },

    async postpone(probes, nowMs, { intervalMs, draw }) {
      for (const { vendor_id, endpoint } of probes) {
        await db
          .updateTable('probes')
          .set({ due_at_ms: nowMs + pauseAfter(0, intervalMs, draw()) })
          .where('vendor_id', '=', vendor_id)
          .where('endpoint', '=', endpoint)
          .execute()
      }
    },

    record: async (results, nowMs, spreading) => {
      if (results.length === 0) return
      await change((transaction) => writeResults(transaction, results, nowMs, spreading))
    },

    revision: () => revision,
  }
}

interface ChangedVendor {
  readonly id: string
  readonly endpoints: string
  readonly block_hash: string
  readonly log_index: number
}

/** @param since only those that changed after this block */
const readChanged = async (db: Kysely<Database>, since: number | undefined): Promise<ChangedVendor[]> => {
  // The plus keeps SQLite from choosing the index on `to_block`, where every standing row is alike.
  const recent =
    since === undefined
      ? sql`vendors.to_block = ${OPEN}`
      : sql`vendors.from_block > ${since} and +vendors.to_block = ${OPEN}`
  const query = sql<ChangedVendor>`
    select vendors.id, vendors.endpoints, vendors.block_hash, vendors.log_index
    from vendors left join vendor_probes on vendor_probes.vendor_id = vendors.id
    where ${recent} and (vendor_probes.vendor_id is null
      or vendor_probes.block_hash <> vendors.block_hash or vendor_probes.log_index <> vendors.log_index)
    order by vendors.id limit ${PROBE_VENDORS_MAX}`
  return (await query.execute(db)).rows
}

/** A reorg may have undone vendors. */
const forgetGone = async (db: Transaction<Database>): Promise<void> => {
  for (const table of ['probes', 'vendor_probes'] as const) {
    const vendor = sql.ref(`${table}.vendor_id`)
    const gone = sql`not exists (select 1 from vendors where vendors.id = ${vendor} and vendors.to_block = ${OPEN})`
    await sql`delete from ${sql.table(table)} where ${gone}`.execute(db)
  }
}

const unasked = (vendor_id: string, endpoint: string, due_at_ms: number): ProbesTable => ({
  vendor_id,
  endpoint,
  host: endpointUrl(chainText(fromHex(endpoint)).text, '')?.host ?? endpoint,
  due_at_ms,
  failures: 0,
  tried_at: 0,
  seen_at: 0,
  latency_ms: 0,
  reachable: 0,
  verified: 0,
  code: '',
  days: '[]',
  uptime: 0,
})

const takeOver = async (
  db: Transaction<Database>,
  vendors: readonly ChangedVendor[],
  nowMs: number,
  due: () => number,
): Promise<void> => {
  const ids = vendors.map(({ id }) => id)
  const known = Map.groupBy(await readProbes(db, ids), ({ vendor_id }) => vendor_id)
  const rows = vendors.flatMap(({ id, endpoints }) => {
    const before = new Map((known.get(id) ?? []).map((row) => [row.endpoint, row]))
    return [...new Set(JSON.parse(endpoints) as string[])].map((endpoint) => {
      const row = before.get(endpoint)
      return row
        ? { ...row, failures: 0, due_at_ms: Math.max(nowMs, row.tried_at * 1000 + PROBE_RETRY_MS) }
        : unasked(id, endpoint, due())
    })
  })
  await db.deleteFrom('probes').where('vendor_id', 'in', ids).execute()
  for (const some of chunks(rows, Math.floor(SQL_VALUES_MAX / Object.keys(unasked('', '0x', 0)).length))) {
    await db.insertInto('probes').values(some).execute()
  }
  const ofVendor = Map.groupBy(rows, ({ vendor_id }) => vendor_id)
  const days = new Map((await readVendors(db, ids)).map(({ vendor_id, days: told }) => [vendor_id, told]))
  const taken = vendors.map(({ id, block_hash, log_index }) => {
    const told = days.get(id) ?? '[]'
    const uptime = uptimeOf(JSON.parse(told) as Days)
    return { vendor_id: id, block_hash, log_index, ...together(ofVendor.get(id) ?? []), days: told, uptime }
  })
  await writeVendors(db, taken)
}

const readProbes = (db: Transaction<Database>, vendorIds: readonly string[]): Promise<ProbesTable[]> =>
  db.selectFrom('probes').selectAll().where('vendor_id', 'in', vendorIds).execute()

const readVendors = (db: Transaction<Database>, vendorIds: readonly string[]) =>
  db.selectFrom('vendor_probes').selectAll().where('vendor_id', 'in', vendorIds).execute()

const writeVendors = (db: Transaction<Database>, rows: readonly Database['vendor_probes'][]) =>
  db
    .insertInto('vendor_probes')
    .values(rows)
    .onConflict((conflict) =>
      conflict.column('vendor_id').doUpdateSet(({ ref }) => ({
        block_hash: ref('excluded.block_hash'),
        log_index: ref('excluded.log_index'),
        reachable: ref('excluded.reachable'),
        verified: ref('excluded.verified'),
        days: ref('excluded.days'),
        uptime: ref('excluded.uptime'),
      })),
    )
    .execute()

/** What the endpoints of one vendor come to. */
const together = (rows: readonly ProbesTable[]) => ({
  reachable: encodeFlag(rows.some(({ reachable }) => reachable === 1)),
  verified: encodeFlag(rows.some(({ verified }) => verified === 1)),
})

const writeResults = async (
  db: Transaction<Database>,
  results: readonly ProbeResult[],
  nowMs: number,
  { intervalMs, draw }: Spreading,
): Promise<void> => {
  const ids = results.map(({ vendor_id }) => vendor_id)
  const known = Map.groupBy(await readProbes(db, ids), ({ vendor_id }) => vendor_id)
  const vendors = new Map((await readVendors(db, ids)).map((row) => [row.vendor_id, row]))
  for (const result of results) {
    const { vendor_id, endpoint, triedAt } = result
    const rows = known.get(vendor_id) ?? []
    const before = rows.find((row) => row.endpoint === endpoint)
    const vendor = vendors.get(vendor_id)
    // The vendor has other endpoints by now.
    if (!before || !vendor) continue
    const row = probed(before, result, nowMs, pauseAfter(result.verified ? 0 : before.failures + 1, intervalMs, draw()))
    await db
      .updateTable('probes')
      .set(row)
      .where('vendor_id', '=', vendor_id)
      .where('endpoint', '=', endpoint)
      .execute()
    const all = together(rows.map((each) => (each === before ? row : each)))
    const days = addTry(JSON.parse(vendor.days) as Days, triedAt, all.verified === 1)
    await writeVendors(db, [{ ...vendor, ...all, days: JSON.stringify(days), uptime: uptimeOf(days) }])
  }
}

const probed = (before: ProbesTable, result: ProbeResult, nowMs: number, pauseMs: number): ProbesTable => {
  const { triedAt, verified, reachable, code, latencyMs } = result
  const days = addTry(JSON.parse(before.days) as Days, triedAt, verified)
  return {
    ...before,
    due_at_ms: nowMs + pauseMs,
    failures: verified ? 0 : before.failures + 1,
    tried_at: triedAt,
    seen_at: verified ? triedAt : before.seen_at,
    latency_ms: latencyMs,
    reachable: encodeFlag(reachable),
    verified: encodeFlag(verified),
    code,
    days: JSON.stringify(days),
    uptime: uptimeOf(days),
  }
}
