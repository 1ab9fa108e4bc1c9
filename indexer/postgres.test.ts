/** SQLite and PostgreSQL: after the same chain the rows are the same, and so is every answer to the byte. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { after, before, describe, it } from 'node:test'
import fc from 'fast-check'
import { Kysely, type Dialect } from 'kysely'
import { postgresDialect } from '../effects/store-postgres.ts'
import { StoreError } from '../effects/store.ts'
import { chainOf, directoryOf, doing } from './graphql/testing.ts'
import type { Database } from './schema.ts'
import { batchOf, branches, genesis, leadAlong, type Branches, type Sealed } from './testing.ts'
import { openTestPostgres, type TestPostgres } from './test-postgres.ts'

let server: TestPostgres
before(async () => {
  server = await openTestPostgres()
})
after(() => server.close())

const TABLES = {
  source: ['id'],
  checkpoint: ['id'],
  blocks: ['number'],
  vendors: ['id', 'from_block'],
  plans: ['id', 'from_block'],
  orders: ['id', 'from_block'],
  totals: ['id', 'from_block'],
  volumes: ['id', 'from_block'],
  words: ['word', 'vendor_id'],
  feed: ['seq'],
  feed_state: ['id'],
  gaps: ['block_number', 'log_index'],
  undecodable_logs: ['block_number', 'log_index'],
  probes: ['vendor_id', 'endpoint'],
  vendor_probes: ['vendor_id'],
} as const satisfies { readonly [Table in keyof Database]: readonly (keyof Database[Table])[] }

/** All that is written, in the database's own order of its keys. */
const rowsOf = async (db: Kysely<Database>): Promise<Record<string, unknown[]>> => {
  const tables: Record<string, unknown[]> = {}
  for (const [table, key] of Object.entries(TABLES) as [keyof Database, readonly string[]][]) {
    const query = key.reduce((ordered, column) => ordered.orderBy(column as never), db.selectFrom(table).selectAll())
    tables[table] = (await query.execute()).map((row) =>
      Object.fromEntries(
        Object.entries(row)
          .toSorted(([a], [b]) => (a < b ? -1 : 1))
          .map(([name, value]) => [name, value instanceof Uint8Array ? Buffer.from(value).toString('hex') : value]),
      ),
    )
  }
  return tables
}

const VENDOR = `id version owner pendingOwner active endpoints { text bytes } profile { valid title description regions
  serviceTypes raw { bytes } } planCount orderCount createdBlock uptime volumes { token orders paid refunded volume }
  evidence { blockHash transactionHash logIndex finalized }`
const PLAN = 'id token price pricePerDay periodSeconds settlement onSale title { text bytes } evidence { blockNumber }'
const ORDER = 'id status token paid refunded withdrawn startedAt endsAt periods controller evidence { blockNumber }'
const page = (rows: string) => `totalCount edges { cursor node { ${rows} } } pageInfo { hasNextPage hasPreviousPage }`
const each = (values: readonly string[], make: (value: string) => string) => values.map(make)
const TOKEN = '"0x0000000000000000000000000000000000000007"'

/** What clients ask, in every order and with every filter; `AT` stands for the argument that names a block, or nothing. */
const QUERIES: readonly string[] = [
  ...each(
    ['ID', 'CREATED', 'CHANGED', 'UPTIME'],
    (field) => `vendors(first: 3, orderBy: { field: ${field} } AT) { ${page(VENDOR)} }`,
  ),
  ...each(
    ['PRICE', 'VOLUME'],
    (field) => `vendors(last: 3, orderBy: { field: ${field}, direction: DESC, token: ${TOKEN} } AT) { ${page('id')} }`,
  ),
  ...each(
    ['ID', 'CREATED', 'CHANGED', 'PRICE'],
    (field) => `plans(first: 3, filter: { token: ${TOKEN} }, orderBy: { field: ${field} } AT) { ${page(PLAN)} }`,
  ),
  ...each(
    ['ID', 'CHANGED', 'STARTED_AT', 'ENDS_AT'],
    (field) => `orders(last: 4, orderBy: { field: ${field} } AT) { ${page(ORDER)} }`,
  ),
  ...each(['RUNNING', 'ENDED', 'CANCELLED'], (status) => `orders(filter: { status: ${status} } AT) { ${page('id')} }`),
  ...each(
    ['proxy', 'prox', 'fast relay', 'ünïcode', 'r', 'proxy about'],
    (words) => `vendors(search: "${words}" AT) { ${page('id')} }`,
  ),
  `vendors(filter: { serviceType: "proxy", active: true, plan: { onSale: true, settlement: STREAMED } } AT) { ${page('id')} }`,
  `vendors(first: 2 AT) { nodes { id plans(first: 2, orderBy: { field: PRICE, direction: DESC }) { ${page(PLAN)} } } }`,
  'vendor(id: 1 AT) { id history(first: 5) { totalCount nodes { fromBlock toBlock vendor { version profile { title } } } } }',
  'stats(AT) { block { number hash } vendors activeVendors plans plansOnSale orders runningOrders volumes { token orders paid refunded withdrawn volume } }',
  '_meta(AT) { block { number hash timestamp } finalized { number } lagSeconds completeness { complete gapCount undecodableLogs } }',
]

/** The argument as it stands in a list of arguments, alone or after others. */
const at = (query: string, block: string) =>
  block === ''
    ? query.replace(/\( ?AT\)/, '').replace(' AT', '')
    : query.replace(' AT)', `, block: { ${block} })`).replace('(AT)', `(block: { ${block} })`)

const directoryAfter = async (database: Dialect | undefined, all: Branches, batchBlocks: number) => {
  const directory = await directoryOf([genesis], database ? { database } : {})
  const chain = await leadAlong(directory.projection, all, batchBlocks)
  return { ...directory, chain }
}

const textOf = async (directory: Awaited<ReturnType<typeof directoryOf>>, query: string): Promise<string> => {
  const response = await directory.post({ query })
  const text = await response.text()
  assert.ok(!text.includes('INTERNAL_SERVER_ERROR') && !text.includes('GRAPHQL_'), `${query}: ${text}`)
  return `${response.headers.get('etag')} ${text}`
}

/** A way to a server that can be cut. */
const openTap = async (url: string) => {
  const target = new URL(url)
  const open = new Set<Socket>()
  let left = Infinity
  const cut = () => {
    for (const socket of open) socket.destroy()
  }
  const listener = createServer((client) => {
    const upstream = connect(Number(target.port || 5432), target.hostname)
    for (const socket of [client, upstream]) {
      open.add(socket.on('error', () => {}).once('close', () => open.delete(socket)))
    }
    client.on('data', (bytes) => {
      upstream.write(bytes.subarray(0, Math.min(bytes.length, left)))
      left -= bytes.length
      if (left < 0) cut()
    })
    upstream.on('data', (bytes) => client.write(bytes))
    client.once('close', () => upstream.destroy())
    upstream.once('close', () => client.destroy())
  }).listen(0, '127.0.0.1')
  await once(listener, 'listening')
  const here = new URL(url)
  here.host = `127.0.0.1:${(listener.address() as AddressInfo).port}`
  return {
    url: here.href,
    /** All connections break when so many more bytes have been sent to the server. */
    cutAfter: (bytes: number) => void (left = bytes),
    async close() {
      listener.close()
      cut()
      await once(listener, 'close')
    },
  }
}

describe('a directory in PostgreSQL', () => {
  it('has the rows and gives the answers of one in SQLite, after any reorgs and of any block', async (t) => {
    t.diagnostic(`on ${server.version}`)
    await fc.assert(
      fc.asyncProperty(branches, fc.integer({ min: 1, max: 4 }), fc.nat(1000), async (all, batchBlocks, past) => {
        const inSqlite = await directoryAfter(undefined, all, batchBlocks)
        const inPostgres = await directoryAfter(postgresDialect(await server.create()), all, batchBlocks)
        assert.deepEqual(await rowsOf(inPostgres.db), await rowsOf(inSqlite.db))
        const { block } = inSqlite.chain[past % inSqlite.chain.length] as Sealed
        for (const query of QUERIES) {
          for (const moment of ['', `number: ${block.number}`]) {
            const asked = `{ ${at(query, moment)} }`
            assert.equal(await textOf(inPostgres, asked), await textOf(inSqlite, asked), asked)
          }
        }
        await inPostgres.db.destroy()
        await inSqlite.db.destroy()
      }),
      { numRuns: 12 },
    )
  })

  it('minds no tables that others have in other schemas', async () => {
    const url = await server.create()
    const others = new Kysely<never>({ dialect: postgresDialect(url) })
    await others.schema.createSchema('others').execute()
    await others.schema.createTable('others.kysely_migration').addColumn('name', 'text').execute()
    await others.schema.createTable('others.kysely_migration_lock').addColumn('id', 'text').execute()
    const { ask, db } = await directoryAfter(postgresDialect(url), [], 1)
    assert.deepEqual((await ask('{ vendors { totalCount } }')).data, { vendors: { totalCount: 0 } })
    await db.schema.dropSchema('others').cascade().execute()
    await db.destroy()
    await others.destroy()
  })

  it('that cannot be reached says so, and that this may pass', async () => {
    const gone = await openTap(await server.create())
    const { ask, db } = await directoryAfter(postgresDialect(gone.url), [], 1)
    await gone.close()
    await assert.rejects(db.selectFrom('vendors').selectAll().execute(), {
      code: 'ERR_STORE_UNREACHABLE',
      retryable: true,
    })
    const { errors } = await ask('{ vendors { totalCount } }')
    assert.deepEqual(errors?.[0]?.extensions, { code: 'ERR_STORE_UNREACHABLE', retryable: true })
    await db.destroy()
  })

  it('that does not let us in says why, and that this does not pass', async () => {
    const fields = ['SFATAL', 'C28P01', 'Mpassword authentication failed for user "chrove"', '']
    const message = Buffer.from(fields.map((field) => `${field}\0`).join(''))
    const length = Buffer.alloc(4)
    length.writeUInt32BE(message.length + 4)
    const refusing = createServer((client) =>
      client.once('data', () => client.end(Buffer.concat([Buffer.from('E'), length, message]))),
    ).listen(0, '127.0.0.1')
    await once(refusing, 'listening')
    const { port } = refusing.address() as AddressInfo
    const db = new Kysely<Database>({ dialect: postgresDialect(`postgres://chrove:wrong@127.0.0.1:${port}/chrove`) })
    await assert.rejects(db.selectFrom('vendors').selectAll().execute(), {
      code: 'ERR_STORE_REFUSED',
      retryable: false,
      message: 'the database refuses: password authentication failed for user "chrove"',
    })
    await db.destroy()
    refusing.close()
  })

  it('goes on after its connections broke anywhere, with nothing written by half', async () => {
    const tap = await openTap(await server.create())
    const { ask, db, projection } = await directoryAfter(postgresDialect(tap.url), [], 1)
    const [, first, second] = chainOf([doing('register', 0, 0)], [doing('add-plan', 0, 1), doing('buy', 0, 0)])
    assert.ok(first && second)
    await projection.apply(batchOf([first]))
    let cuts = 0
    for (let isWritten = false; !isWritten; cuts++) {
      tap.cutAfter(cuts * 97)
      const fault = await projection.apply(batchOf([second])).catch((error: unknown) => error)
      tap.cutAfter(Infinity)
      assert.ok(fault === undefined || fault instanceof StoreError, String(fault))
      const { plans, orders, feed, blocks } = await rowsOf(db)
      // What a cut took away may be but the answer that all is written.
      isWritten = blocks?.length === 3
      assert.ok(isWritten || fault)
      assert.deepEqual([plans?.length, orders?.length, feed?.length], isWritten ? [1, 1, 3] : [0, 0, 1])
    }
    assert.ok(cuts > 10)
    assert.deepEqual((await ask('{ plans { totalCount } }')).data, { plans: { totalCount: 1 } })
    await db.destroy()
    await tap.close()
  })
})
