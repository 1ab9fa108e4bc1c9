/** A database on a PostgreSQL server. */
import {
  type DatabaseIntrospector,
  type Dialect,
  type Kysely,
  PostgresDialect,
  type PostgresPoolClient,
  sql,
} from 'kysely'
import pg from 'pg'
import { StoreError } from './store.ts'

/** Readers wait neither for the one who writes nor for each other. */
const CONNECTIONS = 8
/** Making a connection, milliseconds. */
const CONNECT_MS = 10_000
/** A connection is silent for so long before it is tried whether anybody is still there, milliseconds. */
const KEEP_ALIVE_MS = 10_000
/** A statement that takes longer is given up by the server, milliseconds. */
const STATEMENT_MS = 60_000

/** Classes of SQLSTATE by which what failed may succeed later: PostgreSQL, appendix A. */
const PASSING = /^(08|40|53|57|58)/

/**
 * Durable at each commit, as far as the server is set so.
 * @param url `postgres://user:password@host:port/database`; what it leaves out comes from PostgreSQL's own environment
 * variables and password file
 */
export const postgresDialect = (url: string): Dialect => new OneSchema({ pool: async () => openPool(url) })

/** Tables of other schemas, which others keep in the same database, are not there. */
class OneSchema extends PostgresDialect {
  override createIntrospector(db: Kysely<never>): DatabaseIntrospector {
    const introspector = super.createIntrospector(db)
    return {
      getSchemas: () => introspector.getSchemas(),
      async getTables(options) {
        const { rows } = await sql<{ current: string }>`select current_schema() as current`.execute(db)
        const tables = await introspector.getTables(options)
        return tables.filter(({ schema }) => schema === rows[0]?.current)
      },
    }
  }
}

const openPool = (url: string) => {
  const pool = new pg.Pool({
    connectionString: url,
    application_name: 'chrove',
    max: CONNECTIONS,
    connectionTimeoutMillis: CONNECT_MS,
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEP_ALIVE_MS,
    statement_timeout: STATEMENT_MS,
    types: { getTypeParser: parserOf },
    allowExitOnIdle: true,
  })
  // A connection that breaks while nobody uses it is replaced by the next that is needed; who uses it hears of it by the
  // question that has no answer.
  pool.on('error', () => {})
  pool.on('connect', (client) => client.on('error', () => {}))
  return {
    options: pool.options,
    connect: async () => guarded(await pool.connect().catch(refuse)),
    end: () => pool.end(),
  }
}

const parserOf: typeof pg.types.getTypeParser = (type, format) =>
  type === pg.types.builtins.INT8 ? Number : pg.types.getTypeParser(type, format)

/** A client whose faults are told apart: those of the server pass. */
const guarded = (client: pg.PoolClient): PostgresPoolClient => {
  let broken = false
  const note = (error: unknown): never => {
    broken ||= isPassing(error)
    return fail(error)
  }
  const query = (text: string, parameters: readonly unknown[]) => client.query(text, [...parameters]).catch(note)
  const release = (destroy?: boolean) => client.release(broken || destroy === true)
  // Without cursors, which streams need, this is all that is asked of a client.
  return { query, release } as unknown as PostgresPoolClient
}

const isPassing = (error: unknown): boolean =>
  // What is no answer of the server is a fault of the connection.
  !(error instanceof pg.DatabaseError) || PASSING.test(error.code ?? '')

const fail = (error: unknown): never => {
  if (!isPassing(error)) throw error
  const text = 'the database cannot be reached, or does not take work now'
  throw new StoreError('ERR_STORE_UNREACHABLE', text, { cause: error })
}

const refuse = (error: unknown): never => {
  if (isPassing(error)) return fail(error)
  const { message } = error as Error
  throw new StoreError('ERR_STORE_REFUSED', `the database refuses: ${message}`, { cause: error })
}
