/** Vouchers are cashed: what is worth it, in few transactions, and before a payer can take the money back. */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import fc from 'fast-check'
import { createContractReader, paymentsCall } from '../../../chain/contracts.ts'
import { createAccount } from '../../../chain/transactions.ts'
import { type Hex, ZERO_ADDRESS } from '../../../chain/types.ts'
import type { Clock } from '../../../effects/clock.ts'
import { noHeads } from '../../../effects/heads.ts'
import type { Log, LogFields } from '../../../effects/log.ts'
import type { KnownSettings } from './channel-view.ts'
import { openEvmRails } from './index.ts'
import { channelRailPrefix } from './rail-ids.ts'
import { CLAIM_GAS_MAX, CLAIMS_PER_TRANSACTION_MAX } from './limits.ts'
import { type Candidate, CLAIM_GAS, planClaims } from './plan-claims.ts'
import { CHAIN_ID, createTestBook, createTestDisk, createTestLedger, openTestWorld, type TestWorld } from './testing.ts'
import { evidenceText } from './vouchers.ts'

const candidate = (salt: number, cumulative: bigint, state: Partial<Candidate['state']> = {}): Candidate => {
  const channelId = `0x${salt.toString(16).padStart(64, '0')}` as Hex
  const settings: KnownSettings = {
    vendorId: 1n,
    payer: ZERO_ADDRESS,
    signer: ZERO_ADDRESS,
    token: ZERO_ADDRESS,
    withdrawDelay: 3600,
    salt: channelId,
  }
  return {
    voucher: { channelId, settings, cumulative, signature: '0x' },
    state: { balance: 10n ** 30n, claimed: 0n, refunds: 0, withdrawTo: ZERO_ADDRESS, withdrawableAt: 0, ...state },
  }
}

const policy = { gasPriceWei: 10n, isAll: false, leastOf: () => 0n }
const COST = CLAIM_GAS * policy.gasPriceWei

describe('a plan of claims', () => {
  it('has what brings more than its gas, the ends that are near first, then the largest', () => {
    const { batches, skipped, uncovered } = planClaims(
      [
        candidate(1, COST + 1n),
        candidate(2, COST),
        candidate(3, COST + 9n, { withdrawableAt: 2000 }),
        candidate(4, COST + 2n, { withdrawableAt: 1000 }),
        candidate(5, COST + 5n),
        candidate(6, 50n, { claimed: 50n }),
        candidate(7, COST + 7n, { balance: COST }),
      ],
      policy,
    )
    const salts = (claims: readonly { readonly voucher: Candidate['voucher'] }[]) =>
      claims.map(({ voucher }) => Number(voucher.channelId))
    assert.deepEqual(batches.map(salts), [[4, 3, 5, 1]])
    assert.deepEqual([salts(skipped), salts(uncovered)], [[2], [7]])
  })

  it('has all that brings anything when that is asked, and nothing below the least that is asked for', () => {
    const one = [candidate(1, 1n)]
    assert.equal(planClaims(one, policy).batches.length, 0)
    assert.equal(planClaims(one, { ...policy, isAll: true }).batches.length, 1)
    const dear = [candidate(1, COST * 2n)]
    assert.equal(planClaims(dear, { ...policy, leastOf: () => COST * 2n + 1n }).batches.length, 0)
  })

  it('has each voucher once at most, in transactions that any block has room for', () => {
    const candidates = fc.array(
      fc.tuple(fc.bigInt({ min: 0n, max: 3n * COST }), fc.bigInt({ min: 0n, max: 3n * COST }), fc.nat({ max: 3 })),
      { maxLength: 350, size: 'max' },
    )
    fc.assert(
      fc.property(candidates, (given) => {
        const all = given.map(([cumulative, claimed, withdrawableAt], at) =>
          candidate(at, cumulative, { claimed, withdrawableAt }),
        )
        const { batches, skipped } = planClaims(all, policy)
        const planned = [...batches.flat(), ...skipped]
        assert.equal(new Set(planned.map(({ voucher }) => voucher.channelId)).size, planned.length)
        assert.equal(planned.length, given.filter(([cumulative, claimed]) => cumulative > claimed).length)
        assert.ok(batches.every(({ length }) => length > 0 && length <= CLAIMS_PER_TRANSACTION_MAX))
        assert.ok(batches.flat().every(({ gain }) => gain > COST))
      }),
    )
  })
})

describe('claims on a real EVM', () => {
  let world: TestWorld
  before(async () => {
    world = await openTestWorld()
  })
  after(() => world.close())

  let salts = 100
  /** A channel with money, and a voucher of it that the ledger has. */
  const signedChannel = async (book: ReturnType<typeof createTestBook>, cumulative: bigint, token = ZERO_ADDRESS) => {
    const settings = world.channel(salts++, token)
    await world.deposit(settings, 10n ** 15n)
    const signature = world.voucher(settings, cumulative)
    const channelId = world.channelId(settings)
    const railId = `${channelRailPrefix(CHAIN_ID, world.evm.payments, world.vendorId)}${token}`
    book.keep(railId, channelId, evidenceText(settings, { cumulative, signature }))
    return { settings, channelId, signature }
  }

  const open = async ({ book }: ReturnType<typeof createTestBook>, change: object = {}, least = 0n) => {
    const effects = { ...world.effects, sql: createTestDisk().mount(), ...change }
    const vendor = createAccount({ chain: world.evm, clock: world.clock }, CHAIN_ID, world.evm.key(1))
    const claims = { everySeconds: 3600, least: new Map([[ZERO_ADDRESS, least]]) }
    return openEvmRails(effects, { ...world.settings, claims }, vendor, book)
  }

  const claimedOf = async (channelId: Hex) =>
    (await createContractReader(world.evm).channels(world.evm.payments, [channelId]))[0]?.claimed

  it('cash vouchers of both currencies in one transaction, and nothing twice', async () => {
    const book = createTestBook()
    const one = await signedChannel(book, 10n ** 14n)
    const two = await signedChannel(book, 700n, world.dollar.address)
    const earlier = await world.balance(world.dollar.address, world.vendor.address)
    const { claims } = await open(book)
    const blocks = Number(await world.evm.request('eth_blockNumber', []))
    assert.equal(await claims.claimAll(), 2)
    assert.deepEqual([await claimedOf(one.channelId), await claimedOf(two.channelId)], [10n ** 14n, 700n])
    assert.equal(await world.balance(world.dollar.address, world.vendor.address), earlier + 700n)
    assert.equal(Number(await world.evm.request('eth_blockNumber', [])), blocks + 1)
    assert.equal(await claims.claimAll(), 0)
  })

  it('go on without a voucher that somebody else cashes at the same moment', async () => {
    const book = createTestBook()
    const kept = await signedChannel(book, 10n ** 14n)
    const taken = await signedChannel(book, 10n ** 14n)
    let isTaken = false
    const chain = {
      async request(method: string, params: readonly unknown[]) {
        if (method === 'eth_getBlockByNumber' && !isTaken) {
          isTaken = true
          const { settings, signature } = taken
          const call = paymentsCall(world.evm.payments, 'claim', [{ settings, cumulative: 10n ** 14n, signature }])
          await world.send(world.stranger, call)
        }
        return world.evm.request(method, params)
      },
    }
    const { claims } = await open(book, { chain })
    assert.equal(await claims.claimAll(), 1)
    assert.equal(await claimedOf(kept.channelId), 10n ** 14n)
  })

  it('of a full batch take no more gas than they may', async () => {
    const book = createTestBook()
    for (let at = 0; at < CLAIMS_PER_TRANSACTION_MAX; at++) await signedChannel(book, 10n ** 14n)
    const { claims } = await open(book)
    assert.equal(await claims.claimAll(), CLAIMS_PER_TRANSACTION_MAX)
    const block = (await world.evm.request('eth_getBlockByNumber', ['latest', false])) as { gasUsed: string }
    const each = BigInt(block.gasUsed) / BigInt(CLAIMS_PER_TRANSACTION_MAX)
    assert.ok(BigInt(block.gasUsed) < CLAIM_GAS_MAX)
    assert.ok(each < CLAIM_GAS * 2n && each > CLAIM_GAS / 2n, `each took ${each}`)
  })

  it('that nobody watches over cash what a payer is about to take back, before it can', async () => {
    const book = createTestBook()
    const leaving = await signedChannel(book, 10n ** 14n)
    const staying = await signedChannel(book, 10n ** 14n)
    await world.send(
      world.payer,
      paymentsCall(world.evm.payments, 'requestWithdrawal', leaving.settings, world.payer.address),
    )
    const stop = new AbortController()
    const warned: [string, LogFields | undefined][] = []
    const note = (event: string, fields?: LogFields) => void warned.push([event, fields])
    const log: Log = { debug: () => {}, info: () => {}, warn: note, error: note }
    // Waiting makes a block as long as nothing is due, and time stands still otherwise.
    const clock: Clock = {
      nowMs: () => world.clock.nowMs(),
      async sleep(ms, signal) {
        if (signal?.aborted) throw signal.reason
        if (ms === 15_000 && (await claimedOf(leaving.channelId)) === 10n ** 14n) return stop.abort()
        await world.evm.mine()
      },
    }
    // Of no voucher that brings less than a coin: there is no later, when it would be more.
    const rails = await open(book, { clock, log, heads: noHeads }, 10n ** 18n)
    assert.equal(await rails.claims.claimAll(), 0)
    const ledger = createTestLedger()
    await Promise.all([
      rails.claims.run(stop.signal),
      ...rails.rails.map((rail) => rail.run(ledger.deposits, stop.signal)),
    ])
    assert.deepEqual([await claimedOf(leaving.channelId), await claimedOf(staying.channelId)], [10n ** 14n, 0n])
    const [, fields] = warned.find(([event]) => event === 'rails.withdrawal-ends') ?? []
    assert.ok(Number(fields?.secondsLeft) > 3000 && fields?.vouchers === 1)
    assert.ok(!JSON.stringify(warned, (_, value: unknown) => String(value)).includes(leaving.channelId.slice(2)))
  })
})
