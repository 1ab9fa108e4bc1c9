/**
 * The prober's tables. Their rows are observations of this directory with a time of their own: they are not versioned
 * by block, and no rollback touches them. Types of columns are those of `../schema.ts`.
 */
import type { Kysely } from 'kysely'
import type { Migration } from 'kysely/migration'

/** One row for each endpoint of each vendor that stands. */
export interface ProbesTable {
  /** `vendorKey`. */
  vendor_id: string
  /** Hex of the endpoint's bytes as they are on chain. */
  endpoint: string
  /** Host and port that are asked, so that no machine is asked by many at once; the endpoint itself when it has none. */
  host: string
  /** When it is to be asked, Unix milliseconds. */
  due_at_ms: number
  /** Tries in a row that were not verified. */
  failures: number
  /** When it was last asked, Unix seconds; 0 if never. */
  tried_at: number
  /** When it was last verified, Unix seconds; 0 if never. */
  seen_at: number
  /** From the question to the end of the answer; 0 when there was none. */
  latency_ms: number
  /** Flag: the last try got an answer of status 200. */
  reachable: number
  /** Flag: the last answer was acceptable. */
  verified: number
  /** Why it was not; empty when it was. */
  code: string
  /** `Days`, as JSON. */
  days: string
  /** Millionths. */
  uptime: number
}

/** One row for each vendor that stands: what its endpoints come to together. */
export interface VendorProbesTable {
  vendor_id: string
  /** Where the change of the vendor is written that its endpoints were taken from. */
  block_hash: string
  log_index: number
  /** Flag: an endpoint is reachable. */
  reachable: number
  /** Flag: an endpoint is verified. */
  verified: number
  /** `Days`, as JSON: a try passed when an endpoint of the vendor was verified after it. */
  days: string
  /** Millionths. */
  uptime: number
}

export interface ProbeTables {
  probes: ProbesTable
  vendor_probes: VendorProbesTable
}

const TEXT = {
  probes: ['vendor_id', 'endpoint', 'host', 'code', 'days'],
  vendor_probes: ['vendor_id', 'block_hash', 'days'],
} as const
const INTEGERS = {
  probes: ['due_at_ms', 'failures', 'tried_at', 'seen_at', 'latency_ms', 'reachable', 'verified', 'uptime'],
  vendor_probes: ['log_index', 'reachable', 'verified', 'uptime'],
} as const
const KEY = { probes: ['vendor_id', 'endpoint'], vendor_probes: ['vendor_id'] } as const

export const probeMigration: Migration = {
  async up(db: Kysely<never>) {
    for (const name of ['probes', 'vendor_probes'] as const) {
      let table = db.schema.createTable(name).ifNotExists()
      for (const column of TEXT[name]) table = table.addColumn(column, 'text', (built) => built.notNull())
      for (const column of INTEGERS[name]) table = table.addColumn(column, 'bigint', (built) => built.notNull())
      await table.addPrimaryKeyConstraint(`${name}_key`, [...KEY[name]] as never[]).execute()
    }
    await db.schema.createIndex('probes_due_at_ms_index').ifNotExists().on('probes').column('due_at_ms').execute()
  },
}
