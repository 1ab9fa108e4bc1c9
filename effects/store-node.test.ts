import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { describe, it, type TestContext } from 'node:test'
import Database from 'better-sqlite3'
import { Kysely, sql } from 'kysely'
import { createFileStore, createSqlStore } from './store-node.ts'

interface Tables {
  parent: { id: number; amount: string | null }
  child: { parent_id: number }
}

/** A folder that does not exist yet. */
const folder = (t: TestContext): string => {
  const parent = mkdtempSync(join(tmpdir(), 'chrove-store-'))
  t.after(() => rmSync(parent, { recursive: true }))
  return join(parent, 'home')
}

const mode = (path: string): string => (statSync(path).mode & 0o777).toString(8)

/** Runs a program that prints one number for each write that resolved, and kills it after so many. */
const killedAfter = async (lines: number, program: string): Promise<number> => {
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const exited = once(child, 'exit')
  let last = 0
  let seen = 0
  for await (const line of createInterface(child.stdout)) {
    last = Number(line)
    if (++seen === lines) child.kill('SIGKILL')
  }
  const [, signal] = (await exited) as [number | null, string | null]
  assert.equal(signal, 'SIGKILL')
  return last
}

const module = JSON.stringify(import.meta.resolve('./store-node.ts'))

describe('file store', () => {
  it('gives back what was written, and undefined for what was not', async (t) => {
    const files = createFileStore(folder(t))
    assert.equal(await files.read('keyring.json'), undefined)
    for (const content of [Uint8Array.of(1, 2, 3), new Uint8Array(), new Uint8Array(100_000).fill(7)]) {
      await files.write('keyring.json', content)
      assert.deepEqual(await files.read('keyring.json'), content)
    }
  })

  it('is open to its owner only, and leaves no other file behind', async (t) => {
    const home = folder(t)
    await createFileStore(home).write('keyring.json', Uint8Array.of(1))
    assert.equal(mode(home), '700')
    assert.equal(mode(join(home, 'keyring.json')), '600')
    assert.deepEqual(readdirSync(home), ['keyring.json'])
  })

  it('makes nothing by reading', async (t) => {
    const home = folder(t)
    await createFileStore(home).read('keyring.json')
    assert.throws(() => statSync(home), { code: 'ENOENT' })
  })

  it('keeps the last of many writes, as it was when write was called', async (t) => {
    const files = createFileStore(folder(t))
    // The longer ones would be ready later, were they written side by side.
    const sizes = Array.from({ length: 20 }, (_, index) => 2_000_000 - 100_000 * index)
    const writes = sizes.map((size) => files.write('a', new Uint8Array(size)))
    const content = Uint8Array.of(2)
    writes.push(files.write('a', content))
    content[0] = 3
    await Promise.all(writes)
    assert.deepEqual(await files.read('a'), Uint8Array.of(2))
  })

  it('says when it cannot write, keeps the old content, and goes on', async (t) => {
    const home = folder(t)
    const files = createFileStore(home)
    await createFileStore(join(home, 'taken')).write('x', Uint8Array.of(1))
    await assert.rejects(files.write('taken', Uint8Array.of(2)))
    await files.write('b', Uint8Array.of(3))
    assert.deepEqual(readdirSync(home), ['b', 'taken'])
  })

  it('takes no name that could leave the folder', async (t) => {
    const files = createFileStore(folder(t))
    for (const name of [
      '',
      '.',
      '..',
      '../x',
      'a/b',
      'a\\b',
      '/etc/passwd',
      '.hidden',
      'a..b',
      'A',
      'a\0',
      'a\n',
      'x'.repeat(101),
    ]) {
      await assert.rejects(files.write(name, new Uint8Array()), TypeError)
      await assert.rejects(files.read(name), TypeError)
    }
  })

  it('lets one process at a time work exclusively, so that no update is lost', async (t) => {
    const home = folder(t)
    const program = `import { createFileStore } from ${module}
      const files = createFileStore(${JSON.stringify(home)})
      const increment = async () => {
        const [count = 0] = (await files.read('counter')) ?? []
        await files.write('counter', Uint8Array.of(count + 1))
      }
      await Promise.all(Array.from({ length: 10 }, () => files.exclusively('counter', increment)))`
    const children = Array.from({ length: 3 }, () =>
      spawn(process.execPath, ['--input-type=module', '-e', program], { stdio: 'inherit' }),
    )
    assert.deepEqual(await Promise.all(children.map((child) => once(child, 'exit'))), Array(3).fill([0, null]))
    assert.deepEqual(await createFileStore(home).read('counter'), Uint8Array.of(30))
  })

  it('lets the next one work after one that fails, and after one that is killed', async (t) => {
    const home = folder(t)
    const files = createFileStore(home)
    await assert.rejects(
      files.exclusively('keyring', () => Promise.reject(new Error('no'))),
      /no/,
    )
    await killedAfter(
      1,
      `import { createFileStore } from ${module}
      await createFileStore(${JSON.stringify(home)}).exclusively('keyring', async () => {
        console.log(1)
        await new Promise((resolve) => setInterval(resolve, 2 ** 30))
      })`,
    )
    assert.equal(await files.exclusively('keyring', () => Promise.resolve('mine')), 'mine')
  })

  it('has the last write that resolved, or a later one, whole, after kill -9', async (t) => {
    for (const lines of [1, 7, 20]) {
      const home = folder(t)
      const acknowledged = await killedAfter(
        lines,
        `import { createFileStore } from ${module}
        const files = createFileStore(${JSON.stringify(home)})
        for (let i = 1; ; i++) {
          await files.write('counter', new Uint8Array(200000).fill(i))
          console.log(i)
        }`,
      )
      const content = await createFileStore(home).read('counter')
      assert.equal(content?.length, 200_000)
      assert.ok(content.every((byte) => byte === content[0]))
      assert.ok((content[0] ?? 0) >= acknowledged)
    }
  })
})

describe('SQL store', () => {
  const openIn = (t: TestContext, home: string): Kysely<Tables> => {
    const database = new Kysely<Tables>({ dialect: createSqlStore(home).dialect('vendor') })
    t.after(() => database.destroy())
    return database
  }

  it('is open to its owner only, journals included', async (t) => {
    const home = folder(t)
    const database = openIn(t, home)
    await sql`create table parent (id integer primary key, amount text)`.execute(database)
    assert.equal(mode(home), '700')
    assert.deepEqual(readdirSync(home), ['vendor.sqlite', 'vendor.sqlite-shm', 'vendor.sqlite-wal'])
    for (const name of readdirSync(home)) assert.equal(mode(join(home, name)), '600')
  })

  it('commits to the disk, in WAL, waits for locks, and checks foreign keys', async (t) => {
    const database = openIn(t, folder(t))
    const pragma = async (name: string) =>
      Object.values((await sql.raw(`pragma ${name}`).execute(database)).rows[0] as object)[0]
    assert.equal(await pragma('journal_mode'), 'wal')
    assert.equal(await pragma('synchronous'), 2)
    assert.equal(await pragma('busy_timeout'), 5000)
    await sql`create table parent (id integer primary key, amount text)`.execute(database)
    await sql`create table child (parent_id integer references parent (id))`.execute(database)
    await assert.rejects(database.insertInto('child').values({ parent_id: 7 }).execute(), {
      code: 'SQLITE_CONSTRAINT_FOREIGNKEY',
    })
  })

  it('reads integers as numbers and keeps amounts of any size as text', async (t) => {
    const database = openIn(t, folder(t))
    await sql`create table parent (id integer primary key, amount text)`.execute(database)
    const row = { id: Number.MAX_SAFE_INTEGER, amount: (2n ** 128n - 1n).toString() }
    await database.insertInto('parent').values(row).execute()
    assert.deepEqual(await database.selectFrom('parent').selectAll().executeTakeFirst(), row)
  })

  it('answers a repeated query from the tables as they are then', async (t) => {
    const database = openIn(t, folder(t))
    await sql`create table parent (id integer primary key, amount text)`.execute(database)
    const all = () => sql`select * from parent where id > ${0} order by id`.execute(database)
    const insert = (id: number) => sql`insert into parent (id, amount) values (${id}, ${'1'})`.execute(database)
    await insert(1)
    assert.deepEqual((await all()).rows, [{ id: 1, amount: '1' }])
    await insert(2)
    await sql`alter table parent add column currency text default 'xdai'`.execute(database)
    const rows = [1, 2].map((id) => ({ id, amount: '1', currency: 'xdai' }))
    assert.deepEqual((await all()).rows, rows)
    await sql`drop table parent`.execute(database)
    await assert.rejects(all(), /no such table/)
  })

  it('prepares each query once, and keeps so many', async (t) => {
    const prepared: string[] = []
    const { prepare } = Database.prototype
    t.mock.method(Database.prototype, 'prepare', function (this: Database.Database, text: string) {
      prepared.push(text)
      return prepare.call(this, text)
    })
    const database = openIn(t, folder(t))
    const ask = (number: number) => sql.raw(`select ${number} as number`).execute(database)
    for (let round = 0; round < 3; round++) {
      assert.deepEqual((await ask(0)).rows, [{ number: 0 }])
      for (let number = 1; number < 256; number++) await ask(number)
    }
    assert.equal(prepared.length, 256)
    // One more, in place of the one longest unused.
    await ask(0)
    await ask(256)
    await ask(0)
    await ask(1)
    assert.deepEqual(prepared.slice(256), ['select 256 as number', 'select 1 as number'])
  })

  it('has every row whose insert resolved after kill -9, and no half transaction', async (t) => {
    for (const lines of [1, 10, 50]) {
      const home = folder(t)
      const acknowledged = await killedAfter(
        lines,
        `import { createSqlStore } from ${module}
        import { Kysely, sql } from ${JSON.stringify(import.meta.resolve('kysely'))}
        const database = new Kysely({ dialect: createSqlStore(${JSON.stringify(home)}).dialect('vendor') })
        await sql\`create table parent (id integer primary key, amount text)\`.execute(database)
        for (let i = 1; ; i++) {
          await database.transaction().execute(async (transaction) => {
            await transaction.insertInto('parent').values({ id: 2 * i - 1, amount: 'a'.repeat(5000) }).execute()
            await transaction.insertInto('parent').values({ id: 2 * i, amount: 'b'.repeat(5000) }).execute()
          })
          console.log(i)
        }`,
      )
      const rows = await openIn(t, home).selectFrom('parent').select('id').orderBy('id').execute()
      assert.ok(rows.length >= 2 * acknowledged)
      assert.equal(rows.length % 2, 0)
      assert.deepEqual(
        rows.map(({ id }) => id),
        rows.map((_, index) => index + 1),
      )
    }
  })
})
