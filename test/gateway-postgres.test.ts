import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import { Kysely, sql } from 'kysely'
import { turn } from '../effects/turn-node.ts'
import { postgresDialect } from '../effects/store-postgres.ts'
import { createLedger } from '../gateway/ledger/index.ts'
import { openLedgerStore } from '../gateway/ledger/store.ts'
import { openTestPostgres } from '../indexer/test-postgres.ts'

const server = await openTestPostgres()
after(() => server.close())

describe('the ledger of a gateway in PostgreSQL', () => {
  it('keeps what it keeps in SQLite, to the smallest unit, and shuts out who had it open before', async () => {
    const url = await server.create()
    const open = async () => createLedger(await openLedgerStore(postgresDialect(url)), turn)
    const name = { book: 'nano:service', account: 'a' }
    const amount = 340_282_366_920_938_463_463_374_607_431_768_211_455n
    const first = await open()
    await Promise.all(['d1', 'd2', 'd1'].map((id) => first.credit({ ...name, id, amount })))
    await first.revoke(name.book, 'd2')
    const account = await first.open(name)
    await first.sign(account, amount, '{"signature":"0x"}')
    const uses = Array.from({ length: 80 }, (_, index) => {
      const reservation = first.reserve(account, 1n)
      if (typeof reservation === 'string') throw new Error(reservation)
      return reservation.commit({
        voucher: { ...name, id: `v${index}`, untilSeconds: 10 },
        once: { ...name, route: `/${index % 3}` },
        idempotency: { ...name, key: `k${index % 7}`, request: 'r', retries: index, untilSeconds: 4_000_000_000 },
      })
    })
    await Promise.all(uses)
    const refund = await first
      .refund(account, { id: 'r1', to: 'x', authorization: '', amount: 5n, nowSeconds: 1 })
      .catch((error: { code: string }) => error.code)
    assert.equal(refund, 'ERR_REFUND_AMOUNT', 'all of it is signed')

    const second = await open()
    await assert.rejects(first.credit({ ...name, id: 'd3', amount: 1n }), { code: 'ERR_BUSY' })
    const again = await second.open(name)
    assert.deepEqual([again.deposited, again.charged, again.signed], [amount, 80n, amount])
    assert.equal(await second.hasVoucher(name, 'v79'), true)
    assert.equal(await second.hasOnce(name, '/2'), true)
    assert.equal(await second.hasOnce(name, '/3'), false)
    assert.equal((await second.idempotency(name, 'k2'))?.retries, 79)
    await second.sweep(11)
    assert.equal(await second.hasVoucher(name, 'v79'), false)
    assert.equal((await second.accounts(name.book, '', 10)).length, 1)
    assert.equal((await second.usedUp(again)).nextAt, amount)
    await Promise.all([first.close(), second.close()])
  })

  // PGlite has one connection, where nothing waits for anything else.
  const skip = process.env.CHROVE_TEST_POSTGRES === undefined
  it('lets a charge that is being written end before another process takes over', { skip }, async () => {
    const url = await server.create()
    const name = { book: 'nano:service', account: 'a' }
    const first = await createLedger(await openLedgerStore(postgresDialect(url)), turn)
    await first.credit({ ...name, id: 'd', amount: 100n })
    const use = first.reserve(await first.open(name), 10n)
    if (typeof use === 'string') throw new Error(use)
    // Holds the charge back in the middle of its transaction.
    const other = new Kysely<{ accounts: { account: string } }>({ dialect: postgresDialect(url) })
    const held = Promise.withResolvers<void>()
    const open = Promise.withResolvers<void>()
    const holding = other.transaction().execute(async (tx) => {
      await tx.selectFrom('accounts').select('account').forUpdate().execute()
      held.resolve()
      await open.promise
    })
    await held.promise
    const charging = use.commit()
    const waiting = async (count: number, isOver = () => false) => {
      const query = sql<{ count: number }>`select count(*)::int as count from pg_stat_activity
        where datname = current_database() and wait_event_type = 'Lock'`
      while (!isOver() && (await query.execute(other)).rows[0]?.count !== count) continue
    }
    await waiting(1)
    let isTaken = false
    const taking = openLedgerStore(postgresDialect(url)).then(async (store) => {
      const row = await store.account(name)
      isTaken = true
      return { store, row }
    })
    await waiting(2, () => isTaken)
    open.resolve()
    await Promise.all([holding, charging])
    const { store: second, row } = await taking
    assert.equal(row?.charged, 10n)
    await Promise.all([first.close(), second.close(), other.destroy()])
  })
})
