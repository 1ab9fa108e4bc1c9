import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { createSqlStore } from '../../effects/store-node.ts'
import { createLife, type Life } from '../../sim/life.ts'
import { createDisk, type Disk } from '../../sim/store.ts'
import { createTrace } from '../../sim/trace.ts'
import { GatewayError } from '../errors.ts'
import { createLedger, type Account, type Ledger, type Reservation } from './index.ts'
import { openLedgerStore, type LedgerStore } from './store.ts'

const BOOK = 'nano:nano_service'
const turn = () => new Promise<void>((resolve) => setImmediate(resolve))
const newDisk = () => createDisk('gateway', createTrace({ nowMs: () => 0 }))

const start = async (disk: Disk, life: Life = createLife()): Promise<Ledger> =>
  createLedger(await openLedgerStore(disk.mount(life).sql.dialect('gateway')), turn)

const opened = async () => {
  const disk = newDisk()
  let life = createLife()
  let ledger = await start(disk, life)
  return {
    disk,
    ledger: () => ledger,
    /** What a crash right now leaves. */
    async crash() {
      life.end()
      life = createLife()
      ledger = await start(disk, life)
      return ledger
    },
  }
}

const account = (ledger: Ledger, name = 'a') => Promise.resolve(ledger.open({ book: BOOK, account: name }))
const credit = (ledger: Ledger, id: string, amount: bigint, name = 'a') =>
  ledger.credit({ book: BOOK, account: name, id, amount })
const reserve = (ledger: Ledger, held: Account, amount: bigint): Reservation => {
  const reservation = ledger.reserve(held, amount)
  if (typeof reservation === 'string') throw new Error(reservation)
  return reservation
}
const refusedAs = (code: GatewayError['code']) => (error: unknown) => {
  assert.ok(error instanceof GatewayError, String(error))
  assert.equal(error.code, code)
  return true
}
const noRefund = { to: 'home', authorization: '', nowSeconds: 0 }

describe('the ledger', () => {
  it('charges what was reserved, and forgets what was released', async () => {
    const { ledger, crash } = await opened()
    await credit(ledger(), 'd1', 100n)
    const held = await account(ledger())
    const one = reserve(ledger(), held, 30n)
    const other = reserve(ledger(), held, 20n)
    assert.equal(ledger().balance(held), 50n)
    assert.equal(ledger().reserve(held, 51n), 'balance')
    await one.commit()
    other.release()
    assert.equal(ledger().balance(held), 70n)
    const again = await account(await crash())
    assert.deepEqual([again.deposited, again.charged, again.reserved], [100n, 30n, 0n])
  })

  it('loses a use that was not committed', async () => {
    const { ledger, crash } = await opened()
    await credit(ledger(), 'd1', 100n)
    reserve(ledger(), await account(ledger()), 100n)
    const after = await crash()
    assert.equal(after.balance(await account(after)), 100n)
  })

  it('never lets two uses have the same money, however many come at once', async () => {
    const { ledger } = await opened()
    await credit(ledger(), 'd1', 100n)
    const held = await account(ledger())
    const uses = Array.from({ length: 20 }, () => ledger().reserve(held, 10n))
    const good = uses.filter((use) => typeof use !== 'string')
    assert.equal(good.length, 10)
    await Promise.all(good.map((use) => use.commit()))
    assert.equal(held.charged, 100n)
  })

  it('charges no more than is signed, nor than is deposited', async () => {
    const { ledger } = await opened()
    await credit(ledger(), 'd1', 100n)
    const held = await account(ledger())
    await ledger().sign(held, 40n, '{}')
    assert.equal(ledger().available(held), 40n)
    await reserve(ledger(), held, 40n).commit()
    assert.equal(ledger().reserve(held, 1n), 'signed')
    await ledger().sign(held, 30n, '{}')
    assert.equal(held.signed, 40n)
    await ledger().sign(held, 500n, '{}')
    assert.equal(ledger().available(held), 60n)
    assert.equal(ledger().reserve(held, 61n), 'balance')
  })

  it('credits a deposit once, takes it back once, and credits it again when it comes again', async () => {
    const { ledger, crash } = await opened()
    await Promise.all([credit(ledger(), 'd1', 100n), credit(ledger(), 'd1', 100n)])
    const after = await crash()
    await credit(after, 'd1', 100n)
    assert.equal((await account(after)).deposited, 100n)
    await Promise.all([after.revoke(BOOK, 'd1'), after.revoke(BOOK, 'd1'), after.revoke(BOOK, 'unknown')])
    assert.equal((await account(after)).deposited, 0n)
    await credit(after, 'd1', 70n)
    assert.equal((await account(after)).deposited, 70n)
  })

  it('serves an account no more whose deposit was undone', async () => {
    const { ledger } = await opened()
    await credit(ledger(), 'd1', 100n)
    const held = await account(ledger())
    await reserve(ledger(), held, 60n).commit()
    await ledger().revoke(BOOK, 'd1')
    assert.equal(ledger().balance(held), -60n)
    assert.equal(ledger().reserve(held, 1n), 'balance')
  })

  it('serves no account that is about to be closed', async () => {
    const { ledger, crash } = await opened()
    await credit(ledger(), 'd1', 100n)
    await ledger().suspend({ book: BOOK, account: 'a' }, true)
    const after = await crash()
    assert.equal(after.reserve(await account(after), 1n), 'suspended')
    await after.suspend({ book: BOOK, account: 'a' }, false)
    reserve(after, await account(after), 1n)
  })

  it('gives back what no use needs, exactly, and no more', async () => {
    const { ledger, crash } = await opened()
    await credit(ledger(), 'd1', 100n)
    const held = await account(ledger())
    await reserve(ledger(), held, 30n).commit()
    const underWay = reserve(ledger(), held, 10n)
    await assert.rejects(ledger().refund(held, { ...noRefund, id: 'r0', amount: 61n }), refusedAs('ERR_REFUND_AMOUNT'))
    const refund = await ledger().refund(held, { ...noRefund, id: 'r1' })
    assert.equal(refund.amount, 60n)
    assert.equal(ledger().balance(held), 0n)
    await underWay.commit()
    const after = await crash()
    assert.deepEqual(await after.pendingRefunds(), [refund])
    await after.settleRefund(refund, { reference: 'block' })
    assert.deepEqual(await after.pendingRefunds(), [])
    assert.equal((await after.refundOf('r1'))?.reference, 'block')
    await assert.rejects(after.refund(await account(after), { ...noRefund, id: 'r2' }), refusedAs('ERR_REFUND_AMOUNT'))
  })

  it('keeps what is signed out of a refund, unless less is signed', async () => {
    const { ledger } = await opened()
    await credit(ledger(), 'd1', 100n)
    const held = await account(ledger())
    await ledger().sign(held, 50n, 'fifty')
    await reserve(ledger(), held, 20n).commit()
    const tooLow = { limit: 19n, evidence: 'nineteen' }
    const one = await ledger().refund(held, { ...noRefund, id: 'r1', amount: 1n, signed: tooLow })
    assert.deepEqual([one.amount, held.signed, held.evidence], [1n, 50n, 'fifty'])
    const exact = { limit: 20n, evidence: 'twenty' }
    const rest = await ledger().refund(held, { ...noRefund, id: 'r2', signed: exact })
    assert.deepEqual([rest.amount, held.signed, held.evidence], [79n, 20n, 'twenty'])
  })

  it('puts back a refund that cannot be paid', async () => {
    const { ledger, crash } = await opened()
    await credit(ledger(), 'd1', 100n)
    const refund = await ledger().refund(await account(ledger()), { ...noRefund, id: 'r1' })
    await ledger().settleRefund(refund, 'failed')
    const after = await crash()
    assert.equal(after.balance(await account(after)), 100n)
    assert.deepEqual(await after.pendingRefunds(), [])
  })

  it('SEED 004 Nano 4: tells which deposits are used up, the oldest first, each once', async () => {
    const { ledger, crash } = await opened()
    await credit(ledger(), 'd1', 10n)
    await credit(ledger(), 'd2', 20n)
    await credit(ledger(), 'd3', 30n)
    const held = await account(ledger())
    await reserve(ledger(), held, 9n).commit()
    assert.deepEqual(await ledger().usedUp(held), { deposits: [], nextAt: 10n })
    await reserve(ledger(), held, 22n).commit()
    const used = await ledger().usedUp(held)
    assert.deepEqual(
      used.deposits.map(({ id }) => id),
      ['d1', 'd2'],
    )
    assert.equal(used.nextAt, 60n)
    await ledger().toldUsed(held, used.deposits)
    const after = await crash()
    const again = await account(after)
    assert.deepEqual((await after.usedUp(again)).deposits, [])
    await reserve(after, again, 29n).commit()
    assert.deepEqual(
      (await after.usedUp(again)).deposits.map(({ id }) => id),
      ['d3'],
    )
  })

  it('remembers vouchers, paid routes and idempotency keys with the charge, or not at all', async () => {
    const { ledger, crash } = await opened()
    await credit(ledger(), 'd1', 100n)
    const name = { book: BOOK, account: 'a' }
    await reserve(ledger(), await account(ledger()), 1n).commit({
      voucher: { ...name, id: 'v1', untilSeconds: 50 },
      once: { ...name, route: 'GET /a' },
      idempotency: { ...name, key: 'k', request: 'r', retries: 0, untilSeconds: 60 },
    })
    const after = await crash()
    assert.equal(await after.hasVoucher(name, 'v1'), true)
    assert.equal(await after.hasVoucher({ ...name, account: 'b' }, 'v1'), false)
    assert.equal(await after.hasOnce(name, 'GET /a'), true)
    assert.deepEqual(await after.idempotency(name, 'k'), {
      ...name,
      key: 'k',
      request: 'r',
      retries: 0,
      untilSeconds: 60,
    })
    await after.sweep(55)
    assert.equal(await after.hasVoucher(name, 'v1'), false)
    assert.ok(await after.idempotency(name, 'k'))
    await after.refund(await account(after), { ...noRefund, id: 'r' })
    assert.equal(await after.hasOnce(name, 'GET /a'), false)
  })

  it('lets one process write: the one that opened it last', async (t) => {
    const folder = await mkdtemp(join(tmpdir(), 'chrove-ledger-'))
    t.after(() => rm(folder, { recursive: true }))
    const open = async () => createLedger(await openLedgerStore(createSqlStore(folder).dialect('gateway')), turn)
    const [first, second] = [await open(), await open()]
    await credit(second, 'd1', 1n)
    await assert.rejects(credit(first, 'd2', 1n), refusedAs('ERR_BUSY'))
    assert.equal((await account(first)).deposited, 1n)
    await Promise.all([first.close(), second.close()])
  })

  it('takes what cannot be written back out of memory, and goes on once it can', async () => {
    const disk = newDisk()
    const store = await openLedgerStore(disk.mount(createLife()).sql.dialect('gateway'))
    let full = false
    const write: LedgerStore['write'] = (changes) =>
      full ? Promise.reject(new Error('disk full')) : store.write(changes)
    const ledger = await createLedger({ ...store, write }, turn)
    await credit(ledger, 'd1', 100n)
    const held = await account(ledger)
    const underWay = reserve(ledger, held, 5n)
    full = true
    const charges = [reserve(ledger, held, 30n).commit(), reserve(ledger, held, 20n).commit(), credit(ledger, 'd2', 9n)]
    for (const charge of charges) await assert.rejects(charge, refusedAs('ERR_BUSY'))
    assert.deepEqual([held.charged, held.deposited], [0n, 100n])
    full = false
    // Reserved in a memory that is gone.
    await assert.rejects(underWay.commit(), refusedAs('ERR_BUSY'))
    await credit(ledger, 'd2', 9n)
    await reserve(ledger, await account(ledger), 109n).commit()
    assert.equal((await account(ledger)).charged, 109n)
  })

  it('writes nothing from memory that is gone, which would undo what came since', async () => {
    const store = await openLedgerStore(newDisk().mount(createLife()).sql.dialect('gateway'))
    let full = false
    const write: LedgerStore['write'] = (changes) =>
      full ? Promise.reject(new Error('disk full')) : store.write(changes)
    const ledger = await createLedger({ ...store, write }, turn)
    await credit(ledger, 'd1', 100n)
    const gone = await account(ledger)
    full = true
    await assert.rejects(credit(ledger, 'd2', 1n), refusedAs('ERR_BUSY'))
    full = false
    await reserve(ledger, await account(ledger), 30n).commit()
    for (const change of [
      () => ledger.sign(gone, 50n, '{}'),
      () => ledger.refund(gone, { ...noRefund, id: 'r1' }),
      () => ledger.toldUsed(gone, []),
    ]) {
      await assert.rejects(change, refusedAs('ERR_BUSY'))
      const { charged, refunded, signed } = (await store.account({ book: BOOK, account: 'a' })) ?? assert.fail()
      assert.deepEqual([charged, refunded, signed], [30n, 0n, undefined])
    }
    assert.deepEqual([gone.signed, gone.refunded], [undefined, 0n])
  })
})

/** One thing that happens to the ledger; those of a list happen at once, without waiting for each other. */
const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      type: fc.constant('use' as const),
      who: fc.nat(2),
      amount: fc.nat(40),
      serve: fc.boolean(),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      type: fc.constant('credit' as const),
      who: fc.nat(2),
      id: fc.nat(8),
      amount: fc.integer({ min: 1, max: 100 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('revoke' as const), id: fc.nat(8) }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('sign' as const), who: fc.nat(2), limit: fc.nat(200) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      type: fc.constant('refund' as const),
      who: fc.nat(2),
      amount: fc.option(fc.integer({ min: 1, max: 60 }), { nil: undefined }),
    }),
  },
)
const round = fc.record({
  steps: fc.array(step, { minLength: 1, maxLength: 12 }),
  /** The host dies after so many writes; never in this round when there are fewer. */
  crashAfter: fc.option(fc.integer({ min: 1, max: 12 }), { nil: undefined }),
})

interface Use {
  readonly who: string
  readonly amount: bigint
  readonly id: string
  served: boolean
}

/** What a deposit can have come to: all that was told of it is done, and what was under way at a crash may be. */
type DepositStates = Map<string, { readonly who: string; worth: Set<bigint> }>

describe('whatever happens, and wherever a crash comes', () => {
  it('charged = served, charged ≤ signed, charged + refunded ≤ deposited, nothing lost or doubled', async () => {
    let crashes = 0
    await fc.assert(
      fc.asyncProperty(fc.array(round, { minLength: 1, maxLength: 5, size: 'max' }), async (rounds) => {
        const disk = newDisk()
        let life = createLife()
        let ledger = await start(disk, life)
        const uses: Use[] = []
        const deposits: DepositStates = new Map()
        const refunds: { readonly id: string; readonly who: string; told?: bigint }[] = []
        let undone = false
        let count = 0

        for (const { steps, crashAfter } of rounds) {
          if (crashAfter !== undefined) disk.crashAfterWrites(crashAfter)
          const work = steps.map(async (each) => {
            const id = `i${count++}`
            if (each.type === 'credit') {
              const known = deposits.get(`d${each.id}`)
              // A deposit is of one account, of one amount.
              const who = known?.who ?? `w${each.who}`
              const amount = known
                ? ([...known.worth].find((worth) => worth > 0n) ?? BigInt(each.amount))
                : BigInt(each.amount)
              const states = known ?? { who, worth: new Set([0n]) }
              states.worth.add(amount)
              deposits.set(`d${each.id}`, states)
              await credit(ledger, `d${each.id}`, amount, who)
            } else if (each.type === 'revoke') {
              if (!deposits.has(`d${each.id}`)) return
              undone = true
              await ledger.revoke(BOOK, `d${each.id}`)
            } else {
              const who = `w${each.who}`
              const held = await account(ledger, who)
              if (each.type === 'sign') await ledger.sign(held, BigInt(each.limit), undefined)
              else if (each.type === 'refund') {
                const refund: (typeof refunds)[number] = { id, who }
                refunds.push(refund)
                const amount = each.amount === undefined ? undefined : BigInt(each.amount)
                const taken = await ledger.refund(held, { ...noRefund, id, amount }).catch((error: unknown) => {
                  assert.ok(error instanceof GatewayError && error.code === 'ERR_REFUND_AMOUNT')
                })
                if (taken) refund.told = taken.amount
              } else {
                const reservation = ledger.reserve(held, BigInt(each.amount))
                if (typeof reservation === 'string') return
                if (!each.serve) return reservation.release()
                const use: Use = { who, amount: reservation.amount, id, served: false }
                uses.push(use)
                const name = { book: BOOK, account: who }
                await reservation.commit({ voucher: { ...name, id, untilSeconds: 1e9 } })
                use.served = true
              }
            }
          })
          const died = new Promise<void>((resolve) => life.onEnd(resolve))
          await Promise.race([Promise.all(work), died])
          if (!life.isAlive()) {
            crashes++
            // What is pending stays so; the next process begins with what is on the disk.
            life = createLife()
            ledger = await start(disk, life)
          }

          for (const name of ['w0', 'w1', 'w2']) {
            const held = await account(ledger, name)
            const kept = await Promise.all(
              uses
                .filter(({ who }) => who === name)
                .map(async (use) => ({ use, there: await ledger.hasVoucher(held, use.id) })),
            )
            for (const { use, there } of kept) assert.ok(there || !use.served, 'what was served is charged')
            const charged = kept.filter(({ there }) => there).reduce((sum, { use }) => sum + use.amount, 0n)
            assert.equal(held.charged, charged, 'charged is what was served, and what a crash kept from being told')
            const rows = await Promise.all(
              refunds.filter(({ who }) => who === name).map(({ id }) => ledger.refundOf(id)),
            )
            assert.equal(
              held.refunded,
              rows.reduce((sum, row) => sum + (row?.amount ?? 0n), 0n),
              'refunded is what refunds were taken',
            )
            for (const { id, who, told } of refunds) {
              if (who === name && told !== undefined) assert.equal((await ledger.refundOf(id))?.amount, told)
            }
            if (held.signed !== undefined) {
              const before = held.charged <= held.signed
              assert.ok(before, 'charged is at most what is signed')
            }
            assert.equal(held.reserved, 0n)
            if (!undone) assert.ok(held.charged + held.refunded <= held.deposited, 'no more than was deposited')
            const sums = disk.inspect('gateway', `select * from deposits where account = '${name}' and stands = 1`)
            const deposited = (sums as { amount: string }[]).reduce((sum, { amount }) => sum + BigInt(amount), 0n)
            assert.equal(held.deposited, deposited, 'deposited is the sum of deposits that stand')
          }
        }
        life.end()
      }),
      { numRuns: 150 },
    )
    assert.ok(crashes > 20, `only ${crashes} crashes`)
  })
})
