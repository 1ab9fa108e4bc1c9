/** The rendezvous' database: who is registered with which key, and who does not want to hear of whom. No address is in it. */
import { Kysely, sql, type Dialect } from 'kysely'
import type { RegistrationBody } from '../protocol/rendezvous/registration.ts'
import type { RsaPublicKey } from '../protocol/keys.ts'

interface Tables {
  clients: {
    uuid: string
    /** Of the newest registration. */
    version: number
    /** Its key, as JSON. */
    key: string
    /** 1 when refusal, silence and absence are to look alike, else 0. */
    is_uniform: number
  }
  /** Every registration, as it was signed. */
  registrations: { uuid: string; version: number; body: string }
  /** `uuid` does not want to be asked by `blocked`. */
  blocks: { uuid: string; blocked: string }
}

export interface StoredClient {
  readonly version: number
  readonly key: RsaPublicKey
  readonly isUniform: boolean
}

export interface RendezvousStore {
  find(uuid: string): Promise<StoredClient | undefined>
  /** All registrations of a client, the first one first. */
  history(uuid: string): Promise<readonly RegistrationBody[]>
  /**
   * Registers a new client.
   * @returns false when somebody else was first
   */
  add(uuid: string, version: number, key: RsaPublicKey, body: RegistrationBody): Promise<boolean>
  /**
   * Gives a client another key.
   * @param before version that the change was checked against
   * @returns false when it is not the newest any more
   */
  change(uuid: string, before: number, version: number, key: RsaPublicKey, body: RegistrationBody): Promise<boolean>
  setUniform(uuid: string, isUniform: boolean): Promise<void>
  blocksOf(uuid: string): Promise<readonly string[]>
  block(uuid: string, blocked: string): Promise<void>
  unblock(uuid: string, blocked: string): Promise<void>
  count(): Promise<number>
  close(): Promise<void>
}

const SCHEMA = [
  sql`create table if not exists clients (
    uuid text primary key, version integer not null, key text not null, is_uniform integer not null default 0)`,
  sql`create table if not exists registrations (
    uuid text not null, version integer not null, body text not null, primary key (uuid, version))`,
  sql`create table if not exists blocks (uuid text not null, blocked text not null, primary key (uuid, blocked))`,
]

export const openRendezvousStore = async (dialect: Dialect): Promise<RendezvousStore> => {
  const db = new Kysely<Tables>({ dialect })
  await db.transaction().execute(async (tx) => {
    for (const statement of SCHEMA) await statement.execute(tx)
  })
  return {
    async find(uuid) {
      const row = await db.selectFrom('clients').selectAll().where('uuid', '=', uuid).executeTakeFirst()
      if (row === undefined) return undefined
      // Written by `add` and `change` alone, which are given keys that were checked.
      return { version: row.version, key: JSON.parse(row.key) as RsaPublicKey, isUniform: row.is_uniform === 1 }
    },

    async history(uuid) {
      const rows = await db
        .selectFrom('registrations')
        .select('body')
        .where('uuid', '=', uuid)
        .orderBy('version')
        .execute()
      return rows.map(({ body }) => JSON.parse(body) as RegistrationBody)
    },

    add: (uuid, version, key, body) =>
      db.transaction().execute(async (tx) => {
        const row = { uuid, version, key: JSON.stringify(key), is_uniform: 0 }
        const { numInsertedOrUpdatedRows } = await tx
          .insertInto('clients')
          .values(row)
          .onConflict((conflict) => conflict.doNothing())
          .executeTakeFirst()
        if (numInsertedOrUpdatedRows !== 1n) return false
        await tx
          .insertInto('registrations')
          .values({ uuid, version, body: JSON.stringify(body) })
          .execute()
        return true
      }),

    change: (uuid, before, version, key, body) =>
      db.transaction().execute(async (tx) => {
        const { numUpdatedRows } = await tx
          .updateTable('clients')
          .set({ version, key: JSON.stringify(key) })
          .where('uuid', '=', uuid)
          .where('version', '=', before)
          .executeTakeFirst()
        if (numUpdatedRows !== 1n) return false
        await tx
          .insertInto('registrations')
          .values({ uuid, version, body: JSON.stringify(body) })
          .execute()
        return true
      }),

    async setUniform(uuid, isUniform) {
      await db
        .updateTable('clients')
        .set({ is_uniform: isUniform ? 1 : 0 })
        .where('uuid', '=', uuid)
        .execute()
    },

    async blocksOf(uuid) {
      const rows = await db.selectFrom('blocks').select('blocked').where('uuid', '=', uuid).orderBy('blocked').execute()
      return rows.map(({ blocked }) => blocked)
    },

    async block(uuid, blocked) {
      await db
        .insertInto('blocks')
        .values({ uuid, blocked })
        .onConflict((conflict) => conflict.doNothing())
        .execute()
    },

    async unblock(uuid, blocked) {
      await db.deleteFrom('blocks').where('uuid', '=', uuid).where('blocked', '=', blocked).execute()
    },

    async count() {
      const { count } = await db
        .selectFrom('clients')
        .select(db.fn.countAll<number>().as('count'))
        .executeTakeFirstOrThrow()
      return count
    },

    close: () => db.destroy(),
  }
}
