/**
 * SQLite for who commits all the time and has other things to do meanwhile: a commit writes to the write-ahead log, and
 * the log is flushed to the disk by another thread, while this one goes on. It has resolved when the flush has.
 *
 * SQLite itself is told to flush less (`synchronous = NORMAL`): the log before it is moved into the database, and the
 * database after. What a commit needs beside that is one flush of the log, which is what `FULL` does within the commit.
 */
import { constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import type Database from 'better-sqlite3'
import {
  CompiledQuery,
  type DatabaseConnection,
  type Driver,
  SqliteDialect,
  SqliteDriver,
  type SqliteDatabase,
  type QueryResult,
} from 'kysely'

const OWNER_ONLY_FILE = 0o600

export interface AsideDatabase {
  /** For all but its pragmas. */
  readonly statements: SqliteDatabase
  readonly database: Database.Database
  readonly path: string
}

/** Statements outside of a transaction are transactions by themselves. */
export class AsideDialect extends SqliteDialect {
  readonly #open: () => AsideDatabase

  constructor(openDatabase: () => AsideDatabase) {
    super({ database: () => Promise.reject(new Error('opened by the driver')) })
    this.#open = openDatabase
  }

  override createDriver(): Driver {
    return createAsideDriver(this.#open)
  }
}

const createAsideDriver = (openDatabase: () => AsideDatabase): Driver => {
  let log: FileHandle | undefined
  let inTransaction = false
  const driver = new SqliteDriver({
    async database() {
      const { database, statements, path } = openDatabase()
      database.pragma('synchronous = NORMAL')
      // SQLite has it open already, or will open this one.
      log = await open(`${path}-wal`, constants.O_RDWR | constants.O_CREAT, OWNER_ONLY_FILE)
      return statements
    },
  })
  const flush = async (): Promise<void> => {
    await log?.datasync()
  }

  const outside = (connection: DatabaseConnection): DatabaseConnection => ({
    async executeQuery<Row>(query: CompiledQuery): Promise<QueryResult<Row>> {
      const result = await connection.executeQuery<Row>(query)
      if (!inTransaction && !/^\s*select\b/i.test(query.sql)) await flush()
      return result
    },
    streamQuery: (query, chunkSize) => connection.streamQuery(query, chunkSize),
  })

  return {
    init: () => driver.init(),
    acquireConnection: async () => outside(await driver.acquireConnection()),
    async beginTransaction(connection) {
      await connection.executeQuery(CompiledQuery.raw('begin'))
      inTransaction = true
    },
    async commitTransaction(connection) {
      inTransaction = false
      // Outside of a transaction, so that it is flushed.
      await connection.executeQuery(CompiledQuery.raw('commit'))
    },
    async rollbackTransaction(connection) {
      await connection.executeQuery(CompiledQuery.raw('rollback'))
      inTransaction = false
    },
    releaseConnection: () => driver.releaseConnection(),
    async destroy() {
      await log?.close()
      log = undefined
      await driver.destroy()
    },
  }
}
