/** The page that the benchmark asks for, and the statements that the directory runs for it. */
import { Kysely } from 'kysely'
import { createClock } from '../../../effects/clock.ts'
import { sha256 } from '../../../effects/digest-node.ts'
import { silentLog } from '../../../effects/log.ts'
import { createSqlStore } from '../../../effects/store-node.ts'
import { vendorKey } from '../../../indexer/columns.ts'
import { createFeed } from '../../../indexer/graphql/feed.ts'
import { watchHead } from '../../../indexer/graphql/head.ts'
import { createGraphqlServer } from '../../../indexer/graphql/server.ts'
import type { Database } from '../../../indexer/schema.ts'
import { createMetrics } from '../../../indexer/metrics.ts'
import { createProjection } from '../../../indexer/store.ts'
import { base64url, utf8 } from '../../../protocol/bytes.ts'
import { SOURCE } from './seed.ts'

export const PAGE_ROWS = 20

const QUERY = `query Page($after: String) {
  vendors(filter: { active: true }, first: ${PAGE_ROWS}, after: $after) {
    nodes {
      uri owner active
      profile { title description serviceTypes regions }
      endpoints { text }
      plans(filter: { onSale: true }, first: 5) { nodes { planId price pricePerDay periodSeconds settlement } }
    }
    pageInfo { hasNextPage endCursor }
  }
}`

/** Body of a request for the page behind a vendor. */
export const pageBody = (vendorId: number): string => {
  const after = base64url.encode(utf8(JSON.stringify(['ID_ASC', vendorKey(BigInt(vendorId))])))
  return JSON.stringify({ query: QUERY, variables: { after } })
}

export interface Statement {
  readonly sql: string
  readonly parameters: readonly unknown[]
}

/** What the directory asks its database for the page behind the first vendor. */
export interface PageStatements {
  readonly vendors: Statement
  readonly plans: Statement
  /** The answer, cost included. */
  readonly answer: string
}

/** Finds out which statements the directory runs, so that the bare server can run just the same. */
export const statementsOfPage = async (folder: string): Promise<PageStatements> => {
  const ran: Statement[] = []
  const db = new Kysely<Database>({
    dialect: createSqlStore(folder).dialect('directory'),
    log: ({ query: { sql, parameters } }) => void ran.push({ sql, parameters }),
  })
  try {
    const { head } = watchHead(db, createProjection(db))
    const probes = { revision: () => 0 }
    const fixed = { probes, source: SOURCE, clock: createClock(), sha256, readHeader: async () => undefined }
    const directory = { db, head, feed: createFeed(db), ...fixed }
    const body = pageBody(1)
    const headers = { 'content-type': 'application/json', 'content-length': String(body.length) }
    const request = new Request('http://directory/graphql', { method: 'POST', headers, body })
    const answer = await (
      await createGraphqlServer(directory, { log: silentLog, metrics: createMetrics() }).fetch(request)
    ).text()
    const [vendors, plans, ...others] = ran.filter(({ sql }) => /"(vendors|plans)"/.test(sql))
    if (!vendors || !plans || others.length > 0) throw new Error('the page takes other statements than it used to')
    return { vendors, plans, answer }
  } finally {
    await db.destroy()
  }
}
