import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { Kysely, sql } from 'kysely'
import { createLife, type Life } from './life.ts'
import { createLoop } from './loop.ts'
import { createDisk, type Disk } from './store.ts'
import { createTrace } from './trace.ts'

interface Tables {
  balance: { account: string; amount: number }
}

/** A host's program over its incarnations, on a loop that tells what never settles. */
const createWorld = () => {
  const loop = createLoop()
  const disk = createDisk('bank', createTrace(loop))
  return { loop, disk, run: <T>(promise: Promise<T>) => loop.runUntil(promise, 0) }
}

const open = (disk: Disk, life: Life = createLife()) => {
  const { files, sql: databases } = disk.mount(life)
  return { life, files, databases, db: new Kysely<Tables>({ dialect: databases.dialect('ledger') }) }
}

const createTable = (db: Kysely<Tables>) =>
  sql`create table balance (account text primary key, amount integer not null) strict`.execute(db)

const add = (db: Kysely<Tables>, account: string, amount: number) =>
  db
    .insertInto('balance')
    .values({ account, amount })
    .onConflict((conflict) => conflict.column('account').doUpdateSet({ amount: sql<number>`amount + ${amount}` }))
    .execute()

/** Moves 1 from a to b, both or neither. */
const move = (db: Kysely<Tables>) =>
  db.transaction().execute(async (transaction) => {
    await add(transaction, 'a', -1)
    await add(transaction, 'b', 1)
  })

const balances = async (db: Kysely<Tables>) => {
  const rows = await db.selectFrom('balance').selectAll().orderBy('account').execute()
  return Object.fromEntries(rows.map(({ account, amount }) => [account, amount]))
}

/** A statement each, and the commit. */
const WRITES_PER_MOVE = 3

describe('an SQL database on a simulated disk', () => {
  it('works as one, with errors and rollbacks', async () => {
    const { disk, run } = createWorld()
    const { db } = open(disk)
    await run(createTable(db))
    await run(add(db, 'a', 5))
    await run(sql`create table child (account text references balance (account))`.execute(db))
    await assert.rejects(run(sql`insert into child values ('nobody')`.execute(db)), /FOREIGN KEY/)
    await assert.rejects(run(db.insertInto('balance').values({ account: 'a', amount: 1 }).execute()), /UNIQUE/)
    const failing = db.transaction().execute(async (transaction) => {
      await add(transaction, 'a', 100)
      throw new Error('changed my mind')
    })
    await assert.rejects(run(failing), /changed my mind/)
    assert.deepEqual(await run(balances(db)), { a: 5 })
    const streamed: number[] = []
    const stream = async () => {
      for await (const { amount } of db.selectFrom('balance').select('amount').stream()) streamed.push(amount)
    }
    await run(stream())
    assert.deepEqual(streamed, [5])
  })

  it('keeps its content when it is closed', async () => {
    const { disk, run } = createWorld()
    const first = open(disk)
    await run(createTable(first.db))
    await run(add(first.db, 'a', 5))
    await run(first.db.destroy())
    const again = new Kysely<Tables>({ dialect: first.databases.dialect('ledger') })
    assert.deepEqual(await run(balances(again)), { a: 5 })
  })

  it('is open twice: neither sees what the other has half done, and it stays until both have closed it', async () => {
    const { disk, run } = createWorld()
    const { db, databases } = open(disk)
    await run(createTable(db))
    const other = new Kysely<Tables>({ dialect: databases.dialect('ledger') })
    const seen: unknown[] = []
    const writing = db.transaction().execute(async (tx) => {
      await tx.insertInto('balance').values({ account: 'a', amount: 1 }).execute()
      const looking = balances(other).then((all) => seen.push(all))
      await tx.insertInto('balance').values({ account: 'b', amount: 2 }).execute()
      return { looking }
    })
    await run((await run(writing)).looking)
    assert.deepEqual(seen, [{ a: 1, b: 2 }])
    await run(db.destroy())
    assert.deepEqual(await run(balances(other)), { a: 1, b: 2 })
  })

  it('holds after a crash at any write exactly what had been committed', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: 5 * WRITES_PER_MOVE + 2 }), async (count) => {
        const { loop, disk, run } = createWorld()
        const first = open(disk)
        await run(createTable(first.db))
        await run(add(first.db, 'a', 100))
        let acknowledged = 0
        disk.crashAfterWrites(count)
        const work = async () => {
          for (let at = 0; at < 5; at++) {
            await move(first.db)
            acknowledged++
          }
        }
        void work()
        await loop.run('idle')
        assert.equal(first.life.isAlive(), count > 5 * WRITES_PER_MOVE)
        first.life.end()
        const committed = Math.min(5, Math.floor(count / WRITES_PER_MOVE))
        // A commit that the crash followed at once is durable, and the program never learnt of it.
        assert.equal(
          acknowledged,
          count > 0 && count % WRITES_PER_MOVE === 0 && count <= 15 ? committed - 1 : committed,
        )
        const second = open(disk)
        const left = await run(balances(second.db))
        assert.deepEqual(left, { a: 100 - committed, ...(committed > 0 && { b: committed }) })
        await run(move(second.db))
        assert.ok(second.life.isAlive())
      }),
      { numRuns: 40 },
    )
  })

  it('never answers the dead, and lets the living begin anew', async () => {
    const { loop, disk, run } = createWorld()
    const first = open(disk)
    await run(createTable(first.db))
    const unused = new Kysely<Tables>({ dialect: first.databases.dialect('other') })
    const outcomes: string[] = []
    const watch = (promise: Promise<unknown>) => void promise.finally(() => outcomes.push('settled'))
    watch(
      first.db.transaction().execute(async (transaction) => {
        await add(transaction, 'a', 1)
        await new Promise((resolve) => loop.schedule(10, () => resolve(undefined)))
      }),
    )
    loop.schedule(5, () => {
      first.life.end()
      watch(balances(first.db))
      watch(balances(unused))
      watch(first.db.destroy())
      watch(first.files.read('x'))
      watch(first.files.write('x', new Uint8Array(1)))
      watch(first.files.exclusively('x', async () => {}))
    })
    await loop.run('idle')
    assert.deepEqual(outcomes, [])
    const second = open(disk)
    assert.deepEqual(await run(balances(second.db)), {})
    assert.equal(await run(second.files.read('x')), undefined)
    await run(createTable(new Kysely<Tables>({ dialect: second.databases.dialect('other') })))
  })

  it('belongs to one incarnation at a time', () => {
    const { disk } = createWorld()
    open(disk)
    assert.throws(() => open(disk), { code: 'ERR_SIM_HOST' })
  })
})

describe('files on a simulated disk', () => {
  it('are replaced whole or not at all, whatever write the crash follows', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.uint8Array(), { minLength: 1, maxLength: 8 }),
        fc.nat(9),
        async (contents, count) => {
          const { loop, disk, run } = createWorld()
          const life = createLife()
          const { files } = disk.mount(life)
          let acknowledged = 0
          disk.crashAfterWrites(count)
          const work = async () => {
            for (const content of contents) {
              await files.write('keyring', content)
              acknowledged++
            }
          }
          void work()
          await loop.run('idle')
          assert.equal(acknowledged, count > contents.length ? contents.length : Math.max(0, count - 1))
          life.end()
          const survivor = disk.mount(createLife())
          assert.deepEqual(await run(survivor.files.read('keyring')), contents[Math.min(count, contents.length) - 1])
        },
      ),
    )
  })

  it('are copies', async () => {
    const { disk, run } = createWorld()
    const { files } = disk.mount(createLife())
    const content = new Uint8Array([1])
    await run(files.write('x', content))
    content[0] = 2
    ;(await run(files.read('x')))?.fill(3)
    assert.deepEqual(await run(files.read('x')), new Uint8Array([1]))
  })

  it('are held by one at a time, in turn; a holder that fails or dies lets go', async () => {
    const { loop, disk, run } = createWorld()
    const life = createLife()
    const { files } = disk.mount(life)
    const order: string[] = []
    const hold = (name: string, ms: number) =>
      files.exclusively('keyring', async () => {
        order.push(`${name} begins`)
        await new Promise((resolve) => loop.schedule(ms, () => resolve(undefined)))
        order.push(`${name} ends`)
        if (name === 'b') throw new Error('failed')
        return name
      })
    const all = Promise.allSettled([hold('a', 30), hold('b', 20), hold('c', 10)])
    const settled = await loop.runUntil(all, 1000)
    assert.deepEqual(order, ['a begins', 'a ends', 'b begins', 'b ends', 'c begins', 'c ends'])
    assert.deepEqual(
      settled.map(({ status }) => status),
      ['fulfilled', 'rejected', 'fulfilled'],
    )
    void hold('d', 1e9)
    await loop.run({ timeMs: loop.nowMs() })
    life.end()
    const next = disk.mount(createLife())
    assert.equal(await run(next.files.exclusively('keyring', async () => 'free')), 'free')
  })
})

describe('a backup', () => {
  it('puts all files back to any state they were in', async () => {
    const { disk, run } = createWorld()
    const life = createLife()
    const { files } = disk.mount(life)
    const write = (text: string) => run(files.write('note', new TextEncoder().encode(text)))
    for (const text of ['one', 'two', 'three']) await write(text)
    assert.throws(() => disk.restore(1), { code: 'ERR_SIM_HOST' })
    life.end()
    disk.restore(1)
    const read = async () => new TextDecoder().decode(await disk.mount(createLife()).files.read('note'))
    assert.equal(await run(read()), 'one')
    assert.equal(disk.states(), 5)
  })
})
