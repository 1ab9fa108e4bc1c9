import assert from 'node:assert/strict'
import { before, beforeEach, describe, it } from 'node:test'
import fc from 'fast-check'
import { registryCall } from '../../chain/contracts.ts'
import type { Address, Hash } from '../../chain/types.ts'
import type { Wanted } from './index.ts'
import type { Market } from './market.ts'
import { openTestMarket, PERIOD_SECONDS, PRICE_WEI, type Incarnation, type TestMarket } from './test-market.ts'
import { readBought, type Found } from './unacknowledged.ts'

let market: TestMarket
before(async () => {
  market = await openTestMarket()
})
beforeEach(() => market.reset())

const initialized = async (): Promise<Incarnation> => {
  const process = market.start()
  await process.buyer.init(market.fundedKey)
  return process
}

describe('buying', () => {
  it('pays exactly the price, and the fee it tells, for an order that runs', async () => {
    const { buyer } = await initialized()
    const [account] = await buyer.accounts()
    const beforeWei = await market.balanceWei(account as Address)
    const bought = await buyer.buy({ vendor: market.vendor, planId: 1, periods: 2 })
    assert.equal(await market.balanceWei(market.payments), 2n * PRICE_WEI)
    assert.equal(await buyer.balanceWei(), beforeWei - 2n * PRICE_WEI - bought.feeWei)
    const [order] = await buyer.orders()
    assert.equal(order?.orderId, bought.orderId)
    assert.equal(order?.standing, 'running')
    assert.equal(order?.endsAtSeconds, bought.endsAtSeconds)
    assert.equal(order?.periods, 2)
  })

  it('takes a vendor by its number in the registry', async () => {
    const { buyer } = await initialized()
    assert.equal((await buyer.quote({ vendor: '1', planId: 1, periods: 1 })).vendor, market.vendor)
  })

  it('quotes what is then the most that can be spent, and sends and writes nothing for it', async () => {
    const { buyer } = await initialized()
    const keyring = market.files.get('keyring.json')
    const balanceWei = await buyer.balanceWei()
    const quoted = await buyer.quote({ vendor: market.vendor, planId: 1, periods: 1 })
    assert.equal(quoted.priceWei, PRICE_WEI)
    assert.equal(quoted.maxCostWei, quoted.priceWei + quoted.maxFeeWei)
    assert.equal(await buyer.balanceWei(), balanceWei)
    assert.deepEqual(market.files.get('keyring.json'), keyring)
    const { feeWei, offer } = await buyer.buy({ vendor: market.vendor, planId: 1, periods: 1 })
    assert.ok(offer && feeWei <= offer.maxFeeWei)
  })

  it('uses a fresh key for each order, and the same key to extend one', async () => {
    const { buyer } = await initialized()
    const first = await buyer.buy({ vendor: market.vendor, planId: 1, periods: 1 })
    await buyer.acknowledge(first)
    const second = await buyer.buy({ vendor: market.vendor, planId: 1, periods: 1 })
    assert.notEqual(first.orderId, second.orderId)
    const extended = await buyer.buy({ extend: first.orderId.slice(0, 12), periods: 3 })
    assert.equal(extended.orderId, first.orderId)
    assert.equal(extended.endsAtSeconds, first.endsAtSeconds + 3 * PERIOD_SECONDS)
    assert.equal((await buyer.orders()).length, 2)
  })

  const wants = (vendor: string, planId = 1, periods = 1): Wanted => ({ vendor, planId, periods })
  const elsewhere = `0x${'ab'.repeat(20)}`
  const refusals: [what: string, code: string, wanted: () => Wanted][] = [
    ['an unknown vendor', 'ERR_VENDOR_UNKNOWN', () => wants('7')],
    ['an unknown plan', 'ERR_PLAN_UNKNOWN', () => wants('1', 9)],
    ['more periods than are sold', 'ERR_PERIODS', () => wants('1', 1, 11)],
    ['no period', 'ERR_PERIODS', () => wants('1', 1, 0)],
    [
      'to extend an order that is not in the keyring',
      'ERR_ORDER_UNKNOWN',
      () => ({ extend: '0xabababab', periods: 1 }),
    ],
    ['a vendor of another chain', 'ERR_OTHER_CHAIN', () => wants(market.vendor.replace(/:\d+:/, ':1:'))],
    [
      'a vendor of another registry',
      'ERR_OTHER_REGISTRY',
      () => wants(market.vendor.replace(market.registry, elsewhere)),
    ],
    ['what names no vendor', 'ERR_VENDOR_URI_INVALID', () => wants('flying ghost')],
  ]
  for (const [what, code, wanted] of refusals) {
    it(`refuses ${what}`, async () => {
      const { buyer } = await initialized()
      await assert.rejects(buyer.buy(wanted()), { code })
    })
  }

  it('refuses a plan that is no longer on sale, and a vendor that takes no orders', async () => {
    const { buyer } = await initialized()
    await market.asVendor(registryCall(market.registry, 'setPlanOnSale', 1n, 1, false))
    await assert.rejects(buyer.quote({ vendor: '1', planId: 1, periods: 1 }), { code: 'ERR_NOT_FOR_SALE' })
    await market.asVendor(registryCall(market.registry, 'setActive', 1n, false))
    await assert.rejects(buyer.quote({ vendor: '1', planId: 2, periods: 1 }), { code: 'ERR_NOT_FOR_SALE' })
  })

  it('refuses what the account cannot pay', async () => {
    const { buyer } = market.start()
    await buyer.init()
    await assert.rejects(buyer.quote({ vendor: '1', planId: 1, periods: 1 }), { code: 'ERR_BALANCE' })
  })

  it('refuses what exceeds the cap with its fee, by the wei', async () => {
    const { buyer } = await initialized()
    const wanted = { vendor: '1', planId: 1, periods: 1 }
    let cap = 0n
    const approve = async ({ maxCostWei }: { maxCostWei: bigint }) => {
      cap = maxCostWei
      throw new Error('only looking')
    }
    await assert.rejects(buyer.buy(wanted, { approve }), /only looking/)
    await assert.rejects(buyer.buy(wanted, { spendCapWei: cap - 1n }), { code: 'ERR_SPEND_CAP' })
    assert.equal(await market.balanceWei(market.payments), 0n)
    await buyer.buy(wanted, { spendCapWei: cap })
  })

  it('quotes nothing that exceeds the cap', async () => {
    await initialized()
    const wanted = { vendor: '1', planId: 1, periods: 1 }
    const { maxCostWei } = await market.start().buyer.quote(wanted)
    const quoting = (spendCapWei: bigint) => market.start({ spendCapWei }).buyer.quote(wanted)
    assert.equal((await quoting(maxCostWei)).maxCostWei, maxCostWei)
    await assert.rejects(quoting(maxCostWei - 1n), { code: 'ERR_SPEND_CAP' })
  })

  it('spends nothing when there is neither a cap nor somebody to agree', async () => {
    await initialized()
    const { buyer } = market.start({ spendCapWei: undefined })
    await assert.rejects(buyer.buy({ vendor: '1', planId: 1, periods: 1 }), { code: 'ERR_SPEND_CAP' })
  })

  it('keeps every order when two processes buy at once', async () => {
    await initialized()
    // Two buyers of one incarnation share its locks, as two processes share those of a disk.
    const { buyer } = market.start()
    const bought = await Promise.all([1, 2, 3].map((periods) => buyer.buy({ vendor: '1', planId: 1, periods })))
    const orders = await buyer.orders()
    assert.deepEqual(orders.map(({ orderId }) => orderId).sort(), bought.map(({ orderId }) => orderId).sort())
    assert.equal(await market.balanceWei(market.payments), 6n * PRICE_WEI)
  })

  it('pays once when two processes buy the same at once', async () => {
    const { buyer } = await initialized()
    const [one, other] = await Promise.all([1, 2].map(() => buyer.buy({ vendor: '1', planId: 1, periods: 1 })))
    assert.equal(one?.transactionHash, other?.transactionHash)
    assert.equal([one, other].filter((bought) => bought?.offer).length, 1, 'the other one paid nothing')
    assert.equal(await market.balanceWei(market.payments), PRICE_WEI)
  })
})

describe('a purchase that nobody has acknowledged', () => {
  const wanted = { vendor: '1', planId: 1, periods: 1 }

  it('is given again by later processes, at no cost, until it is acknowledged', async () => {
    const { offer, ...first } = await (await initialized()).buyer.buy(wanted)
    assert.ok(offer)
    const { buyer } = market.start({ spendCapWei: 0n })
    assert.deepEqual(await buyer.unacknowledged(wanted), {
      orderId: first.orderId,
      purchaseId: first.purchaseId,
    })
    assert.deepEqual(await buyer.buy({ ...wanted, vendor: market.vendor }), { ...first, offer: undefined })
    assert.equal((await buyer.orders())[0]?.acknowledged, false)
    await buyer.acknowledge(first)
    assert.equal((await buyer.orders())[0]?.acknowledged, true)
    assert.equal(await buyer.unacknowledged(wanted), undefined)
    await assert.rejects(buyer.buy(wanted), { code: 'ERR_SPEND_CAP' })
    assert.notEqual((await market.start().buyer.buy(wanted)).orderId, first.orderId)
  })

  it('is no other wish: neither more periods, nor another plan, nor an extension of what it began', async () => {
    const { buyer } = await initialized()
    const first = await buyer.buy(wanted)
    const others: Wanted[] = [
      { ...wanted, periods: 2 },
      { ...wanted, planId: 2 },
      { extend: first.orderId, periods: 1 },
      { extend: first.orderId, periods: 2 },
    ]
    const bought = []
    for (const other of others) bought.push(await buyer.buy(other))
    assert.ok(bought.every(({ offer }) => offer))
    const again = []
    for (const other of others) again.push(await buyer.buy(other))
    const hashes = (all: readonly { readonly transactionHash: Hash | undefined }[]) =>
      all.map((each) => each.transactionHash)
    assert.deepEqual(hashes(again), hashes(bought))
    assert.equal((await buyer.buy(wanted)).transactionHash, first.transactionHash)
  })

  it('is not paid again when the node does not show it', async () => {
    const forgetful = { rpc: { receipt: async () => undefined } } as unknown as Market
    const purchase = { transaction: { raw: '0x', hash: `0x${'ab'.repeat(32)}` } }
    await assert.rejects(readBought(forgetful, { purchase } as Found), {
      code: 'ERR_PURCHASE_PENDING',
      retryable: true,
    })
  })
})

describe('a process that dies while buying', () => {
  const wanted = { vendor: '1', planId: 1, periods: 1 }

  /** Steps of an undisturbed purchase. */
  const countSteps = async (): Promise<number> => {
    await initialized()
    const process = market.start()
    await process.buyer.buy(wanted)
    return process.steps()
  }

  const ordersPaid = async (): Promise<bigint> => (await market.balanceWei(market.payments)) / PRICE_WEI

  const holdsWhatIsPaid = async (): Promise<void> => {
    const { buyer } = market.start()
    const orders = await buyer.orders()
    assert.equal(await ordersPaid(), 1n, 'paid exactly once')
    assert.deepEqual(
      orders.map(({ standing }) => standing),
      ['running'],
      'the order is in the keyring',
    )
    const { servers } = await buyer.collect(orders[0]?.orderId ?? '')
    assert.equal(servers.length, 1, 'its key opens the credentials')
  }

  for (const forgets of [false, true]) {
    it(`at any step up to the end, and is repeated, has paid once${forgets ? ', though the node forgets' : ''}`, async () => {
      const steps = await countSteps()
      assert.ok(steps > 10)
      for (let diesAfter = 0; diesAfter <= steps; diesAfter++) {
        await market.reset()
        await initialized()
        const first = market.start({ diesAfter })
        await first.live(first.buyer.buy(wanted))
        if (forgets) await market.forget()
        await market.start().buyer.buy(wanted)
        await holdsWhatIsPaid()
      }
    })
  }

  it('at any step of extending, and is repeated, has extended once', async () => {
    const { buyer } = await initialized()
    const { orderId } = await buyer.buy(wanted)
    const extension = { extend: orderId, periods: 2 }
    const process = market.start()
    await process.buyer.buy(extension)
    const steps = process.steps()
    for (let diesAfter = 0; diesAfter <= steps; diesAfter++) {
      await market.reset()
      const begun = await (await initialized()).buyer.buy(wanted)
      const first = market.start({ diesAfter })
      await first.live(first.buyer.buy({ ...extension, extend: begun.orderId }))
      await market.start().buyer.buy({ ...extension, extend: begun.orderId })
      assert.equal(await ordersPaid(), 3n, `dies after ${diesAfter}`)
    }
  })

  it('and is followed by another purchase, keeps both', async () => {
    const steps = await countSteps()
    await market.reset()
    await initialized()
    const first = market.start({ diesAfter: steps - 6 })
    await first.live(first.buyer.buy(wanted))
    const { buyer } = market.start()
    await buyer.buy({ ...wanted, periods: 2 })
    assert.equal(BigInt((await buyer.orders()).reduce((sum, { periods }) => sum + periods, 0)), await ordersPaid())
  })

  it('again and again, at any steps, has lost nothing and never pays twice', async () => {
    const life = fc.record({ diesAfter: fc.nat(40), forgets: fc.boolean(), looksFirst: fc.boolean() })
    await fc.assert(
      fc.asyncProperty(fc.array(life, { minLength: 1, maxLength: 5 }), async (lives) => {
        await market.reset()
        await initialized()
        for (const { diesAfter, forgets, looksFirst } of lives) {
          const process = market.start({ diesAfter })
          if (looksFirst) await process.live(process.buyer.resume())
          await process.live(process.buyer.buy(wanted))
          if (forgets) await market.forget()
        }
        await market.start().buyer.buy(wanted)
        await holdsWhatIsPaid()
      }),
      { numRuns: 40 },
    )
  })
})
