/** The rows of the directory are a function of the canonical chain, whatever way it took. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import SqliteDatabase from 'better-sqlite3'
import fc from 'fast-check'
import { Kysely, SqliteDialect, sql } from 'kysely'
import { OPEN } from './columns.ts'
import { type Database, RECORDED, SUMMED, VERSIONED } from './schema.ts'
import { createProjection, openStore } from './store.ts'
import {
  address,
  batchOf,
  branches,
  emptyStore,
  genesis,
  hash,
  leadAlong,
  operations,
  seal,
  type Sealed,
  SOURCE,
  text,
} from './testing.ts'

/** Every row of every table, in an order of its own. */
const dump = async (db: Kysely<Database>) => {
  const tables = ['blocks', ...VERSIONED, ...SUMMED, ...RECORDED] as const
  const dumped: Record<string, unknown[]> = {}
  for (const table of tables) {
    const { rows } = await sql<object>`select * from ${sql.table(table)}`.execute(db)
    dumped[table] = rows.map((row) => JSON.stringify(row)).toSorted()
  }
  return dumped
}

/** Rows that stand at the end of a block, without the columns that tell for how long. */
const standing = async (db: Kysely<Database>, number: number) => {
  const found: Record<string, unknown[]> = {}
  for (const table of [...VERSIONED, ...SUMMED]) {
    const query = sql<{ to_block: number }>`
      select * from ${sql.table(table)} where from_block <= ${number} and to_block > ${number} order by id`
    found[table] = (await query.execute(db)).rows.map((row) => ({ ...row, to_block: OPEN }))
  }
  return found
}

const straight = async (chain: readonly Sealed[]) => {
  const db = await emptyStore()
  await createProjection(db).apply(batchOf(chain))
  return db
}

describe('projection', () => {
  it('has, after any reorgs and any cutting into batches, the rows of a straight fold of the canonical chain', async () => {
    await fc.assert(
      fc.asyncProperty(branches, fc.integer({ min: 1, max: 4 }), async (all, batchBlocks) => {
        const db = await emptyStore()
        const projection = createProjection(db)
        await projection.apply(batchOf([genesis]))
        const chain = await leadAlong(projection, all, batchBlocks)
        const oracle = await straight(chain)
        assert.deepEqual(await dump(db), await dump(oracle))
        assert.equal((await db.selectFrom('gaps').selectAll().execute()).length, 0)
        await Promise.all([db.destroy(), oracle.destroy()])
      }),
      { numRuns: 60 },
    )
  })

  it('shows at every block the rows that a fold up to that block has', async () => {
    await fc.assert(
      fc.asyncProperty(operations, async (blocks) => {
        const chain = seal(blocks.map((some) => ({ fork: 1, operations: some })))
        const db = await straight(chain)
        for (const { block } of chain) {
          const prefix = await straight(chain.slice(0, block.number + 1))
          assert.deepEqual(await standing(db, block.number), await standing(prefix, block.number))
          await prefix.destroy()
        }
        await db.destroy()
      }),
      { numRuns: 25 },
    )
  })

  it('makes what readers look up by when the chain was read up to blocks that may be undone', async () => {
    const chain = seal(Array.from({ length: 4 }, () => ({ fork: 1, operations: [] })))
    const last = chain.at(-1)?.block ?? genesis.block
    const final = chain.slice(0, 3)
    const db = await emptyStore()
    const indexesOfOrders = async (): Promise<number> => {
      const query = sql`select 1 from sqlite_master where type = 'index' and tbl_name = 'orders' and sql is not null`
      return (await query.execute(db)).rows.length
    }
    const projection = createProjection(db)
    await projection.apply({ ...batchOf(final, final.at(-1)?.block), head: last })
    assert.equal(await indexesOfOrders(), 0)
    await projection.apply(batchOf(chain.slice(3), final.at(-1)?.block))
    assert.ok((await indexesOfOrders()) > 0)
    await db.destroy()
  })

  it('writes a batch whole or not at all', async () => {
    const chain = seal([
      { fork: 1, operations: [{ kind: 'register', who: 1, value: 1, words: 'a' }] },
      {
        fork: 1,
        operations: ['profile', 'add-plan', 'buy', 'nonsense'].map(
          (kind) => ({ kind, who: 0, value: 1, words: 'b' }) as never,
        ),
      },
    ])
    // A batch makes some thirty statements; the process ends before each of them in turn.
    for (let survives = 0; ; survives++) {
      let left = Number.POSITIVE_INFINITY
      const database = new SqliteDatabase(':memory:')
      const dialect = new SqliteDialect({
        database: {
          prepare: (statement: string) => {
            if (--left < 0 && !/^(rollback)/i.test(statement)) throw new Error('killed')
            return database.prepare(statement)
          },
          close: () => database.close(),
        } as never,
      })
      const db = new Kysely<Database>({ dialect })
      await openStore(db, SOURCE.registry, async () => SOURCE)
      const projection = createProjection(db)
      await projection.apply(batchOf(chain.slice(0, 2)))
      const before = await dump(db)
      left = survives
      const outcome = await projection.apply(batchOf(chain.slice(2))).then(
        () => 'done',
        () => 'killed',
      )
      left = Number.POSITIVE_INFINITY
      if (outcome === 'done') {
        assert.ok(survives > 8, 'every statement had its turn')
        await db.destroy()
        return
      }
      assert.deepEqual(await dump(db), before)
      await projection.apply(batchOf(chain.slice(2)))
      const oracle = await straight(chain)
      assert.deepEqual(await dump(db), await dump(oracle))
      await Promise.all([db.destroy(), oracle.destroy()])
    }
  })

  it('tells the follower where it is: every header from the checkpoint to the finalized block, and block 0', async () => {
    const db = await emptyStore()
    const projection = createProjection(db)
    assert.equal(await projection.recorded(), undefined)
    const chain = seal(Array.from({ length: 9 }, () => ({ fork: 1, operations: [] })))
    await projection.apply(batchOf(chain, chain[5]?.block))
    const recorded = await projection.recorded()
    assert.deepEqual(
      recorded?.blocks.map(({ number }) => number),
      [9, 8, 7, 6, 5, 0],
    )
    assert.equal(recorded?.finalized.hash, chain[5]?.block.hash)
    await projection.rollBack(chain[6]?.block ?? genesis.block)
    assert.equal((await projection.recorded())?.blocks[0]?.number, 6)
    await db.destroy()
  })

  it('fills a database of an earlier version anew, and knows what it is about', async () => {
    const db = await emptyStore()
    const chain = seal([{ fork: 1, operations: [{ kind: 'register', who: 1, value: 1, words: 'proxy' }] }])
    await createProjection(db).apply(batchOf(chain))
    await sql`delete from kysely_migration where name > '0002'`.execute(db)
    await sql`drop table volumes`.execute(db)
    await sql`alter table vendors drop column created_block`.execute(db)
    const find = () => assert.fail('the database knows')
    await assert.rejects(openStore(db, address(1), find), { code: 'ERR_INDEXER_SOURCE' })
    assert.deepEqual(await openStore(db, SOURCE.registry, find), SOURCE)
    const projection = createProjection(db)
    assert.equal(await projection.recorded(), undefined)
    await projection.apply(batchOf(chain))
    assert.deepEqual(await dump(db), await dump(await straight(chain)))
    await openStore(db, SOURCE.registry, find)
    assert.notEqual(await projection.recorded(), undefined)
    await db.destroy()
  })

  it('refuses a database of another registry', async () => {
    const db = await emptyStore()
    const find = () => assert.fail('the database knows')
    await assert.rejects(openStore(db, address(1), find), { code: 'ERR_INDEXER_SOURCE' })
    assert.deepEqual(await openStore(db, SOURCE.registry, find), SOURCE)
    await db.destroy()
  })

  it('stores hostile strings: NUL, bad UTF-8, bidi, 100 kB, HTML', async () => {
    const db = await emptyStore()
    const chain = seal([{ fork: 1, operations: [{ kind: 'register', who: 1, value: 1, words: '' }] }])
    const [first, second] = chain
    const registered = second?.events[0]
    if (!first || !second || registered?.type !== 'VendorRegistered') throw new Error('made above')
    const hostile = [
      new Uint8Array([0, 255, 254, 0xc3]),
      text('\u202egpj.exe\0').bytes,
      text('<script>'.repeat(12_500)).bytes,
    ]
    const endpoints = hostile.map((bytes) => ({ ...text(''), bytes }))
    await createProjection(db).apply(
      batchOf([first, { ...second, events: [{ ...registered, endpoints, profile: endpoints[2] ?? text('') }] }]),
    )
    const row = await db.selectFrom('vendors').selectAll().executeTakeFirstOrThrow()
    assert.deepEqual(
      JSON.parse(row.endpoints),
      hostile.map((bytes) => `0x${Buffer.from(bytes).toString('hex')}`),
    )
    assert.equal(Buffer.compare(row.profile, hostile[2] ?? new Uint8Array()), 0)
    assert.equal(row.profile_valid, 0)
    assert.equal(hash(1).length, 66)
    await db.destroy()
  })
})
