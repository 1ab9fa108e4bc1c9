/** What a buyer without coin signs and another account sends; and what becomes of it when others meddle. */
import assert from 'node:assert/strict'
import { before, beforeEach, describe, it } from 'node:test'
import { registryCall } from '../../chain/contracts.ts'
import type { Address, Hex } from '../../chain/types.ts'
import type { Chain } from '../../effects/chain.ts'
import { formatSignedOrder, parseSignedOrder } from '../../protocol/signed-order.ts'
import type { SignedCancellation, SignedOrder, SignedPurchase } from '../../protocol/signed-order.ts'
import type { Buyer, Delivery } from './index.ts'
import { HAS, INSTANT_PLAN, openTokenMarket, PENNILESS_KEY, PRICE, STABLE_PLAN } from './test-token-market.ts'
import type { TokenMarket } from './test-token-market.ts'

const CHAIN_ID = 31337n
const ELSEWHERE = `0x${'7a'.repeat(20)}` as Address

let market: TokenMarket
before(async () => {
  market = await openTokenMarket()
})
beforeEach(() => market.reset())

const hour = { vendor: '1', planId: STABLE_PLAN, periods: 1 }
const caps = { capIn: () => PRICE }

/** A buyer that has tokens and no coin. */
const openPenniless = async (node?: (truth: Chain) => Chain): Promise<Buyer> => {
  const { buyer } = market.start(node ? { node } : {})
  await buyer.init(PENNILESS_KEY)
  return buyer
}

/** Somebody else, with coin. */
const openSender = async (): Promise<Buyer> => {
  const { buyer } = market.start({ files: new Map() })
  await buyer.init(market.fundedKey)
  return buyer
}

/** As a file on its way from one to the other. */
const handedOver = <T extends SignedOrder>(signed: T): T => parseSignedOrder(formatSignedOrder(signed)) as T

describe('a purchase that is signed for others to send', () => {
  for (const payBy of ['authorization', 'permit'] as const) {
    it(`by ${payBy}, gives a buyer without coin an order that is its own`, async () => {
      const buyer = await openPenniless()
      const { signed, orderId, offer, ...name } = await buyer.sign(hour, { ...caps, payBy })
      await buyer.acknowledge({ orderId, ...name })
      assert.deepEqual([offer?.maxCostWei, offer?.token?.transactions, signed.payBy], [0n, 0, payBy])
      assert.deepEqual(
        (await buyer.orders()).map(({ standing }) => standing),
        ['signed'],
      )
      assert.equal(await market.stablecoin.balanceOf(market.penniless), HAS)

      const sender = await openSender()
      const beforeWei = await sender.balanceWei()
      const sent = await sender.sendSigned(handedOver(signed), { spendCapWei: 10n ** 18n })
      assert.equal(sent.orderId, orderId)
      assert.equal(await sender.balanceWei(), beforeWei - sent.feeWei)
      assert.equal(await market.stablecoin.balanceOf(market.penniless), HAS - PRICE)
      assert.equal(await market.stablecoin.balanceOf(market.funded), HAS, 'the sender gains and pays no token')
      assert.deepEqual(await sender.orders(), [], 'and the order is not its own')

      assert.deepEqual(await buyer.resume(), [{ orderId, outcome: 'paid' }])
      const [order] = await buyer.orders()
      assert.deepEqual([order?.standing, order?.endsAtSeconds], ['running', sent.endsAtSeconds])
      assert.equal((await buyer.collect(orderId)).servers.length, 1)
      assert.equal(await market.balanceWei(market.penniless), 0n)
    })
  }

  it('extends an order too', async () => {
    const [buyer, sender] = [await openPenniless(), await openSender()]
    const first = await buyer.sign(hour, caps)
    const begun = await sender.sendSigned(first.signed, { spendCapWei: 10n ** 18n })
    const more = await buyer.sign({ extend: first.orderId, periods: 2 }, { capIn: () => 2n * PRICE })
    const { endsAtSeconds } = await sender.sendSigned(more.signed, { spendCapWei: 10n ** 18n })
    assert.equal(endsAtSeconds, begun.endsAtSeconds + 7200)
  })

  it('is given again, and not signed anew, until it is acknowledged', async () => {
    const buyer = await openPenniless()
    const { signed, orderId, purchaseId } = await buyer.sign(hour, caps)
    const again = await market.start().buyer.sign(hour, caps)
    assert.deepEqual([again.signed, again.offer], [signed, undefined])
    await buyer.acknowledge({ orderId, purchaseId })
    assert.notEqual((await market.start().buyer.sign(hour, caps)).orderId, orderId)
  })

  it('that was sent before anybody was told of it is told as bought', async () => {
    const buyer = await openPenniless()
    const { signed, orderId } = await buyer.sign(hour, caps)
    await (await openSender()).sendSigned(signed, { spendCapWei: 10n ** 18n })
    await assert.rejects(buyer.sign(hour, caps), { code: 'ERR_PURCHASE_PENDING' })
    const bought = await buyer.buy(hour)
    assert.deepEqual([bought.orderId, bought.transactionHash, bought.offer], [orderId, undefined, undefined])
  })

  it('that nobody sends in time is known to have failed, and can be signed anew', async () => {
    const buyer = await openPenniless()
    const { signed, orderId, purchaseId } = await buyer.sign(hour, { ...caps, validSeconds: 60 })
    await buyer.acknowledge({ orderId, purchaseId })
    await market.passSeconds(60)
    await assert.rejects((await openSender()).quoteSigned(signed), { code: 'ERR_SIGNED_ORDER_EXPIRED' })
    await market.passSeconds(300)
    assert.deepEqual(await buyer.resume(), [{ orderId, outcome: 'failed' }])
    assert.deepEqual(await buyer.orders(), [])
  })
})

describe('a cancellation that is signed for others to send', () => {
  /** An order that somebody else paid the fee for. */
  const bought = async (planId = STABLE_PLAN) => {
    const [buyer, sender] = [await openPenniless(), await openSender()]
    const { signed, orderId } = await buyer.sign({ ...hour, planId }, caps)
    await sender.sendSigned(signed, { spendCapWei: 10n ** 18n })
    return { buyer, sender, orderId }
  }

  it('returns what is not used to the account that its signer named', async () => {
    const { buyer, sender, orderId } = await bought()
    await buyer.collect(orderId)
    await market.passSeconds(900)
    const signed = handedOver(await buyer.signCancellation(orderId, ELSEWHERE))
    const delivery = await sender.quoteSigned(signed)
    assert.deepEqual([delivery.kind, delivery.refundTo, delivery.orderId], ['cancellation', ELSEWHERE, orderId])
    await sender.sendSigned(signed, { spendCapWei: 10n ** 18n })
    const refunded = await market.stablecoin.balanceOf(ELSEWHERE)
    assert.ok(refunded > PRICE / 2n && refunded < PRICE)
    const [order] = await buyer.orders()
    assert.deepEqual([order?.standing, order?.hasCredentials], ['cancelled', false])
    await assert.rejects(sender.quoteSigned(signed), { code: 'ERR_SIGNED_ORDER_USED' })
  })

  it('is good for that run only', async () => {
    const { buyer, sender, orderId } = await bought()
    const signed = await buyer.signCancellation(orderId, ELSEWHERE, { validSeconds: 30 * 86_400 })
    await market.passSeconds(3600)
    const again = await buyer.sign({ extend: orderId, periods: 1 }, caps)
    await sender.sendSigned(again.signed, { spendCapWei: 10n ** 18n })
    await assert.rejects(sender.quoteSigned(signed), { code: 'ERR_SIGNED_ORDER_REFUSED', message: /AnotherRun/ })
  })

  it('is not signed where there is nothing to return', async () => {
    const { buyer, orderId } = await bought(INSTANT_PLAN)
    await assert.rejects(buyer.signCancellation(orderId, ELSEWHERE), { code: 'ERR_NOT_REFUNDABLE' })
    await market.passSeconds(3600)
    await assert.rejects(buyer.signCancellation(orderId, ELSEWHERE), { code: 'ERR_ORDER_NOT_RUNNING' })
    await assert.rejects(buyer.signCancellation(orderId, '0x12'), { code: 'ERR_ADDRESS_INVALID' })
  })
})

describe('whoever sends what another signed', () => {
  const refused = async (sender: Buyer, signed: SignedOrder, code: string): Promise<void> => {
    const beforeWei = await sender.balanceWei()
    await assert.rejects(sender.sendSigned(signed, { spendCapWei: 10n ** 18n }), { code })
    assert.equal(await sender.balanceWei(), beforeWei, 'refused before it cost anything')
  }

  it('is told what it does and costs, and sends nothing for that', async () => {
    const { signed, orderId } = await (await openPenniless()).sign(hour, caps)
    const sender = await openSender()
    const { purchase, ...delivery } = await sender.quoteSigned(signed)
    assert.deepEqual([delivery.orderId, purchase?.price, purchase?.payer], [orderId, PRICE, market.penniless])
    assert.deepEqual([purchase?.token.symbol, purchase?.vendor, purchase?.planId], ['CTD', market.vendor, STABLE_PLAN])
    assert.equal(delivery.sendableUntilSeconds, Number(signed.purchase.deadline))
    assert.equal(await market.stablecoin.balanceOf(market.penniless), HAS)
  })

  it('pays no more than the cap, and nothing where nobody agrees', async () => {
    const { signed } = await (await openPenniless()).sign(hour, caps)
    const sender = await openSender()
    const { maxFeeWei } = await sender.quoteSigned(signed)
    await assert.rejects(sender.sendSigned(signed, { spendCapWei: maxFeeWei - 1n }), { code: 'ERR_SPEND_CAP' })
    const uncapped = market.start({ files: new Map(), spendCapWei: undefined }).buyer
    await uncapped.init(market.fundedKey)
    await assert.rejects(uncapped.sendSigned(signed), { code: 'ERR_SPEND_CAP' })
    const approve = async (offered: Delivery) => {
      assert.equal(offered.maxFeeWei, maxFeeWei)
      throw new Error('no')
    }
    await assert.rejects(uncapped.sendSigned(signed, { approve }), /^Error: no$/)
    const broke = market.start({ files: new Map() }).buyer
    await broke.init()
    await assert.rejects(broke.quoteSigned(signed), { code: 'ERR_BALANCE' })
    const { feeWei } = await uncapped.sendSigned(signed, { spendCapWei: maxFeeWei })
    assert.ok(feeWei <= maxFeeWei)
  })

  it('can send it once', async () => {
    for (const payBy of ['authorization', 'permit'] as const) {
      await market.reset()
      const { signed } = await (await openPenniless()).sign(hour, { ...caps, payBy })
      const sender = await openSender()
      await sender.sendSigned(signed, { spendCapWei: 10n ** 18n })
      await refused(sender, signed, 'ERR_SIGNED_ORDER_USED')
      assert.equal(await market.stablecoin.balanceOf(market.penniless), HAS - PRICE)
    }
  })

  it('cannot send it to another chain or contract', async () => {
    const { signed } = await (await openPenniless()).sign(hour, caps)
    const sender = await openSender()
    await refused(sender, { ...signed, chainId: 1n }, 'ERR_OTHER_CHAIN')
    await refused(sender, { ...signed, registry: ELSEWHERE }, 'ERR_OTHER_REGISTRY')
    await refused(sender, { ...signed, payments: ELSEWHERE }, 'ERR_OTHER_REGISTRY')
  })

  it('cannot change any of it', async () => {
    const mallory = market.funded
    const flip = (hex: Hex): Hex => `${hex.slice(0, 10)}${hex[10] === '0' ? '1' : '0'}${hex.slice(11)}` as Hex
    const changes: ((signed: SignedPurchase) => Partial<SignedPurchase['purchase']>)[] = [
      ({ purchase }) => ({ keyHash: flip(purchase.keyHash) }),
      ({ purchase }) => ({ salt: flip(purchase.salt) }),
      ({ purchase }) => ({ deadline: purchase.deadline + 1n }),
      () => ({ controller: mallory }),
      () => ({ payer: mallory }),
      () => ({ planId: INSTANT_PLAN }),
      () => ({ periods: 2, amount: 2n * PRICE }),
      () => ({ amount: PRICE - 1n }),
    ]
    for (const payBy of ['authorization', 'permit'] as const) {
      await market.reset()
      const { signed } = await (await openPenniless()).sign(hour, { ...caps, payBy })
      const sender = await openSender()
      for (const change of changes) {
        const changed = { ...signed, purchase: { ...signed.purchase, ...change(signed) } }
        await refused(sender, changed, 'ERR_SIGNED_ORDER_REFUSED')
      }
      await refused(sender, { ...signed, signature: flip(signed.signature) }, 'ERR_SIGNED_ORDER_REFUSED')
      const other = payBy === 'permit' ? 'authorization' : 'permit'
      await refused(sender, { ...signed, payBy: other }, 'ERR_SIGNED_ORDER_REFUSED')
      await sender.sendSigned(signed, { spendCapWei: 10n ** 18n })
    }
  })

  it('cannot change a cancellation', async () => {
    const [buyer, sender] = [await openPenniless(), await openSender()]
    const { signed: order, orderId } = await buyer.sign(hour, caps)
    await sender.sendSigned(order, { spendCapWei: 10n ** 18n })
    const signed: SignedCancellation = await buyer.signCancellation(orderId, ELSEWHERE)
    const changes = [
      { refundTo: market.funded },
      { deadline: signed.cancellation.deadline + 1n },
      { startedAt: signed.cancellation.startedAt + 1 },
      { orderId: `0x${'12'.repeat(32)}` as Hex },
    ]
    for (const change of changes) {
      const changed = { ...signed, cancellation: { ...signed.cancellation, ...change } }
      await refused(sender, changed, 'ERR_SIGNED_ORDER_REFUSED')
    }
    const own = await sender.sign({ ...hour }, { capIn: () => PRICE })
    await sender.sendSigned(own.signed, { spendCapWei: 10n ** 18n })
    // Its own order's signature is good for no other order.
    const mine = await sender.signCancellation(own.orderId, ELSEWHERE)
    const stolen = { ...mine, cancellation: { ...mine.cancellation, orderId: signed.cancellation.orderId } }
    await refused(sender, stolen, 'ERR_SIGNED_ORDER_REFUSED')
  })

  it('is refused a purchase of what is no longer sold, or not there', async () => {
    const { signed } = await (await openPenniless()).sign(hour, caps)
    const sender = await openSender()
    const unknown = { ...signed, purchase: { ...signed.purchase, planId: 99 } }
    await refused(sender, unknown, 'ERR_SIGNED_ORDER_REFUSED')
    await market.asVendor(registryCall(market.registry, 'setPlanOnSale', 1n, STABLE_PLAN, false))
    await refused(sender, signed, 'ERR_SIGNED_ORDER_REFUSED')
  })
})

describe('what is signed', () => {
  it('is for the chain that the node tells of, and not sent to another', async () => {
    const { signed } = await (await openPenniless()).sign(hour, caps)
    assert.equal(signed.chainId, CHAIN_ID)
    // The same contracts on another chain: all but the chain's id is alike.
    const fork = (truth: Chain): Chain => ({
      request: async (method, params) => (method === 'eth_chainId' ? '0x1' : truth.request(method, params)),
    })
    const there = market.start({ files: new Map(), node: fork }).buyer
    await there.init(market.fundedKey)
    await assert.rejects(there.quoteSigned(signed), { code: 'ERR_OTHER_CHAIN' })
  })
})
