import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { turn } from '../effects/turn-node.ts'
import { createLife } from '../sim/life.ts'
import { createDisk } from '../sim/store.ts'
import { createTrace } from '../sim/trace.ts'
import { createLedger } from './ledger/index.ts'
import { openLedgerStore, type LedgerStore } from './ledger/store.ts'
import { STREAM_PIECE_BYTES } from './limits.ts'
import { createMeter, type MeterParts } from './meter.ts'
import { Price } from './pricing.ts'
import type { LiveVoucher } from './vouchers.ts'

const name = { book: 'test', account: 'a' }
const currency = { code: 'TEST', decimals: 4 }

/** Whose patience ends at once. */
const hurried = { nowMs: () => 0, sleep: async () => {} }

describe('a body that costs by the bit', () => {
  it('never flows unpaid, never pays ahead more than a piece, and costs its bits, rounded up once', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 1, max: 400_000 }), { maxLength: 12 }),
        fc.bigInt({ min: 1n, max: 3_000n }),
        fc.constantFrom('0.00000001', '0.000000125', '0.0000000333'),
        fc.option(fc.bigInt({ min: 0n, max: 200n }), { nil: undefined }),
        fc.boolean(),
        async (chunks, deposit, text, most, crashes) => {
          const disk = createDisk('gateway', createTrace({ nowMs: () => 0 }))
          const life = createLife()
          const open = async (mounted = life) =>
            createLedger(await openLedgerStore(disk.mount(mounted).sql.dialect('gateway')), turn)
          const ledger = await open()
          await ledger.credit({ ...name, id: 'd', amount: deposit })
          const account = await ledger.open(name)
          const price = new Price(text, 'bit', currency)
          const voucher = { account } as LiveVoucher
          const meter = createMeter({
            clock: hurried,
            ledger,
            voucher,
            price,
            most,
            rows: {},
            more: () => new Promise(() => {}),
          })
          let flowed = 0
          let enough = true
          for (const bytes of chunks) {
            const paid = await meter.pay(bytes)
            flowed += paid
            assert.ok(account.charged >= price.ofBytes(flowed), 'what flows is charged')
            assert.ok(account.charged <= price.ofBytes(flowed + STREAM_PIECE_BYTES + bytes), 'and little more')
            if (paid < bytes) {
              enough = false
              break
            }
          }
          const all = most !== undefined && most < deposit ? most : deposit
          if (!enough) assert.equal(flowed, price.bytesFor(all), 'it ends with the last byte that can be paid')
          assert.ok(account.charged <= all)
          if (crashes) {
            life.end()
            const after = await (await open(createLife())).open(name)
            assert.ok(
              after.charged >= price.ofBytes(flowed) && after.charged <= price.ofBytes(flowed + STREAM_PIECE_BYTES),
            )
            return
          }
          assert.equal(await meter.settle(), price.ofBytes(flowed))
          assert.equal(account.charged, price.ofBytes(flowed))
          life.end()
        },
      ),
      { numRuns: 100 },
    )
  })
})

describe('a body that costs by the bit ends once', () => {
  /** Eight units for each byte, and a disk that a test can stop. */
  const begun = async (deposit: bigint, parts: Partial<MeterParts> = {}) => {
    const store = await openLedgerStore(
      createDisk('gateway', createTrace({ nowMs: () => 0 }))
        .mount(createLife())
        .sql.dialect('gateway'),
    )
    let disk = async () => {}
    const write: LedgerStore['write'] = async (changes) => {
      await disk()
      await store.write(changes)
    }
    const ledger = await createLedger({ ...store, write }, turn)
    await ledger.credit({ ...name, id: 'd', amount: deposit })
    const voucher = { account: await ledger.open(name) } as LiveVoucher
    const price = new Price('1', 'bit', { code: 'TEST', decimals: 0 })
    const more = () => new Promise<void>(() => {})
    const meter = createMeter({ clock: hurried, ledger, voucher, price, most: undefined, rows: {}, more, ...parts })
    return {
      ledger,
      meter,
      setDisk(does: () => Promise<void>) {
        disk = does
      },
      charged: async () => (await ledger.open(name)).charged,
    }
  }

  it('gives back once what was paid ahead, however many ask for it at once', async () => {
    const { meter, charged } = await begun(1_000n)
    assert.equal(await meter.pay(10), 10)
    assert.deepEqual(await Promise.all([meter.settle(), meter.settle()]), [80n, 80n])
    assert.equal(await charged(), 80n)
    assert.equal(await meter.settle(), 80n)
    assert.equal(await charged(), 80n)
  })

  it('gives back a charge that was being written when it ended, and lets nothing flow for it', async () => {
    const { meter, charged, setDisk } = await begun(1_000n)
    const disk = Promise.withResolvers<void>()
    setDisk(() => disk.promise)
    const paying = meter.pay(10)
    const settling = meter.settle()
    disk.resolve()
    assert.deepEqual([await paying, await settling, await meter.pay(1)], [0, 0n, 0])
    assert.equal(await charged(), 0n)
  })

  it('charges nothing after its end to who waits for more money', async () => {
    const money = Promise.withResolvers<void>()
    const patient = { nowMs: () => 0, sleep: () => new Promise<void>(() => {}) }
    const waits = Promise.withResolvers<void>()
    const more = () => {
      waits.resolve()
      return money.promise
    }
    const { ledger, meter, charged } = await begun(80n, { clock: patient, more })
    assert.equal(await meter.pay(10), 10)
    const paying = meter.pay(10)
    await waits.promise
    await meter.settle()
    await ledger.credit({ ...name, id: 'more', amount: 1_000n })
    money.resolve()
    assert.equal(await paying, 0)
    assert.equal(await charged(), 80n)
  })

  it('gives back what could not be given back before, from memory that was read again', async () => {
    const { meter, charged, setDisk } = await begun(1_000n)
    await meter.pay(10)
    setDisk(() => Promise.reject(new Error('disk full')))
    await assert.rejects(meter.settle(), { code: 'ERR_BUSY' })
    assert.equal(await charged(), 1_000n)
    setDisk(async () => {})
    assert.equal(await meter.settle(), 80n)
    assert.equal(await charged(), 80n)
  })
})
