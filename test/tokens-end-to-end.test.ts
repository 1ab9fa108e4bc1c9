/**
 * A vendor that sells for tokens, a buyer that pays in each way there is, and one without coin whose purchase another
 * sends: by the commands that people type.
 */
import assert from 'node:assert/strict'
import { readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { importAccount } from '../buyer/lib/account.ts'
import type { Address, Hex } from '../chain/types.ts'
import { createChrove } from '../scripts/chrove.ts'
import { buyerAt, openMarket, openShop, PASSPHRASE, type Market, type Shop } from './market.ts'
import { deployToken, type TestToken } from '../scripts/tokens.ts'

const LIMIT = { timeout: 300_000 }
const HOUR = ['--period', '1h']
/** Smallest units: 2.5 of six decimals, and of two. */
const PRICE = { stable: 2_500_000n, old: 250n }
const PENNILESS: Hex = `0x${'be'.repeat(32)}`

type Answer = Readonly<Record<string, unknown>>

let market: Market
let shop: Shop
let stablecoin: TestToken
let old: TestToken
before(async () => {
  market = await openMarket()
  stablecoin = await deployToken(market.chain.request, 'Stablecoin')
  old = await deployToken(market.chain.request, 'OldToken')
  shop = await openShop(market, {
    title: 'Token Taker',
    plans: [
      ['--title', 'Coin', '--price', '0.001', ...HOUR],
      ['--title', 'Stable', '--price', '2.5', '--token', stablecoin.address, ...HOUR],
      ['--title', 'Old', '--price', '2.5', '--token', old.address, ...HOUR],
    ],
  })
  await shop.serve()
})
after(() => market.close())

/** A home with an account that has tokens, and commands whose refusals are answers too. */
const openHome = async (name: string, accountKey: Hex) => {
  const home = join(market.folder, name)
  await buyerAt(market, home).init(accountKey)
  const commands = createChrove({ home, passphrase: PASSPHRASE })
  await commands.run('init', '--rpc', market.chain.url, '--registry', market.chain.registry)
  const { address } = importAccount(accountKey)
  for (const token of [stablecoin, old]) await token.mint(address, 100_000_000n)
  const chrove = async (...args: readonly string[]): Promise<Answer> => {
    try {
      return await commands.run(...args)
    } catch (error) {
      const [code] = /ERR_\w+/.exec((error as Error).message) ?? []
      return { refused: code ?? String(error) }
    }
  }
  return { home, address, chrove }
}
type Home = Awaited<ReturnType<typeof openHome>>

const coinOf = async (owner: Address): Promise<bigint> =>
  BigInt((await market.chain.request('eth_getBalance', [owner, 'latest'])) as string)

const orderIn = ({ order }: Answer): string => (order as { readonly orderId: string }).orderId

/** Collects an order's credentials, and shows that they are the vendor's for this order. */
const collects = async ({ chrove }: Home, orderId: string): Promise<void> => {
  const { servers } = await chrove('credentials', orderId)
  assert.equal((servers as readonly unknown[]).length, 1)
}

describe('a token plan', LIMIT, () => {
  let buyer: Home
  before(async () => {
    buyer = await openHome('token-buyer', market.account())
  })

  it('is found and shown with the symbol and the decimals that its token has', async () => {
    const { found, tokens } = (await buyer.chrove('search', 'taker')) as unknown as {
      found: { plans: { token?: string; price: string }[] }[]
      tokens: unknown[]
    }
    assert.deepEqual(
      found[0]?.plans.map(({ token, price }) => [token, price]),
      [
        [undefined, '1000000000000000'],
        [stablecoin.address, '2500000'],
        [old.address, '250'],
      ],
    )
    assert.deepEqual(tokens, [
      { address: stablecoin.address, symbol: 'CTD', decimals: 6 },
      { address: old.address, symbol: 'OLD', decimals: 2 },
    ])
    const shown = (await buyer.chrove('show', shop.uri)) as unknown as {
      plans: { symbol?: string }[]
      endpoints: { outcome: string }[]
    }
    assert.deepEqual(
      shown.plans.map(({ symbol }) => symbol),
      [undefined, 'CTD', 'OLD'],
    )
    assert.deepEqual(
      shown.endpoints.map(({ outcome }) => outcome),
      ['acceptable'],
    )
  })

  it('is in a price document that holds, and would not with another price for people', async () => {
    const document = (await (await fetch(`${shop.url}/price.json`)).json()) as {
      content: { PaymentChannels: { PlanId: number; Price: object; Token: string }[] }
    }
    assert.deepEqual(
      document.content.PaymentChannels.map(({ Price, Token }) => [Price, Token]),
      [
        [{ symbol: 'ETH', amount: '0.001', unit: 'Hour' }, `0x${'00'.repeat(20)}`],
        [{ symbol: 'CTD', amount: '2.5', unit: 'Hour' }, stablecoin.address],
        [{ symbol: 'OLD', amount: '2.5', unit: 'Hour' }, old.address],
      ],
    )
    const held = await buyer.chrove('price', `${shop.url}/price.json`, '--vendor', shop.uri)
    assert.equal(held.acceptable, true)
  })

  for (const [payBy, plan, transactions] of [
    ['authorization', '2', 1],
    ['permit', '2', 1],
    ['allowance', '2', 2],
    [undefined, '3', 2],
  ] as const) {
    it(`is bought ${payBy ? `by ${payBy}` : 'in the only way that its token has'}`, async () => {
      const token = plan === '2' ? stablecoin : old
      const price = plan === '2' ? PRICE.stable : PRICE.old
      const earlier = [await token.balanceOf(buyer.address), await coinOf(buyer.address)] as const
      const args = ['buy', shop.uri, plan, ...(payBy ? ['--pay-by', payBy] : [])]
      const dry = (await buyer.chrove(...args, '--dry-run')).offer as Record<string, unknown>
      assert.deepEqual([await token.balanceOf(buyer.address), await coinOf(buyer.address)], earlier)
      assert.equal((dry.token as { price: string }).price, String(price))

      const bought = await buyer.chrove(...args, '--max-spend', '2.5', '--yes')
      const offer = bought.offer as { maxFeeWei: string; token: { transactions: number } }
      assert.equal(offer.token.transactions, transactions)
      assert.equal(await token.balanceOf(buyer.address), earlier[0] - price)
      assert.ok(earlier[1] - (await coinOf(buyer.address)) <= BigInt(offer.maxFeeWei))
      await collects(buyer, orderIn(bought))
    })
  }

  it('is not bought above the cap in its token, without one unasked, or for a fee above the cap in coin', async () => {
    const held = await stablecoin.balanceOf(buyer.address)
    const buy = ['buy', shop.uri, '2', '--periods', '2', '--yes']
    const codeOf = async (...args: readonly string[]) => (await buyer.chrove(...args)).refused
    assert.equal(await codeOf(...buy), 'ERR_SPEND_CAP')
    assert.equal(await codeOf(...buy, '--max-spend', '4.999999'), 'ERR_SPEND_CAP')
    assert.equal(await codeOf(...buy, '--max-spend', '5.0000001'), 'ERR_USAGE')
    await writeFile(
      join(buyer.home, 'config.json'),
      JSON.stringify({ rpc: market.chain.url, registry: market.chain.registry, maxSpend: '0.000000000000000001' }),
    )
    assert.equal(await codeOf(...buy, '--max-spend', '5'), 'ERR_SPEND_CAP')
    assert.equal(await stablecoin.balanceOf(buyer.address), held)
  })

  it('returns what is not used in its token', async () => {
    const { orders } = (await buyer.chrove('orders')) as unknown as {
      orders: { orderId: string; standing: string; refundable: string; token?: { symbol: string } }[]
    }
    const running = orders.find(({ token }) => token?.symbol === 'OLD')
    assert.ok(running && BigInt(running.refundable) > 0n)
    const refundTo = `0x${'c0'.repeat(20)}` as Address
    const { refunded, token } = await buyer.chrove('cancel', running.orderId, '--refund-to', refundTo)
    assert.equal(await old.balanceOf(refundTo), BigInt(String(refunded)))
    assert.equal((token as { symbol: string }).symbol, 'OLD')
  })
})

describe('a buyer without coin', LIMIT, () => {
  let buyer: Home
  let friend: Home
  let orderId: string
  before(async () => {
    buyer = await openHome('penniless', PENNILESS)
    friend = await openHome('friend', market.account())
    assert.equal(await coinOf(buyer.address), 0n)
  })

  it('cannot buy, and is told how to', async () => {
    const { refused } = await buyer.chrove('buy', shop.uri, '2', '--max-spend', '2.5', '--yes')
    assert.equal(refused, 'ERR_BALANCE')
  })

  it('signs a purchase into a file, which somebody else sends at no gain', async () => {
    const file = join(market.folder, 'purchase.json')
    const held = await stablecoin.balanceOf(buyer.address)
    const signed = await buyer.chrove('buy', shop.uri, '2', '--sign-only', file, '--max-spend', '2.5', '--yes')
    orderId = String(signed.orderId)
    assert.equal(await stablecoin.balanceOf(buyer.address), held)
    assert.ok((await stat(file)).size < 2048)

    const friendsTokens = await stablecoin.balanceOf(friend.address)
    const dry = await friend.chrove('send-signed', file, '--dry-run')
    assert.equal((dry.delivery as { orderId: string }).orderId, orderId)
    assert.equal((await friend.chrove('send-signed', file)).refused, 'ERR_NOT_CONFIRMED')
    const sent = await friend.chrove('send-signed', file, '--yes')
    assert.deepEqual([sent.ok, sent.orderId], [true, orderId])
    assert.equal(await stablecoin.balanceOf(friend.address), friendsTokens)
    assert.equal(await stablecoin.balanceOf(buyer.address), held - PRICE.stable)
    assert.equal((await friend.chrove('send-signed', file, '--yes')).refused, 'ERR_SIGNED_ORDER_USED')
  })

  it('has an order that is its own, and collects what it paid for', async () => {
    const { orders, resumed } = (await buyer.chrove('orders')) as unknown as {
      orders: { orderId: string; standing: string }[]
      resumed: unknown[]
    }
    assert.deepEqual(
      orders.map((order) => [order.orderId, order.standing]),
      [[orderId, 'running']],
    )
    assert.deepEqual(resumed, [{ orderId, outcome: 'paid' }])
    await collects(buyer, orderId)
  })

  it('has no use for a file that somebody changed', async () => {
    const file = join(market.folder, 'second.json')
    await buyer.chrove('buy', shop.uri, '2', '--sign-only', file, '--max-spend', '2.5', '--yes')
    const text = await readFile(file, 'utf8')
    const changes: [code: string, change: (text: string) => string][] = [
      ['ERR_SIGNED_ORDER_REFUSED', (t) => t.replace(/("controller": )"[^"]*"/, `$1"${friend.address}"`)],
      ['ERR_SIGNED_ORDER_REFUSED', (t) => t.replace(/("amount": )"[^"]*"/, '$1"2499999"')],
      ['ERR_OTHER_CHAIN', (t) => t.replace(/("chainId": )"[^"]*"/, '$1"1"')],
      ['ERR_SIGNED_ORDER_SHAPE', (t) => t.replace('"periods"', '"hours"')],
      ['ERR_SIGNED_ORDER_SHAPE', (t) => t.slice(0, -3)],
    ]
    for (const [index, [code, change]] of changes.entries()) {
      const changed = join(market.folder, `changed-${index}.json`)
      await writeFile(changed, change(text))
      assert.equal((await friend.chrove('send-signed', changed, '--yes')).refused, code, String(change))
    }
  })

  it('cancels by a signature that somebody else sends, and gets back what it did not use', async () => {
    const file = join(market.folder, 'cancel.json')
    const refundTo = `0x${'c1'.repeat(20)}` as Address
    const signed = await buyer.chrove('cancel', orderId, '--refund-to', refundTo, '--sign-only', file)
    assert.equal(signed.orderId, orderId)
    assert.equal((await friend.chrove('send-signed', file, '--yes')).ok, true)
    const returned = await stablecoin.balanceOf(refundTo)
    assert.ok(returned > 2_300_000n && returned <= PRICE.stable, 'an hour was paid, and minutes used at most')
    const { orders } = (await buyer.chrove('orders')) as unknown as { orders: { orderId: string; standing: string }[] }
    assert.equal(orders.find((order) => order.orderId === orderId)?.standing, 'cancelled')
    assert.equal(await coinOf(buyer.address), 0n)
  })
})
