/** A PostgreSQL server for tests: the one that `CHROVE_TEST_POSTGRES` names, else PGlite, which is PostgreSQL in WebAssembly. */
import { PGlite } from '@electric-sql/pglite'
import { PGLiteSocketServer } from '@electric-sql/pglite-socket'
import pg from 'pg'

export interface TestPostgres {
  /** Which server it is. */
  readonly version: string
  /** URL of another empty database; of PGlite, which has but one, the earlier ones are then gone. */
  create(): Promise<string>
  close(): Promise<void>
}

export const openTestPostgres = async (): Promise<TestPostgres> => {
  const url = process.env.CHROVE_TEST_POSTGRES
  return url === undefined ? startPglite() : useServer(url)
}

const versionOf = async (client: pg.Client): Promise<string> => {
  const { rows } = await client.query<{ version: string }>('select version()')
  return rows[0]?.version ?? ''
}

const useServer = async (url: string): Promise<TestPostgres> => {
  const admin = new pg.Client(url)
  await admin.connect()
  const made: string[] = []
  return {
    version: await versionOf(admin),
    async create() {
      const name = `chrove_test_${crypto.randomUUID().replaceAll('-', '')}`
      await admin.query(`create database ${name}`)
      made.push(name)
      const own = new URL(url)
      own.pathname = `/${name}`
      return own.href
    },
    async close() {
      for (const name of made) await admin.query(`drop database if exists ${name} with (force)`)
      await admin.end()
    },
  }
}

const startPglite = async (): Promise<TestPostgres> => {
  const db = await PGlite.create()
  const server = new PGLiteSocketServer({ db, host: '127.0.0.1', port: 0, maxConnections: 100 })
  await server.start()
  const url = `postgres://postgres:postgres@${server.getServerConn()}/postgres`
  const { rows } = await db.query<{ version: string }>('select version()')
  return {
    version: `PGlite: ${rows[0]?.version}`,
    async create() {
      await db.exec('drop schema public cascade; create schema public')
      return url
    },
    async close() {
      await server.stop()
      await db.close()
    },
  }
}
