import assert from 'node:assert/strict'
import { before, beforeEach, describe, it } from 'node:test'
import { id, Interface } from 'ethers'
import { registryCall } from '../../chain/contracts.ts'
import { tokenCall } from '../../chain/token.ts'
import { createAccount } from '../../chain/transactions.ts'
import type { Address, Hex } from '../../chain/types.ts'
import { ChainError, type Chain } from '../../effects/chain.ts'
import { paymentsAbi } from '../../protocol/abi/payments.ts'
import { fromHex } from '../../protocol/bytes.ts'
import type { Buyer, Offer, PayBy } from './index.ts'
import { UNTRIED_GAS } from './limits.ts'
import type { Incarnation, StartPlan } from './test-market.ts'
import {
  HAS,
  INSTANT_PLAN,
  OLD_PLAN,
  openTokenMarket,
  PENNILESS_KEY,
  PRICE,
  STABLE_PLAN,
  type TokenMarket,
} from './test-token-market.ts'

let market: TokenMarket
before(async () => {
  market = await openTokenMarket()
})
beforeEach(() => market.reset())

const anything = { capIn: () => 10n ** 30n }
const hour = { vendor: '1', planId: STABLE_PLAN, periods: 1 }
const oldHour = { ...hour, planId: OLD_PLAN }

const selectorOf = (signature: string): string => id(signature).slice(0, 10)

const SELECTORS = {
  symbol: selectorOf('symbol()'),
  decimals: selectorOf('decimals()'),
  name: selectorOf('name()'),
  nonces: selectorOf('nonces(address)'),
  domain: selectorOf('DOMAIN_SEPARATOR()'),
  state: selectorOf('authorizationState(address,bytes32)'),
  permit: selectorOf('permit(address,address,uint256,uint256,uint8,bytes32,bytes32)'),
  receive: selectorOf(
    'receiveWithAuthorization(address,address,uint256,uint256,uint256,bytes32,uint8,bytes32,bytes32)',
  ),
  buy: selectorOf('buy(uint64,uint32,bytes32,uint16,address)'),
  buyWithAuthorization: new Interface(paymentsAbi).getFunction('buyWithAuthorization')?.selector ?? '',
  buyWithPermit: new Interface(paymentsAbi).getFunction('buyWithPermit')?.selector ?? '',
} as const

/** As a node tells of a call that its contract refuses without a reason. */
const REVERTED = { rpcCode: 3, rpcMessage: 'execution reverted', data: '0x' }

const initialized = async (key: Hex = market.fundedKey): Promise<Incarnation> => {
  const process = market.start()
  await process.buyer.init(key)
  return process
}

/** Allows Payments to take so much of a token, outside of the buyer. */
const allow = async (token: Address, amount: bigint): Promise<void> => {
  const { chain, clock } = market
  const account = createAccount({ chain, clock }, 31337n, fromHex(market.fundedKey))
  await account.send(await account.quote(tokenCall(token, 'approve', market.payments, amount)))
}

const only = async (buyer: Buyer) => {
  const [order, ...more] = await buyer.orders()
  assert.ok(order)
  assert.deepEqual(more, [])
  return order
}

describe('buying with a token', () => {
  const ways: [what: string, planId: number, payBy: PayBy | undefined, paid: PayBy, transactions: number][] = [
    ['by authorisation, which is the cheapest there is', STABLE_PLAN, undefined, 'authorization', 1],
    ['at once, by authorisation', INSTANT_PLAN, 'authorization', 'authorization', 1],
    ['by permit, if that is wished for', STABLE_PLAN, 'permit', 'permit', 1],
    ['by allowance, if that is wished for', STABLE_PLAN, 'allowance', 'allowance', 2],
    ['by allowance, where the token has nothing else', OLD_PLAN, undefined, 'allowance', 2],
  ]
  for (const [what, planId, payBy, paid, transactions] of ways) {
    it(`pays exactly the price ${what}`, async () => {
      const { buyer } = await initialized()
      const beforeWei = await buyer.balanceWei()
      const token = planId === OLD_PLAN ? market.old : market.stablecoin
      const { offer, feeWei, orderId, endsAtSeconds } = await buyer.buy(
        { vendor: '1', planId, periods: 2 },
        { ...anything, ...(payBy && { payBy }) },
      )
      assert.deepEqual([offer?.token?.payBy, offer?.token?.transactions], [paid, transactions])
      assert.deepEqual([offer?.token?.price, offer?.priceWei], [2n * PRICE, 0n])
      assert.equal(await token.balanceOf(market.funded), HAS - 2n * PRICE)
      const spentWei = beforeWei - (await buyer.balanceWei())
      assert.ok(spentWei >= feeWei && spentWei <= (offer?.maxCostWei ?? 0n), 'no more coin than was offered')
      const order = await only(buyer)
      assert.deepEqual([order.orderId, order.standing, order.endsAtSeconds], [orderId, 'running', endsAtSeconds])
      assert.equal(order.token?.address, token.address)
      assert.equal((await buyer.collect(orderId)).servers.length, 1)
    })
  }

  it('needs one transaction where enough is allowed already', async () => {
    const { buyer } = await initialized()
    await allow(market.stablecoin.address, PRICE)
    const { offer } = await buyer.buy(hour, anything)
    assert.deepEqual([offer?.token?.payBy, offer?.token?.transactions], ['allowance', 1])
  })

  it('takes back an allowance that is too small where the token wants that', async () => {
    const { buyer } = await initialized()
    await allow(market.old.address, PRICE - 1n)
    const { offer } = await buyer.buy(oldHour, anything)
    assert.equal(offer?.token?.transactions, 3)
    assert.equal(await market.old.balanceOf(market.funded), HAS - PRICE)
  })

  it('leaves no allowance behind', async () => {
    const { buyer } = await initialized()
    await buyer.buy(oldHour, anything)
    await buyer.buy(hour, { ...anything, payBy: 'permit' })
    await buyer.buy({ ...hour, periods: 2 }, { ...anything, payBy: 'allowance' })
    for (const { address } of [market.old, market.stablecoin]) {
      const call = tokenCall(address, 'allowance', market.funded, market.payments)
      assert.equal(BigInt((await market.chain.request('eth_call', [call, 'latest'])) as string), 0n)
    }
  })

  it('extends an order, with the same key', async () => {
    const { buyer } = await initialized()
    const first = await buyer.buy(hour, anything)
    const extended = await buyer.buy({ extend: first.orderId, periods: 2 }, anything)
    assert.equal(extended.orderId, first.orderId)
    assert.equal(extended.endsAtSeconds, first.endsAtSeconds + 7200)
    await assert.rejects(buyer.quote({ extend: first.orderId, periods: 10 }), { code: 'ERR_PERIODS' })
  })

  it('returns what is not used in the token, and tells of which', async () => {
    const { buyer } = await initialized()
    const { orderId } = await buyer.buy(hour, anything)
    await market.passSeconds(900)
    const refundTo = `0x${'7a'.repeat(20)}` as Address
    const { refunded, token } = await buyer.cancel(orderId, refundTo)
    assert.equal(await market.stablecoin.balanceOf(refundTo), refunded)
    assert.ok(refunded > PRICE / 2n && refunded < (PRICE * 3n) / 4n + 1n)
    assert.deepEqual([token?.symbol, token?.decimals], ['CTD', 6])
  })
})

describe('a node', () => {
  /** Changes what a node answers to tries of a call that begins so. */
  const trying =
    (start: string, answer: (truth: () => Promise<unknown>) => Promise<unknown>) =>
    (truth: Chain): Chain => ({
      request: (method, params) => {
        const [call] = params as [{ data?: string } | undefined]
        const isIt = method === 'eth_estimateGas' && call?.data?.startsWith(start)
        return isIt ? answer(() => truth.request(method, params)) : truth.request(method, params)
      },
    })

  it('that lags behind the allowance is asked again', async () => {
    await initialized()
    let refusals = 0
    const node = trying(SELECTORS.buy, async (truth) => {
      if (++refusals <= 4) throw new ChainError('ERR_CHAIN_REFUSED', 'no', { refusal: REVERTED })
      return truth()
    })
    const { offer } = await market.start({ node }).buyer.buy(hour, { ...anything, payBy: 'allowance' })
    assert.equal(offer?.token?.transactions, 2)
    assert.ok(refusals > 4)
  })

  it('that finds more gas to be needed than was agreed to is not followed', async () => {
    await initialized()
    const beforeWei = await market.balanceWei(market.funded)
    const node = trying(SELECTORS.buyWithAuthorization, async () => `0x${(2n * UNTRIED_GAS).toString(16)}`)
    await assert.rejects(market.start({ node }).buyer.buy(hour, anything), { code: 'ERR_GAS' })
    assert.equal(await market.balanceWei(market.funded), beforeWei)
    assert.equal(await market.stablecoin.balanceOf(market.funded), HAS)
  })
})

describe('the price document of a vendor that sells for tokens', () => {
  const method = () => ({
    ...{ Name: 'hour', PaymentMethod: 'Contract' as const, ChainId: '31337', Registry: market.registry, VendorId: '1' },
    ...{ PlanId: STABLE_PLAN, Token: market.stablecoin.address, Amount: String(PRICE), PeriodSeconds: 3600 },
    ...{ Price: { symbol: 'USD', amount: '2.5', unit: 'Hour' }, MemoName: '', MemoContent: '' },
  })

  it('holds as long as people read the amount that is paid, in the decimals that the token has', async () => {
    const { buyer } = await initialized()
    const { orderId } = await buyer.buy(hour, anything)
    const lastOutcome = async () => (await buyer.show('1')).endpoints.at(-1)?.outcome
    market.methods = [method()]
    assert.equal(await lastOutcome(), 'acceptable')
    market.methods = [{ ...method(), Price: { symbol: 'USD', amount: '0.25', unit: 'Hour' } }]
    assert.equal(await lastOutcome(), 'untrusted')
    await assert.rejects(buyer.collect(orderId), { code: 'ERR_VENDOR_UNTRUSTED' })
    market.methods = [{ ...method(), Token: market.old.address }]
    assert.equal(await lastOutcome(), 'untrusted')
  })
})

describe('what a purchase with a token may cost', () => {
  it('is capped in the token, by the unit, and in the coin for its fee, by the wei', async () => {
    const { buyer } = await initialized()
    await assert.rejects(buyer.buy(hour, { capIn: () => PRICE - 1n }), { code: 'ERR_SPEND_CAP' })
    await assert.rejects(buyer.quote(hour, { capIn: () => PRICE - 1n }), { code: 'ERR_SPEND_CAP' })
    assert.equal((await buyer.quote(hour)).token?.price, PRICE)
    let offered: Offer | undefined
    const approve = async (offer: Offer) => {
      offered = offer
      throw new Error('only looking')
    }
    await assert.rejects(buyer.buy(hour, { approve }), /only looking/)
    const feeWei = offered?.maxCostWei ?? 0n
    await assert.rejects(buyer.buy(hour, { capIn: () => PRICE, spendCapWei: feeWei - 1n }), { code: 'ERR_SPEND_CAP' })
    assert.equal(await market.stablecoin.balanceOf(market.funded), HAS)
    await buyer.buy(hour, { capIn: () => PRICE, spendCapWei: feeWei })
  })

  it('is nothing where nobody agrees: a cap of the coin is none of a token', async () => {
    const { buyer } = await initialized()
    await assert.rejects(buyer.buy(hour), { code: 'ERR_SPEND_CAP' })
    await assert.rejects(buyer.buy(hour, { spendCapWei: 10n ** 18n }), { code: 'ERR_SPEND_CAP' })
    await assert.rejects(buyer.sign(hour), { code: 'ERR_SPEND_CAP' })
  })

  it('is refused without the tokens, or without coin for the fee', async () => {
    const { buyer } = await initialized()
    const rich = { vendor: '1', planId: STABLE_PLAN, periods: 10 }
    for (let times = 0; times < 10; times++) await buyer.acknowledge(await buyer.buy(rich, anything))
    await assert.rejects(buyer.quote(hour), { code: 'ERR_BALANCE', message: /2\.5 CTD .*has 0 CTD/ })
    const poor = market.start({ files: new Map() }).buyer
    await poor.init(PENNILESS_KEY)
    await assert.rejects(poor.quote(hour), { code: 'ERR_BALANCE', message: /--sign-only/ })
  })

  it('is paid only in a way that there is', async () => {
    const { buyer } = await initialized()
    for (const payBy of ['authorization', 'permit'] as const)
      await assert.rejects(buyer.quote(oldHour, { payBy }), { code: 'ERR_PAY_BY' })
    await assert.rejects(buyer.quote({ ...hour, planId: 1 }, { payBy: 'permit' }), { code: 'ERR_PAY_BY' })
    await assert.rejects(buyer.sign({ ...hour, planId: 1 }, anything), { code: 'ERR_PAY_BY' })
    await assert.rejects(buyer.sign(oldHour, anything), { code: 'ERR_PAY_BY' })
    await assert.rejects(buyer.sign(hour, { ...anything, payBy: 'allowance' }), { code: 'ERR_PAY_BY' })
  })
})

const ZERO: Hex = `0x${'00'.repeat(32)}`

/** Hears each call that is tried. */
const listening = (chain: Chain, hear: (call: { readonly data: string }) => void): Chain => ({
  request: (method, params) => {
    if (method === 'eth_call' || method === 'eth_estimateGas') hear(params[0] as { data: string })
    return chain.request(method, params)
  },
})

/** Answers calls to a token's functions in place of the chain. */
const lying =
  (token: Address, lies: Readonly<Record<string, Hex>>) =>
  (truth: Chain): Chain => ({
    request: async (method, params) => {
      const [call] = params as [{ to?: string; data?: string } | undefined]
      const lie = method === 'eth_call' && call?.to === token ? lies[call.data?.slice(0, 10) ?? ''] : undefined
      return lie ?? truth.request(method, params)
    },
  })

describe('a token that is not what it seems', () => {
  const started = async (plan: StartPlan): Promise<Buyer> => {
    await initialized()
    return market.start(plan).buyer
  }

  it('is not signed for in the name of another token, or of another chain', async () => {
    const { stablecoin, old } = market
    // The old token says of itself what the stablecoin does, as if it took signatures too.
    const truly = async (data: string) =>
      (await market.chain.request('eth_call', [{ to: stablecoin.address, data }, 'latest'])) as Hex
    const lies = {
      [SELECTORS.domain]: await truly(SELECTORS.domain),
      [SELECTORS.name]: await truly(SELECTORS.name),
      [SELECTORS.nonces]: ZERO,
      [SELECTORS.state]: ZERO,
      [SELECTORS.permit]: '0x',
      [SELECTORS.receive]: '0x',
    } as const
    const seen: string[] = []
    const node = (truth: Chain) => listening(lying(old.address, lies)(truth), ({ data }) => seen.push(data))
    const buyer = await started({ node })
    await assert.rejects(buyer.sign(oldHour, anything), { code: 'ERR_PAY_BY' })
    assert.equal((await buyer.quote(oldHour)).token?.payBy, 'allowance')
    const signed = seen.filter((data) => data.startsWith(SELECTORS.permit) || data.startsWith(SELECTORS.receive))
    assert.deepEqual(signed, [])
  })

  it('has its signatures tried, not believed: where they fail it is paid by allowance', async () => {
    const { stablecoin } = market
    const one: Hex = `0x${'00'.repeat(31)}01`
    // Each authorisation is used, and the nonce that it tells is not the one that it checks.
    const lies = { [SELECTORS.state]: one, [SELECTORS.nonces]: one }
    const buyer = await started({ node: lying(stablecoin.address, lies) })
    assert.equal((await buyer.quote(hour)).token?.payBy, 'allowance')
  })

  it('is refused where nothing answers as a token does', async () => {
    const plan = { price: 1n, periodSeconds: 60, maxPeriods: 1, settlement: 'Streamed', title: 'x' } as const
    await market.asVendor(registryCall(market.registry, 'addPlan', 1n, { ...plan, token: market.registry }))
    const { buyer } = await initialized()
    await assert.rejects(buyer.buy({ ...hour, planId: 6 }, anything), { code: 'ERR_TOKEN_INVALID' })
  })

  it('is shown by its address, whatever it says', async () => {
    const { stablecoin } = market
    const text = `0x${'20'.padStart(64, '0')}${'08'.padStart(64, '0')}${Buffer.from('\u001b[31mUSD').toString('hex').padEnd(64, '0')}`
    const lies = { [SELECTORS.symbol]: text as Hex, [SELECTORS.decimals]: `0x${'ff'.repeat(32)}` as Hex }
    const { token } = await (await started({ node: lying(stablecoin.address, lies) })).quote(hour)
    assert.deepEqual([token?.address, token?.symbol, token?.decimals], [stablecoin.address, undefined, undefined])
  })
})

describe('a dry run', () => {
  it('signs nothing that could be sent: no purchase, and nothing that moves or allows money', async () => {
    await initialized()
    const asked: string[] = []
    const { buyer } = market.start({ node: (truth) => listening(truth, ({ data }) => asked.push(data)) })
    await buyer.quote(hour)
    await buyer.quote(hour, { payBy: 'permit' })
    await buyer.quote(hour, { signOnly: true })
    const bodies = (start: string) => asked.filter((data) => data.startsWith(start)).map((data) => data.slice(10))
    const probes = [...bodies(SELECTORS.permit), ...bodies(SELECTORS.receive)]
    assert.equal(probes.length, 3)
    const self = market.funded.slice(2).padStart(64, '0')
    for (const words of probes) assert.ok(words.startsWith(`${self}${self}${'0'.repeat(64)}`), 'nothing, to itself')
    assert.deepEqual([...bodies(SELECTORS.buyWithAuthorization), ...bodies(SELECTORS.buyWithPermit)], [])
  })
})
