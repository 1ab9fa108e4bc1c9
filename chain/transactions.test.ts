import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, it } from 'node:test'
import { type Chain, ChainError } from '../effects/chain.ts'
import { noHeads } from '../effects/heads.ts'
import { silentLog } from '../effects/log.ts'
import { type DevelopmentChain, startDevelopmentChain } from '../test/development-chain.ts'
import { createContractReader, orderIdOf, paymentsCall, registryCall } from './contracts.ts'
import { decodeLog } from './decode-log.ts'
import { ContractRevert, type TransactionError } from './errors.ts'
import { createFollower } from './follower.ts'
import type { Batch } from './projection.ts'
import type { Receipt } from './rpc.ts'
import { createAccount } from './transactions.ts'
import { type Hash, type Hex, ZERO_ADDRESS } from './types.ts'

const chainId = 31337n
const keyHash: Hex = `0x${'ab'.repeat(32)}`
const word = (byte: string): Hex => `0x${byte.repeat(32)}`

describe('transactions on a real EVM', () => {
  let evm: DevelopmentChain
  let pristine: unknown
  before(async () => {
    evm = await startDevelopmentChain()
    pristine = await evm.request('evm_snapshot', [])
  })
  beforeEach(async () => {
    await evm.request('evm_revert', [pristine])
    pristine = await evm.request('evm_snapshot', [])
  })
  after(() => evm.close())

  /** Time passes only when someone waits, and then a block is made. */
  const mining = { nowMs: () => 0, sleep: () => evm.mine() }
  const accountOf = (index: number, chain: Chain = evm, clock = mining) =>
    createAccount({ chain, clock }, chainId, evm.key(index))
  const contractsOf = () => ({ registry: evm.registry, payments: evm.payments })
  const eventsOf = (receipt: Receipt) => receipt.logs.map((log) => decodeLog(log, contractsOf()))

  const vendorInput = () => ({
    operator: ZERO_ADDRESS,
    payout: accountOf(5).address,
    signingKey: word('11'),
    encryptionKey: word('22'),
    endpoints: ['http://203.0.113.7:8080', 'http://vendor.example'],
    profile: '{"title":"Vendor"}',
  })
  const planInput = {
    token: ZERO_ADDRESS,
    price: 1000n,
    periodSeconds: 3600,
    maxPeriods: 24,
    settlement: 'Streamed',
    title: 'An hour',
  } as const

  const register = async () => {
    const vendor = accountOf(0)
    const input = vendorInput()
    const registered = await vendor.send(await vendor.quote(registryCall(evm.registry, 'register', input)))
    const added = await vendor.send(await vendor.quote(registryCall(evm.registry, 'addPlan', 1n, planInput)))
    return { vendor, registered, added }
  }
  const buyCall = (buyer: ReturnType<typeof accountOf>, valueWei = 2000n) => ({
    ...paymentsCall(evm.payments, 'buy', 1n, 1, keyHash, 2, buyer.address),
    valueWei,
  })

  it('register a vendor and a plan that the reader then finds as they were given', async () => {
    const { vendor, registered, added } = await register()
    assert.deepEqual(
      eventsOf(registered).map(({ type }) => type),
      ['VendorRegistered'],
    )
    assert.deepEqual(
      eventsOf(added).map(({ type }) => type),
      ['PlanAdded'],
    )
    const reader = createContractReader(evm)
    assert.equal(await reader.vendorCount(evm.registry), 1n)
    assert.equal(await reader.paymentsOf(evm.registry), evm.payments)
    const listing = await reader.listing(evm.registry, 1n)
    assert.equal(listing.vendor.owner, vendor.address)
    assert.equal(listing.vendor.version, 2)
    assert.deepEqual(
      listing.vendor.endpoints.map(({ text }) => text),
      vendorInput().endpoints,
    )
    assert.equal(listing.vendor.profile.text, vendorInput().profile)
    const [plan] = listing.plans
    assert.ok(plan)
    const { title, ...terms } = plan
    assert.equal(title.text, planInput.title)
    assert.deepEqual(terms, {
      token: ZERO_ADDRESS,
      price: 1000n,
      periodSeconds: 3600,
      maxPeriods: 24,
      settlement: 'Streamed',
      onSale: true,
    })
    assert.deepEqual(await reader.plan(evm.registry, 1n, 1), plan)
    assert.equal((await reader.terms(evm.registry, 1n, 1)).forSale, true)
  })

  it('buy, cancel and withdraw an order, which has the id we compute', async () => {
    await register()
    const buyer = accountOf(1)
    const [paid] = eventsOf(await buyer.send(await buyer.quote(buyCall(buyer))))
    assert.ok(paid?.type === 'OrderPaid')
    assert.equal(paid.orderId, orderIdOf(1n, 1, keyHash))
    assert.equal(paid.amount, 2000n)
    assert.equal(paid.endsAt - paid.startedAt, 7200)
    const reader = createContractReader(evm)
    const order = await reader.order(evm.payments, { vendorId: 1n, planId: 1, keyHash })
    assert.equal(order.controller, buyer.address)
    assert.equal(order.earned + order.refundable, 2000n)
    await evm.request('evm_increaseTime', [1800])
    const refundTo = accountOf(7).address
    const cancel = await buyer.quote(paymentsCall(evm.payments, 'cancel', paid.orderId, refundTo))
    const [cancelled] = eventsOf(await buyer.send(cancel))
    assert.ok(cancelled?.type === 'OrderCancelled' && cancelled.refundTo === refundTo)
    const anyone = accountOf(2)
    const withdraw = await anyone.quote(paymentsCall(evm.payments, 'withdraw', [paid.orderId]))
    const [withdrawn] = eventsOf(await anyone.send(withdraw))
    assert.ok(withdrawn?.type === 'OrderWithdrawn')
    assert.equal(withdrawn.amount + cancelled.refunded, 2000n)
  })

  it('cost no more than was quoted', async () => {
    await register()
    const buyer = accountOf(1)
    const had = await buyer.balanceWei()
    const quote = await buyer.quote(buyCall(buyer))
    assert.equal(await buyer.balanceWei(), had, 'a quote is free')
    const { feeWei } = await buyer.send(quote)
    assert.equal(had - (await buyer.balanceWei()), feeWei + 2000n)
    assert.ok(feeWei + 2000n <= quote.maxCostWei)
  })

  it('are refused in the words of the contract before they are sent', async () => {
    await register()
    const buyer = accountOf(1)
    await assert.rejects(buyer.quote(buyCall(buyer, 1999n)), (error: ContractRevert) => {
      assert.ok(error instanceof ContractRevert)
      assert.equal(error.reason, 'Payments_WrongValue')
      assert.deepEqual(error.args, { given: 1999n, due: 2000n })
      return true
    })
    const unknown = createContractReader(evm).listing(evm.registry, 9n)
    await assert.rejects(unknown, { reason: 'VendorRegistry_UnknownVendor', args: { vendorId: 9n } })
  })

  it('tell the reason of the contract when they were mined and changed nothing', async () => {
    const { vendor } = await register()
    const buyer = accountOf(1)
    const quote = await buyer.quote(buyCall(buyer))
    await vendor.send(await vendor.quote(registryCall(evm.registry, 'setActive', 1n, false)))
    await assert.rejects(buyer.send(quote), { reason: 'Payments_NotForSale', args: { vendorId: 1n, planId: 1 } })
  })

  it('get nonces of their own when they are sent at the same time', async () => {
    const { vendor } = await register()
    const quotes = await Promise.all(
      [false, true, false].map((active) => vendor.quote(registryCall(evm.registry, 'setActive', 1n, active))),
    )
    const receipts = await Promise.all(quotes.map((quote) => vendor.send(quote)))
    const versions = receipts.flatMap(eventsOf).map((event) => event.type === 'ActiveChanged' && event.version)
    assert.deepEqual(versions, [3, 4, 5])
  })

  it('get nonces of their own from a node that has not heard of the ones before', async () => {
    const { vendor: owner } = await register()
    const late: Chain = {
      request: (method, [account, tag, ...rest]) =>
        evm.request(method, [account, ...(tag === undefined ? [] : [tag === 'pending' ? 'latest' : tag]), ...rest]),
    }
    const vendor = accountOf(0, late)
    assert.equal(vendor.address, owner.address)
    const quote = await vendor.quote(registryCall(evm.registry, 'setActive', 1n, false))
    const receipts = await Promise.all([vendor.send(quote), vendor.send(quote)])
    assert.notEqual(receipts[0].transactionHash, receipts[1].transactionHash)
  })

  it('are stored before they are sent, and not sent when storing fails', async () => {
    await register()
    const buyer = accountOf(1)
    const quote = await buyer.quote(buyCall(buyer))
    const seen: { readonly raw: Hex; readonly known: unknown }[] = []
    const persist = async (raw: Hex, hash: Hash) => {
      seen.push({ raw, known: await evm.request('eth_getTransactionByHash', [hash]) })
    }
    await assert.rejects(buyer.send(quote, { persist: () => Promise.reject(new Error('disk full')) }), /disk full/)
    const { logs } = await buyer.send(quote, { persist })
    assert.equal(logs.length, 1)
    assert.equal(seen.length, 1)
    assert.equal(seen[0]?.known, null)
  })

  it('happen once, however often and by whomever the stored bytes are sent again', async () => {
    await register()
    const buyer = accountOf(1)
    let stored: Hex = '0x'
    const kill = new Error('killed')
    const persist = (raw: Hex) => {
      stored = raw
      return Promise.reject(kill)
    }
    await assert.rejects(buyer.send(await buyer.quote(buyCall(buyer)), { persist }), kill)
    const first = await accountOf(1).resend(stored)
    const second = await accountOf(1).resend(stored)
    assert.deepEqual(first, second)
    assert.equal(await evm.request('eth_getTransactionCount', [buyer.address, 'latest']), '0x1')
  })

  it('can never happen once another one took their nonce, and say so', async () => {
    await register()
    const buyer = accountOf(1)
    let stored: Hex = '0x'
    const persist = (raw: Hex) => {
      stored = raw
      return Promise.reject(new Error('killed'))
    }
    await assert.rejects(buyer.send(await buyer.quote(buyCall(buyer)), { persist }))
    await buyer.send(await buyer.quote({ to: accountOf(3).address, data: '0x', valueWei: 1n }))
    await assert.rejects(accountOf(1).resend(stored), { code: 'ERR_TRANSACTION_REPLACED', retryable: false })
  })

  it('are not given up for nodes behind one address that lag behind each other', async () => {
    await register()
    const buyer = accountOf(1)
    let stored: Hex = '0x'
    const sent = await buyer.send(await buyer.quote(buyCall(buyer)), { persist: async (raw) => void (stored = raw) })
    // Some of them do not have the newest block yet, in which it is; so none of them calls that final.
    let looks = 0
    const lagging: Chain = {
      async request(method, params) {
        if (method === 'eth_getTransactionCount' && params[1] === 'finalized') return '0x0'
        if (method === 'eth_getTransactionByHash') return null
        if (method === 'eth_getTransactionReceipt' && ++looks < 40) return null
        return evm.request(method, params)
      },
    }
    assert.deepEqual(await accountOf(1, lagging).resend(stored), sent)
  })

  it('that nobody takes are given up after long waiting', async () => {
    await register()
    const poor = createAccount(
      { chain: evm, clock: { ...mining, sleep: async () => {} } },
      chainId,
      new Uint8Array(32).fill(9),
    )
    const rich = accountOf(1)
    const quote = await rich.quote(buyCall(rich))
    let stored: Hex = '0x'
    const persist = async (raw: Hex) => void (stored = raw)
    const sending = poor.send({ ...quote, call: { ...quote.call, from: poor.address } }, { persist })
    await assert.rejects(sending, { code: 'ERR_TRANSACTION_REFUSED' })
    await assert.rejects(poor.resend(stored), { code: 'ERR_TRANSACTION_REFUSED', retryable: false })
  })

  it('survive a node that fails at any one question, that loses what it took, or that took it and denies it', async () => {
    await register()
    const buyer = accountOf(1)
    const quote = await buyer.quote(buyCall(buyer))
    const clean = await evm.request('evm_snapshot', [])
    let restored = clean
    for (const fault of ['before', 'after'] as const) {
      for (let failing = 2; failing < 6; failing++) {
        await evm.request('evm_revert', [restored])
        restored = await evm.request('evm_snapshot', [])
        let asked = 0
        const chain: Chain = {
          async request(method, params) {
            asked += 1
            const lose = asked === failing
            if (lose && fault === 'before') throw new ChainError('ERR_CHAIN_UNREACHABLE', 'test')
            const answer = await evm.request(method, params)
            if (lose) throw new ChainError('ERR_CHAIN_TIMEOUT', 'test')
            return answer
          },
        }
        const receipt = await accountOf(1, chain).send(quote)
        assert.equal(receipt.logs.length, 1, `question ${failing}, fault ${fault}`)
        assert.equal(await evm.request('eth_getTransactionCount', [buyer.address, 'latest']), '0x1')
      }
    }
  })

  it('are sent again, the same bytes, while they have no receipt, and given up as pending', async () => {
    await register()
    const sent: unknown[] = []
    const forgetful: Chain = {
      async request(method, params) {
        if (method === 'eth_sendRawTransaction') {
          sent.push(params[0])
          return word('00')
        }
        return method === 'eth_getTransactionReceipt' ? null : evm.request(method, params)
      },
    }
    const buyer = accountOf(1, forgetful, { nowMs: () => 0, sleep: async () => {} })
    await assert.rejects(buyer.send(await buyer.quote(buyCall(buyer))), (error: TransactionError) => {
      return error.code === 'ERR_TRANSACTION_PENDING' && error.retryable
    })
    assert.ok(sent.length > 10)
    assert.equal(new Set(sent).size, 1)
  })

  it('without money are refused, and leave their nonce to the next', async () => {
    await register()
    const poor = createAccount({ chain: evm, clock: mining }, chainId, new Uint8Array(32).fill(7))
    const rich = accountOf(1)
    const quote = await rich.quote(buyCall(rich))
    const bought = { ...quote, call: { ...quote.call, from: poor.address } }
    await assert.rejects(poor.send(bought), { code: 'ERR_TRANSACTION_REFUSED' })
    await rich.send(await rich.quote({ to: poor.address, data: '0x', valueWei: 10n ** 18n }))
    assert.equal((await poor.send(bought)).logs.length, 1)
  })

  it('keep the private key out of what they say about a bad one', () => {
    const bad = new Uint8Array(32).fill(0xff)
    assert.throws(
      () => createAccount({ chain: evm, clock: mining }, chainId, bad),
      (error: Error) => !`${error.message}${error.stack}`.includes('ffff') && error.cause === undefined,
    )
  })

  it('are seen by a follower, which undoes them when the chain does', async () => {
    const { vendor } = await register()
    const applied: Batch[] = []
    const blocks: Batch['blocks'][number][] = []
    let rolledBackTo: number | undefined
    const projection = {
      recorded: async () => (blocks[0] ? { finalized: blocks[0], blocks: blocks.toReversed() } : undefined),
      async apply(batch: Batch) {
        applied.push(batch)
        blocks.push(...batch.blocks)
      },
      async rollBack(to: { readonly number: number }) {
        rolledBackTo = to.number
        blocks.splice(blocks.findIndex(({ number }) => number > to.number))
      },
    }
    const random = { bytes: (length: number) => new Uint8Array(length) }
    const settings = {
      chainId,
      contracts: contractsOf(),
      fromBlock: 0,
      finalityBlocks: 64,
      confirmations: 0,
      pollMs: 1,
    }
    const effects = { chain: evm, clock: mining, heads: noHeads, log: silentLog, random }
    const follower = createFollower(effects, settings, projection)
    const settle = async () => {
      while ((await follower.step()).did !== 'wait');
    }
    await settle()
    const beforeReorg = await evm.request('evm_snapshot', [])
    const common = blocks.at(-1)?.number
    await vendor.send(await vendor.quote(registryCall(evm.registry, 'setActive', 1n, false)))
    await settle()
    assert.deepEqual(
      applied.flatMap(({ events }) => events.map(({ type }) => type)),
      ['VendorRegistered', 'PlanAdded', 'ActiveChanged'],
    )
    await evm.request('evm_revert', [beforeReorg])
    await evm.request('evm_increaseTime', [100])
    for (let i = 0; i < 5; i++) await evm.mine()
    await settle()
    assert.equal(rolledBackTo, common)
    assert.deepEqual(applied.at(-1)?.events, [])
  })
})
