import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { turn } from '../effects/turn-node.ts'
import { createLife } from '../sim/life.ts'
import { createDisk } from '../sim/store.ts'
import { createTrace } from '../sim/trace.ts'
import { createLedger } from './ledger/index.ts'
import { openLedgerStore } from './ledger/store.ts'
import { STREAM_PIECE_BYTES } from './limits.ts'
import { createMeter } from './meter.ts'
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
