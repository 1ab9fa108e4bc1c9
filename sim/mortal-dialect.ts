/** A Kysely dialect whose every call stays pending once its host has died. */
import type { DatabaseConnection, Dialect, Driver } from 'kysely'
import { never, type Life } from './life.ts'

export const mortalDialect = (dialect: Dialect, life: Life): Dialect => {
  const alive = async <T>(work: () => Promise<T>): Promise<T> => {
    if (!life.isAlive()) return never()
    const outcome = await work().then(
      (value) => () => value,
      (reason: unknown) => () => {
        throw reason
      },
    )
    return life.isAlive() ? outcome() : never()
  }

  const mortalConnection = (connection: DatabaseConnection): DatabaseConnection => ({
    executeQuery: (query, options) => alive(() => connection.executeQuery(query, options)),
    streamQuery: async function* (query, chunkSize, options) {
      for await (const rows of connection.streamQuery(query, chunkSize, options)) {
        yield await alive(async () => rows)
      }
    } as DatabaseConnection['streamQuery'],
  })

  const mortalDriver = (driver: Driver): Driver => ({
    init: (options) => alive(() => driver.init(options)),
    acquireConnection: (options) => alive(async () => mortalConnection(await driver.acquireConnection(options))),
    beginTransaction: (connection, settings) => alive(() => driver.beginTransaction(connection, settings)),
    commitTransaction: (connection) => alive(() => driver.commitTransaction(connection)),
    rollbackTransaction: (connection) => alive(() => driver.rollbackTransaction(connection)),
    savepoint: (...parameters) => alive(async () => driver.savepoint?.(...parameters)),
    rollbackToSavepoint: (...parameters) => alive(async () => driver.rollbackToSavepoint?.(...parameters)),
    releaseSavepoint: (...parameters) => alive(async () => driver.releaseSavepoint?.(...parameters)),
    releaseConnection: async (connection, options) => driver.releaseConnection(connection, options),
    destroy: (options) => alive(() => driver.destroy(options)),
  })

  return {
    createDriver: () => mortalDriver(dialect.createDriver()),
    createQueryCompiler: () => dialect.createQueryCompiler(),
    createAdapter: () => dialect.createAdapter(),
    createIntrospector: (db) => dialect.createIntrospector(db),
  }
}
