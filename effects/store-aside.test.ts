import assert from 'node:assert/strict'
import { mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import Database from 'better-sqlite3'
import { Kysely, sql } from 'kysely'
import { createAsideSqlStore } from './store-node.ts'

interface Tables {
  things: { id: number; name: string }
}

const opened = async (t: TestContext) => {
  const folder = await mkdtemp(join(tmpdir(), 'chrove-aside-'))
  const db = new Kysely<Tables>({ dialect: createAsideSqlStore(folder).dialect('things') })
  t.after(async () => {
    await db.destroy()
    await rm(folder, { recursive: true })
  })
  await sql`create table things (id integer primary key, name text not null)`.execute(db)
  const path = join(folder, 'things.sqlite')
  /** What another process finds there. */
  const seen = () => {
    const other = new Database(path, { readonly: true })
    const rows = other.prepare('select name from things order by id').all() as { name: string }[]
    other.close()
    return rows.map(({ name }) => name)
  }
  return { db, path, seen }
}

describe('a database whose log is flushed by another thread', () => {
  it('has what was committed, and nothing of what was rolled back', async (t) => {
    const { db, seen } = await opened(t)
    await db.insertInto('things').values({ id: 1, name: 'alone' }).execute()
    await db.transaction().execute(async (tx) => {
      await tx.insertInto('things').values({ id: 2, name: 'together' }).execute()
      await tx.insertInto('things').values({ id: 3, name: 'too' }).execute()
      assert.deepEqual(seen(), ['alone'])
    })
    const failing = db.transaction().execute(async (tx) => {
      await tx.insertInto('things').values({ id: 4, name: 'never' }).execute()
      throw new Error('changed its mind')
    })
    await assert.rejects(failing, /changed its mind/)
    assert.deepEqual(seen(), ['alone', 'together', 'too'])
  })

  it('lets others go on while a commit is flushed', async (t) => {
    const { db } = await opened(t)
    let turns = 0
    const insert = db.insertInto('things').values({ id: 1, name: 'a' }).execute()
    const count = (async () => {
      for (; turns < 3; turns++) await new Promise((resolve) => setImmediate(resolve))
    })()
    await Promise.all([insert, count])
    assert.equal(turns, 3)
  })

  it('does one transaction after the other', async (t) => {
    const { db, seen } = await opened(t)
    const add = (id: number) =>
      db.transaction().execute(async (tx) => {
        const { count } = await tx
          .selectFrom('things')
          .select(({ fn }) => fn.countAll<number>().as('count'))
          .executeTakeFirstOrThrow()
        await tx
          .insertInto('things')
          .values({ id, name: `after ${count}` })
          .execute()
      })
    await Promise.all([add(1), add(2), add(3)])
    assert.deepEqual(seen(), ['after 0', 'after 1', 'after 2'])
  })

  it('is readable by its owner only, log included', async (t) => {
    const { path } = await opened(t)
    for (const file of [path, `${path}-wal`]) assert.equal((await stat(file)).mode & 0o777, 0o600)
  })
})
