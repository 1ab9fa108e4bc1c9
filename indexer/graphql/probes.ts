/** What the prober found out about the endpoints of vendors, for the fields of one request. */
import DataLoader from 'dataloader'
import type { Kysely, Selectable } from 'kysely'
import { toHex } from '../../protocol/bytes.ts'
import { UPTIME_WHOLE } from '../prober/schedule.ts'
import type { ProbesTable } from '../prober/schema.ts'
import { endpointsOf } from '../rows.ts'
import type { Database, VendorRow } from '../schema.ts'

type ProbeRow = Selectable<ProbesTable>

export interface ProbeReads {
  /** Of the endpoints of a vendor that were tried, in no order. */
  probesOf(vendorKey: string): Promise<readonly ProbeRow[]>
  /** Of a vendor, 0 to 1; null before the first try. */
  uptimeOf(vendorKey: string): Promise<number | null>
}

/** @param onRead is told before anything is read */
export const createProbeReads = (db: Kysely<Database>, onRead: () => void): ProbeReads => {
  const probes = new DataLoader<string, readonly ProbeRow[]>(async (keys) => {
    const tried = db.selectFrom('probes').selectAll().where('tried_at', '>', 0)
    const found = Map.groupBy(await tried.where('vendor_id', 'in', keys).execute(), ({ vendor_id }) => vendor_id)
    return keys.map((key) => found.get(key) ?? [])
  })
  const uptimes = new DataLoader<string, number | null>(async (keys) => {
    const tried = db.selectFrom('vendor_probes').select(['vendor_id', 'uptime']).where('days', '<>', '[]')
    const rows = await tried.where('vendor_id', 'in', keys).execute()
    const found = new Map(rows.map(({ vendor_id, uptime }) => [vendor_id, uptime / UPTIME_WHOLE]))
    return keys.map((key) => found.get(key) ?? null)
  })
  return {
    probesOf(key) {
      onRead()
      return probes.load(key)
    },
    uptimeOf(key) {
      onRead()
      return uptimes.load(key)
    },
  }
}

/** Of the endpoints that a vendor has at the block that is answered for, in their order. */
export const probesShown = (vendor: VendorRow, rows: readonly ProbeRow[]) => {
  const byEndpoint = new Map(rows.map((row) => [row.endpoint, row]))
  return endpointsOf(vendor).flatMap(({ bytes, text }) => {
    const row = byEndpoint.get(toHex(bytes))
    if (!row) return []
    return {
      endpoint: { text, bytes: row.endpoint },
      reachable: row.reachable === 1,
      verified: row.verified === 1,
      code: row.code === '' ? null : row.code,
      latencyMs: row.reachable === 1 ? row.latency_ms : null,
      triedAt: row.tried_at,
      seenAt: row.seen_at === 0 ? null : row.seen_at,
      uptime: row.uptime / UPTIME_WHOLE,
    }
  })
}
