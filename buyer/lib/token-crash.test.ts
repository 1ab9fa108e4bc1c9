/** Processes that die while they buy with a token, at any step; and nodes that send what they are only shown. */
import assert from 'node:assert/strict'
import { before, beforeEach, describe, it } from 'node:test'
import { Interface } from 'ethers'
import fc from 'fast-check'
import type { Chain } from '../../effects/chain.ts'
import { createAccount } from '../../chain/transactions.ts'
import { paymentsAbi } from '../../protocol/abi/payments.ts'
import { fromHex } from '../../protocol/bytes.ts'
import type { Buyer, PayBy } from './index.ts'
import { SEND_VALID_SECONDS } from './limits.ts'
import type { Incarnation } from './test-market.ts'
import { OLD_PLAN, openTokenMarket, PRICE, STABLE_PLAN, type TokenMarket } from './test-token-market.ts'

let market: TokenMarket
before(async () => {
  market = await openTokenMarket()
})
beforeEach(() => market.reset())

const hour = { vendor: '1', planId: STABLE_PLAN, periods: 1 }
const caps = { capIn: () => 10n ** 30n }

const initialized = async (): Promise<Incarnation> => {
  const process = market.start()
  await process.buyer.init(market.fundedKey)
  return process
}

/** How many periods have been paid for, in any token. */
const paidFor = async (): Promise<bigint> =>
  ((await market.stablecoin.balanceOf(market.payments)) + (await market.old.balanceOf(market.payments))) / PRICE

const holdsWhatIsPaid = async (): Promise<void> => {
  const { buyer } = market.start()
  const orders = await buyer.orders()
  assert.equal(await paidFor(), 1n, 'paid exactly once')
  assert.deepEqual(
    orders.map(({ standing }) => standing),
    ['running'],
    'the order is in the keyring',
  )
  assert.equal((await buyer.collect(orders[0]?.orderId ?? '')).servers.length, 1, 'its key opens the credentials')
}

const purchases = new Interface(paymentsAbi)
const SENT_BY_ANYONE = ['buyWithAuthorization', 'buyWithPermit'].map((name) => purchases.getFunction(name)?.selector)

/** A node that sends each signed purchase that it is shown, for reasons of its own. */
const eager = (truth: Chain): Chain => ({
  async request(method, params) {
    const [call] = params as [{ readonly to: string; readonly data: string }]
    if (method === 'eth_estimateGas' && SENT_BY_ANYONE.includes(call.data.slice(0, 10))) {
      const [from] = (await truth.request('eth_accounts', [])) as string[]
      await truth.request('eth_sendTransaction', [{ from, to: call.to, data: call.data, gas: '0x7a120' }])
      await truth.request('evm_mine', [])
    }
    return truth.request(method, params)
  },
})

describe('a process that dies while buying with a token', () => {
  const by = (payBy: PayBy) => (buyer: Buyer) => buyer.buy(hour, { ...caps, payBy })
  const byOld = (buyer: Buyer) => buyer.buy({ ...hour, planId: OLD_PLAN }, caps)
  const ways: [what: string, buy: (buyer: Buyer) => Promise<unknown>, node?: 'forgets' | 'is eager'][] = [
    ['by authorization', by('authorization')],
    ['by authorization, though the node forgets', by('authorization'), 'forgets'],
    ['by authorization, though the node sends what it is shown', by('authorization'), 'is eager'],
    ['by permit', by('permit')],
    ['by permit, though the node sends what it is shown', by('permit'), 'is eager'],
    ['by allowance', by('allowance')],
    ['by the allowance of an old token, though the node forgets', byOld, 'forgets'],
  ]
  for (const [what, buy, node] of ways) {
    it(`at any step up to the end, and is repeated, has paid once ${what}`, async () => {
      const plan = node === 'is eager' ? { node: eager } : {}
      await initialized()
      const whole = market.start(plan)
      await buy(whole.buyer)
      assert.ok(whole.steps() > 10)
      for (let diesAfter = 0; diesAfter <= whole.steps(); diesAfter++) {
        await market.reset()
        await initialized()
        const first = market.start({ diesAfter, ...plan })
        await first.live(buy(first.buyer))
        if (node === 'forgets') await market.forget()
        await buy(market.start().buyer)
        await holdsWhatIsPaid()
      }
    })
  }

  it('again and again, in one way or another, has lost nothing and never pays twice', async () => {
    const life = fc.record({
      diesAfter: fc.nat(60),
      forgets: fc.boolean(),
      looksFirst: fc.boolean(),
      isEager: fc.boolean(),
      payBy: fc.constantFrom<PayBy>('authorization', 'permit', 'allowance'),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(life, { minLength: 1, maxLength: 5 }), async (lives) => {
        await market.reset()
        await initialized()
        for (const { diesAfter, forgets, looksFirst, isEager, payBy } of lives) {
          const process = market.start({ diesAfter, ...(isEager && { node: eager }) })
          if (looksFirst) await process.live(process.buyer.resume())
          await process.live(process.buyer.buy(hour, { ...caps, payBy }))
          if (forgets) await market.forget()
        }
        await market.start().buyer.buy(hour, caps)
        await holdsWhatIsPaid()
      }),
      { numRuns: 30 },
    )
  })
})

describe('a purchase that is signed', () => {
  /** Dies with the purchase signed and written down, before any transaction of it. */
  const leaveSigned = async (): Promise<void> => {
    if (market.files.size === 0) await initialized()
    for (let diesAfter = 0; ; diesAfter++) {
      const process = market.start({ diesAfter })
      await process.live(process.buyer.buy(hour, caps))
      const [order] = await market.start().buyer.orders()
      if (order?.standing === 'signed') return
      assert.notEqual(order?.standing, 'running', 'it is signed before it is paid')
    }
  }

  it('and was sent by another account is what is bought, and costs no fee', async () => {
    await initialized()
    const { buyer } = market.start({ node: eager })
    const { transactionHash, feeWei, endsAtSeconds } = await buyer.buy(hour, caps)
    assert.deepEqual([transactionHash, feeWei], [undefined, 0n])
    assert.equal((await buyer.orders())[0]?.endsAtSeconds, endsAtSeconds)
    await holdsWhatIsPaid()
  })

  it('is brought to its end by the same command, for which the price is agreed to once more', async () => {
    await leaveSigned()
    const { buyer } = market.start()
    await assert.rejects(buyer.buy(hour, { capIn: () => PRICE - 1n }), { code: 'ERR_SPEND_CAP' })
    const { offer } = await buyer.buy(hour, caps)
    assert.deepEqual([offer?.token?.payBy, offer?.token?.price], ['authorization', PRICE])
    await holdsWhatIsPaid()
  })

  it('is signed anew only when it has run out and nobody can have sent it', async () => {
    await leaveSigned()
    const { buyer } = market.start()
    const signedFor = (await buyer.orders())[0]?.orderId
    await market.passSeconds(SEND_VALID_SECONDS)
    await assert.rejects(buyer.buy(hour, caps), { code: 'ERR_PURCHASE_PENDING', retryable: true })
    await market.passSeconds(300)
    // A reorg could still bring it in, as far as this node knows.
    const unfinished = (truth: Chain): Chain => ({
      request: (method, params) => truth.request(method, params[0] === 'finalized' ? ['0x1', false] : params),
    })
    assert.deepEqual(await market.start({ node: unfinished }).buyer.resume(), [])
    assert.deepEqual(await buyer.resume(), [{ orderId: signedFor, outcome: 'failed' }])
    const { orderId } = await buyer.buy(hour, caps)
    assert.notEqual(orderId, signedFor)
    await holdsWhatIsPaid()
  })

  it('outlives its transaction: when that can never be, another one carries the same purchase', async () => {
    await initialized()
    let diesAfter = 0
    for (; ; diesAfter++) {
      await market.reset()
      await initialized()
      const process = market.start({ diesAfter })
      await process.live(process.buyer.buy(hour, caps))
      if ((await market.start().buyer.orders())[0]?.standing === 'pending') break
    }
    const [begun] = await market.start().buyer.orders()
    await market.forget()
    const account = createAccount(market, 31337n, fromHex(market.fundedKey))
    await account.send(await account.quote({ to: market.funded, data: '0x', valueWei: 1n }))
    const { buyer } = market.start()
    const { orderId } = await buyer.buy(hour, caps)
    assert.equal(orderId, begun?.orderId)
    await holdsWhatIsPaid()
  })

  it('by another process while the price is agreed to is not signed a second time', async () => {
    await initialized()
    const { buyer } = market.start()
    const approve = () => leaveSigned()
    await assert.rejects(buyer.buy(hour, { approve }), { code: 'ERR_PURCHASE_PENDING', retryable: true })
    await buyer.buy(hour, caps)
    await holdsWhatIsPaid()
  })

  it('is not signed anew while the chain refuses it, by whatever way the same is wanted', async () => {
    await leaveSigned()
    await market.stablecoin.mint(market.funded, 1n)
    const { buyer } = market.start()
    const refuses = (truth: Chain): Chain => ({
      request: (method, params) =>
        method === 'eth_estimateGas'
          ? truth.request(method, [{ ...(params[0] as object), data: '0xffffffff' }])
          : truth.request(method, params),
    })
    await assert.rejects(market.start({ node: refuses }).buyer.buy(hour, { ...caps, payBy: 'allowance' }), {
      code: 'ERR_SIGNED_ORDER_REFUSED',
    })
    await buyer.buy(hour, { ...caps, payBy: 'allowance' })
    await holdsWhatIsPaid()
  })
})
