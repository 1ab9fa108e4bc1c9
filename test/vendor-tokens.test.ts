/** What a vendor does with money in tokens: prices, earnings, refunds, and what its payout account refused. */
import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { createContractReader, orderIdOf, paymentsCall, registryCall } from '../chain/contracts.ts'
import { tokenCall } from '../chain/token.ts'
import { createAccount, type Account } from '../chain/transactions.ts'
import type { Address, Hex } from '../chain/types.ts'
import { createNodeEffects } from '../effects/node.ts'
import { fromHex } from '../protocol/bytes.ts'
import { keyHashOf } from '../protocol/cert-info.ts'
import { createChrove, type Chrove } from '../scripts/chrove.ts'
import { rsaKeyPair } from '../sim/rsa-keys.ts'
import { openMarket, openShop, PASSPHRASE, type Market, type Shop } from './market.ts'
import { rawTransaction } from './raw-transaction.ts'
import { deployToken, type TestToken } from '../scripts/tokens.ts'

const PERIOD_SECONDS = 3600
const HOUR = ['--period', '1h']

let market: Market
let stablecoin: TestToken
let old: TestToken
/** With a plan in the coin, one in each token, and one that is paid at once. */
let shop: Shop
let chrove: Chrove
before(async () => {
  market = await openMarket()
  stablecoin = await deployToken(market.chain.request, 'Stablecoin')
  old = await deployToken(market.chain.request, 'OldToken')
  shop = await openShop(market, {
    title: 'Changer',
    plans: [
      ['--title', 'Coin', '--price', '0.0036', ...HOUR],
      ['--title', 'Stable', '--price', '2.5', '--token', stablecoin.address, ...HOUR],
      ['--title', 'Old', '--price', '0.36', '--token', old.address, ...HOUR],
      ['--title', 'Old, at once', '--price', '0.36', '--token', old.address, ...HOUR, '--settlement', 'instant'],
    ],
  })
  chrove = createChrove({ home: shop.home, passphrase: PASSPHRASE })
})
after(() => market.close())

const effects = () => createNodeEffects({ service: 'test', home: market.folder, rpc: market.chain.url })
const hurriedAccount = (key: Hex): Account => {
  const { chain, clock } = effects()
  const hurried = {
    nowMs: () => clock.nowMs(),
    sleep: (ms: number, signal?: AbortSignal) => clock.sleep(ms / 20, signal),
  }
  return createAccount({ chain, clock: hurried }, market.chain.chainId, fromHex(key))
}

/** Buys periods of a plan in the name of a test key, by allowance. @returns the order's id and who can cancel it */
const buy = async (planId: number, key: number, periods = 1) => {
  const { vendorId } = shop
  const buyer = hurriedAccount(market.account())
  const send = async (call: Parameters<Account['quote']>[0]) => void (await buyer.send(await buyer.quote(call)))
  const { payments, registry } = market.chain
  const { token, price } = await createContractReader(effects().chain).plan(registry, vendorId, planId)
  const amount = price * BigInt(periods)
  const tokens = [stablecoin, old].filter(({ address }) => address === token)
  for (const each of tokens) {
    await each.mint(buyer.address, amount)
    await send(tokenCall(each.address, 'approve', payments, amount))
  }
  const keyHash = keyHashOf(rsaKeyPair(key).publicKey)
  const call = paymentsCall(payments, 'buy', vendorId, planId, keyHash, periods, buyer.address)
  await send(tokens.length > 0 ? call : { ...call, valueWei: amount })
  return { orderId: orderIdOf(vendorId, planId, keyHash), controller: buyer.address }
}

const pass = async (seconds: number): Promise<void> => {
  await market.chain.request('evm_increaseTime', [seconds])
  await market.chain.request('evm_mine', [])
}

describe('vendor plan', () => {
  it('puts a price in a token on the registry, in the decimals that the token has', async () => {
    const { plans } = await createContractReader(effects().chain).listing(market.chain.registry, shop.vendorId)
    assert.deepEqual(
      plans.slice(0, 3).map(({ token, price }) => [token, price]),
      [
        [`0x${'00'.repeat(20)}`, 3_600_000_000_000_000n],
        [stablecoin.address, 2_500_000n],
        [old.address, 36n],
      ],
    )
    const listed = (await chrove.run('vendor', 'plan', 'list')) as { plans: Record<string, unknown>[] }
    const { token, symbol, decimals, price } = listed.plans[1] ?? {}
    assert.deepEqual([token, symbol, decimals, price], [stablecoin.address, 'CTD', 6, '2500000'])
  })

  it('refuses what is no token, and a price that the token cannot express', async () => {
    const add = (...options: string[]) =>
      chrove.run('vendor', 'plan', 'add', '--title', 'x', ...HOUR, ...options, '--yes')
    for (const token of ['0x12', `0x${'12'.repeat(20)}`, market.chain.registry, `0x${'00'.repeat(20)}`])
      await assert.rejects(add('--price', '1', '--token', token), /ERR_USAGE.*--token/)
    for (const price of ['0.001', '0', '-1', '1e3', '9'.repeat(40)])
      await assert.rejects(add('--price', price, '--token', old.address), /ERR_USAGE.*--price/)
  })
})

describe('vendor withdraw and status', () => {
  it('count and pay out each currency by itself, in one transaction', async () => {
    for (const [planId, key] of [
      [1, 2],
      [2, 3],
      [2, 4],
      [3, 5],
    ] as const)
      await buy(planId, key)
    await pass(2 * PERIOD_SECONDS)
    const earned = [
      { amount: '3600000000000000' },
      { token: stablecoin.address, symbol: 'CTD', decimals: 6, amount: '5000000' },
      { token: old.address, symbol: 'OLD', decimals: 2, amount: '36' },
    ]
    const status = await chrove.run('vendor', 'status')
    assert.deepEqual([status.earned, status.kept, status.earnedWei], [earned, [], '3600000000000000'])
    assert.deepEqual((await chrove.run('vendor', 'withdraw', '--dry-run')).earned, earned)
    const done = await chrove.run('vendor', 'withdraw', '--yes')
    assert.equal((done.transactions as string[]).length, 1)
    const payout = status.payout as Address
    assert.deepEqual(done.earned, earned)
    assert.deepEqual([await stablecoin.balanceOf(payout), await old.balanceOf(payout)], [5_000_000n, 36n])
    assert.deepEqual((await chrove.run('vendor', 'status')).earned, [])
  })

  it('tell what the payout account refused, and send it again once there is another', async () => {
    const owner = hurriedAccount(shop.keys.accountKey)
    const setPayout = async (payout: Address) =>
      owner.send(await owner.quote(registryCall(market.chain.registry, 'setPayout', shop.vendorId, payout)))
    // A contract that takes no coins.
    await setPayout(market.chain.registry)
    await buy(1, 6)
    await pass(2 * PERIOD_SECONDS)
    const said: string[] = []
    const telling = createChrove({ home: shop.home, passphrase: PASSPHRASE, onSaid: (text) => said.push(text) })
    await telling.run('vendor', 'withdraw', '--yes')
    assert.match(said.join(''), /did not take 0\.0036 coins: it is kept/)
    const kept = [{ amount: '3600000000000000' }]
    assert.deepEqual((await chrove.run('vendor', 'status')).kept, kept)

    const still = await telling.run('vendor', 'withdraw', '--yes')
    assert.deepEqual([still.kept, still.transactions], [kept, []])
    assert.match(said.join(''), /still does not take 0\.0036 coins/)

    const taker = `0x${'7a'.repeat(20)}` as Address
    await setPayout(taker)
    await chrove.run('vendor', 'withdraw', '--yes')
    assert.equal(
      BigInt((await market.chain.request('eth_getBalance', [taker, 'latest'])) as string),
      3_600_000_000_000_000n,
    )
    assert.deepEqual((await chrove.run('vendor', 'status')).kept, [])
  })
})

describe('vendor refund', () => {
  it('ends an order and returns what is not earned, and what is asked of the rest, in its token', async () => {
    const { orderId, controller } = await buy(2, 7, 2)
    await pass(PERIOD_SECONDS)
    const dry = await chrove.run('vendor', 'refund', orderId.slice(0, 12), '--extra', '0.5', '--dry-run')
    assert.deepEqual([dry.dryRun, dry.refundTo, dry.token], [true, controller, stablecoin.address])
    const { refunded } = await chrove.run('vendor', 'refund', orderId, '--extra', '0.5', '--yes')
    const got = await stablecoin.balanceOf(controller)
    assert.equal(got, BigInt(String(refunded)))
    assert.ok(got <= 3_000_000n && got > 2_900_000n, 'an hour less some seconds, and half a unit')
    assert.ok(got <= BigInt(String(dry.refunded)))
    await assert.rejects(chrove.run('vendor', 'refund', orderId, '--yes'), /this order is over/)
  })

  it('that was cut off after it was sent is told, not made again', async () => {
    const { orderId, controller } = await buy(3, 10)
    await pass(2 * PERIOD_SECONDS)
    const half = ['vendor', 'refund', orderId, '--extra', '0.18', '--yes']
    const { transaction } = await chrove.run(...half)
    await writeFile(
      join(shop.home, 'vendor-pending.txt'),
      await rawTransaction(market.chain.request, String(transaction)),
    )
    assert.equal((await chrove.run(...half)).transaction, transaction)
    assert.equal(await old.balanceOf(controller), 18n)
    await chrove.run(...half)
    assert.equal(await old.balanceOf(controller), 36n)
  })

  it('of more than was earned is refused, with what can be given', async () => {
    const { orderId } = await buy(3, 8)
    await pass(2 * PERIOD_SECONDS)
    await assert.rejects(
      chrove.run('vendor', 'refund', orderId, '--extra', '0.37', '--yes'),
      /ERR_USAGE.*--extra can be 0\.36 OLD/,
    )
    await chrove.run('vendor', 'refund', orderId, '--extra', '0.36', '--yes')
  })

  it('is not possible for an order that was paid at once, nor for one that is not known', async () => {
    const { orderId } = await buy(4, 9)
    await assert.rejects(chrove.run('vendor', 'refund', orderId, '--yes'), /instant order/)
    await assert.rejects(chrove.run('vendor', 'refund', '0x12345678', '--yes'), /no single order/)
    await assert.rejects(chrove.run('vendor', 'refund', '0x', '--yes'), /no single order/)
  })
})
