/** Money that goes back: once, to the unit, wherever the process dies and whatever the chain does. */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { createContractReader, paymentsCall } from '../../../chain/contracts.ts'
import { createAccount } from '../../../chain/transactions.ts'
import { parseAddress, ZERO_ADDRESS, type Address, type Hex } from '../../../chain/types.ts'
import { type Chain, ChainError } from '../../../effects/chain.ts'
import { toHex } from '../../../protocol/bytes.ts'
import { formatKeyId } from '../../../protocol/keys.ts'
import { parseCompactJws, signCompactJws } from '../../../protocol/compact-jws.ts'
import { canonicalJson } from '../../../protocol/json.ts'
import { signMessage } from '../../../protocol/typed-data.ts'
import { channelVoucherSigner } from '../../../protocol/voucher-keys.ts'
import { createLife, type Life } from '../../../sim/life.ts'
import type { Rail, Refund } from '../../rail.ts'
import { openEvmRails } from './index.ts'
import { REFUND_PAUSE_MS } from './limits.ts'
import { evidenceText } from './vouchers.ts'
import {
  catchUp,
  CHAIN_ID,
  createTestBook,
  createTestDisk,
  createTestLedger,
  mortalChain,
  openTestWorld,
  refundId,
  type TestWorld,
} from './testing.ts'

const never = new AbortController().signal

let world: TestWorld
before(async () => {
  world = await openTestWorld()
})
after(() => world.close())

type Disk = ReturnType<typeof createTestDisk>

const open = async (disk: Disk, life: Life = createLife(), chain: Chain = world.evm, book = createTestBook().book) => {
  const mortal = mortalChain(chain, life)
  const effects = { ...world.effects, chain: mortal, sql: disk.mount(life) }
  const vendor = createAccount(effects, CHAIN_ID, world.evm.key(1))
  return openEvmRails(effects, world.settings, vendor, book)
}

const railOf = (rails: readonly Rail[], scheme: Rail['scheme'], code: string): Rail =>
  rails.find((rail) => rail.scheme === scheme && rail.currency.code === code) as Rail

let receivers = 0
/** An account that nobody has paid yet. */
const receiver = (): Address =>
  parseAddress(
    toHex(
      new Uint8Array(20)
        .fill(0xee)
        .with(0, 1)
        .with(1, receivers >> 8)
        .with(2, receivers++ & 255),
    ),
  ) as Address

const KEY_ID = formatKeyId(new Uint8Array(32).fill(5))

/** A refund of each rail, and where its money arrives. */
const cases: readonly {
  readonly name: string
  readonly scheme: Rail['scheme']
  readonly code: string
  readonly make: (seed: number) => Promise<{ readonly refund: Refund }>
}[] = [
  ...['ETH', 'CTD'].map((code) => ({
    name: `of credit in ${code}`,
    scheme: 'order' as const,
    code,
    make: (seed: number) =>
      Promise.resolve({
        refund: { id: refundId(seed), account: KEY_ID, amount: 1234n, to: receiver(), authorization: '' },
      }),
  })),
  ...['ETH', 'CTD'].map((code) => ({
    name: `of a channel in ${code}`,
    scheme: 'channel' as const,
    code,
    async make(seed: number) {
      const settings = world.channel(1000 + seed, code === 'ETH' ? ZERO_ADDRESS : world.dollar.address)
      await world.deposit(settings, 5000n)
      const channelId = world.channelId(settings)
      const to = receiver()
      const request = { channelId, to, refunds: 0 }
      const authorization = JSON.stringify({
        settings: { ...settings, vendorId: settings.vendorId.toString() },
        refundSignature: signMessage(world.domain, 'RefundRequest', request, world.signerKey),
      })
      return {
        refund: { id: refundId(seed), account: channelId, amount: 1234n, to, authorization },
      }
    },
  })),
]

for (const { name, scheme, code, make } of cases) {
  const seed = cases.findIndex((one) => one.name === name) * 100
  const token = () => (code === 'ETH' ? ZERO_ADDRESS : world.dollar.address)

  describe(`a refund ${name}`, () => {
    it('arrives, to the unit, and once however often it is asked for', async () => {
      const { refund } = await make(seed)
      const disk = createTestDisk()
      const { rails } = await open(disk)
      const rail = railOf(rails, scheme, code)
      const [one, two] = await Promise.all([rail.refund(refund, never), rail.refund(refund, never)])
      assert.deepEqual(one, two)
      assert.deepEqual(await rail.refund(refund, never), one)
      assert.equal(await world.balance(token(), refund.to as Address), 1234n)
    })

    it('arrives once, after whichever of its steps the process dies', async () => {
      for (let calls = 1; ; calls++) {
        const { refund } = await make(seed + calls)
        const disk = createTestDisk()
        const life = createLife()
        const dead = new Promise<'dead'>((resolve) => void life.onEnd(() => resolve('dead')))
        disk.crashAfterCalls(calls)
        const first = open(disk, life).then(({ rails }) => railOf(rails, scheme, code).refund(refund, never))
        const outcome = await Promise.race([first, dead])
        disk.crashAfterCalls(Infinity)
        life.end()
        const { rails } = await open(disk)
        await railOf(rails, scheme, code).refund(refund, never)
        assert.equal(await world.balance(token(), refund.to as Address), 1234n, `killed after ${calls} calls`)
        if (outcome !== 'dead') return assert.ok(calls > 10, 'it was killed at many places before')
      }
    })

    it('arrives once when the node took it and the process died before it heard', async () => {
      const { refund } = await make(seed + 90)
      const disk = createTestDisk()
      const life = createLife()
      const dead = new Promise<void>((resolve) => void life.onEnd(resolve))
      const chain: Chain = {
        async request(method, params) {
          const answer = await world.evm.request(method, params)
          if (method === 'eth_sendRawTransaction') life.end()
          return answer
        },
      }
      void open(disk, life, chain).then(({ rails }) => railOf(rails, scheme, code).refund(refund, never))
      await dead
      await railOf((await open(disk)).rails, scheme, code).refund(refund, never)
      assert.equal(await world.balance(token(), refund.to as Address), 1234n)
    })

    it('arrives once when another program took its nonce while the process was dead', async () => {
      const { refund } = await make(seed + 91)
      const disk = createTestDisk()
      const life = createLife()
      const dead = new Promise<void>((resolve) => void life.onEnd(resolve))
      const chain: Chain = {
        request: (method, params) => {
          // It is signed and stored, and no node has it.
          if (method === 'eth_sendRawTransaction') life.end()
          return life.isAlive() ? world.evm.request(method, params) : new Promise(() => {})
        },
      }
      void open(disk, life, chain).then(({ rails }) => railOf(rails, scheme, code).refund(refund, never))
      await dead
      await world.send(world.vendor, { to: world.stranger.address, data: '0x', valueWei: 1n })
      await railOf((await open(disk)).rails, scheme, code).refund(refund, never)
      assert.equal(await world.balance(token(), refund.to as Address), 1234n)
    })

    it('waits while the chain is away, and says so', async () => {
      const { refund } = await make(seed + 92)
      const disk = createTestDisk()
      let isAway = false
      const chain: Chain = {
        request: (method, params) =>
          isAway ? Promise.reject(new ChainError('ERR_CHAIN_UNREACHABLE', 'test')) : world.evm.request(method, params),
      }
      const { rails } = await open(disk, createLife(), chain)
      const rail = railOf(rails, scheme, code)
      isAway = true
      await assert.rejects(rail.refund(refund, never), { retryable: true })
      isAway = false
      await rail.refund(refund, never)
      assert.equal(await world.balance(token(), refund.to as Address), 1234n)
    })
  })
}

describe('a refund that was signed before a crash, and sent to nobody', () => {
  it('goes out before any other takes its nonce', async () => {
    const [to, other] = [receiver(), receiver()]
    const refund = { id: refundId(810), account: KEY_ID, amount: 55n, to, authorization: '' }
    const disk = createTestDisk()
    const life = createLife()
    const dead = new Promise<void>((resolve) => void life.onEnd(resolve))
    const silent: Chain = {
      request(method, params) {
        if (method === 'eth_sendRawTransaction') life.end()
        return life.isAlive() ? world.evm.request(method, params) : new Promise(() => {})
      },
    }
    void open(disk, life, silent).then(({ rails }) => railOf(rails, 'order', 'ETH').refund(refund, never))
    await dead
    const rail = railOf((await open(disk)).rails, 'order', 'ETH')
    await rail.refund({ ...refund, id: refundId(811), to: other }, never)
    assert.deepEqual([await world.balance(ZERO_ADDRESS, to), await world.balance(ZERO_ADDRESS, other)], [55n, 55n])
  })
})

describe('a refund whose nonce another transaction took', () => {
  it('is not signed anew before that is final: a reorg could still bring it about', async () => {
    const to = receiver()
    const refund = { id: refundId(800), account: KEY_ID, amount: 55n, to, authorization: '' }
    const disk = createTestDisk()
    const life = createLife()
    const dead = new Promise<void>((resolve) => void life.onEnd(resolve))
    const silent: Chain = {
      request(method, params) {
        if (method === 'eth_sendRawTransaction') life.end()
        return life.isAlive() ? world.evm.request(method, params) : new Promise(() => {})
      },
    }
    void open(disk, life, silent).then(({ rails }) => railOf(rails, 'order', 'ETH').refund(refund, never))
    await dead
    const nonce = await world.evm.request('eth_getTransactionCount', [world.vendor.address, 'latest'])
    await world.send(world.vendor, { to: world.stranger.address, data: '0x', valueWei: 1n })
    let isFinal = false
    let signed = 0
    const chain: Chain = {
      async request(method, params) {
        if (method === 'eth_sendRawTransaction') signed++
        const asksFinal = method === 'eth_getTransactionCount' && params[1] === 'finalized'
        return asksFinal && !isFinal ? nonce : world.evm.request(method, params)
      },
    }
    // Nobody waits five minutes here.
    const effects = { ...world.effects, chain, sql: disk.mount() }
    const vendor = createAccount(effects, CHAIN_ID, world.evm.key(1))
    const { rails } = await openEvmRails(effects, world.settings, vendor, createTestBook().book)
    const rail = railOf(rails, 'order', 'ETH')
    await assert.rejects(rail.refund(refund, never), { retryable: true })
    assert.equal(await world.balance(ZERO_ADDRESS, to), 0n)
    isFinal = true
    await rail.refund(refund, never)
    assert.equal(await world.balance(ZERO_ADDRESS, to), 55n)
    assert.ok(signed > 1)
  })
})

describe('a refund that cannot be', () => {
  it('gives the amount back to the account: of more than a channel holds', async () => {
    const settings = world.channel(1)
    await world.deposit(settings, 100n)
    const disk = createTestDisk()
    await catchUp(world, disk.mount(), createTestLedger().deposits)
    const rail = railOf((await open(disk)).rails, 'channel', 'ETH')
    const refund = {
      id: refundId(900),
      account: world.channelId(settings),
      amount: 101n,
      to: world.payer.address,
      authorization: '',
    }
    await assert.rejects(rail.refund(refund, never), { code: 'ERR_REFUND_AMOUNT', retryable: false })
  })

  it('gives the amount back: with it what is signed could not be cashed any more', async () => {
    const settings = world.channel(2)
    const account = world.channelId(settings)
    await world.deposit(settings, 100n)
    const disk = createTestDisk()
    await catchUp(world, disk.mount(), createTestLedger().deposits)
    const { book, keep } = createTestBook()
    const rail = railOf((await open(disk, createLife(), world.evm, book)).rails, 'channel', 'ETH')
    const evidence = (cumulative: bigint) =>
      evidenceText(settings, { cumulative, signature: world.voucher(settings, cumulative) })
    const refund = { id: refundId(901), account, amount: 30n, to: world.payer.address, authorization: '' }
    keep(rail.id, account, evidence(71n))
    await assert.rejects(rail.refund(refund, never), { code: 'ERR_REFUND_AMOUNT', retryable: false })
    keep(rail.id, account, evidence(70n))
    await rail.refund(refund, never)
    const [state] = await createContractReader(world.evm).channels(world.evm.payments, [account as Hex])
    assert.equal(state?.balance, 70n)
  })

  it('gives the amount back when a voucher comes in at the same moment; once the money leaves, none is taken', async () => {
    const settings = world.channel(4)
    const account = world.channelId(settings)
    await world.deposit(settings, 100n)
    const disk = createTestDisk()
    await catchUp(world, disk.mount(), createTestLedger().deposits)
    const { book, keep } = createTestBook()
    const claims = (cumulative: bigint) => ({
      ...{ host: 'api.example', exp: 2_000_000_000 },
      ...{ cumulative: cumulative.toString(), signature: world.voucher(settings, cumulative) },
    })
    const { header, sign } = channelVoucherSigner(world.signerKey)
    const found = async (cumulative: bigint) => {
      const jws = await signCompactJws(header, canonicalJson(claims(cumulative)), sign)
      const { evidence = '' } = await rail.verify({ account, claims: claims(cumulative), jws: parseCompactJws(jws) })
      return evidence
    }
    let onPause = () => Promise.resolve()
    const clock = {
      ...world.clock,
      sleep: async (ms: number) => (ms === REFUND_PAUSE_MS ? onPause() : world.clock.sleep(ms)),
    }
    const effects = { ...world.effects, clock, sql: disk.mount() }
    const { rails } = await openEvmRails(effects, world.settings, world.vendor, book)
    const rail = railOf(rails, 'channel', 'ETH')
    const refundOf = (seed: number) => ({
      ...{ id: refundId(seed), account, amount: 30n, to: world.payer.address, authorization: '' },
    })
    // It was found good before the refund began, and reaches the ledger after.
    const late = await found(71n)
    onPause = () => Promise.resolve(keep(rail.id, account, late))
    await assert.rejects(rail.refund(refundOf(906), never), { code: 'ERR_REFUND_AMOUNT', retryable: false })

    keep(rail.id, account, evidenceText(settings, { cumulative: 70n, signature: world.voucher(settings, 70n) }))
    onPause = () => assert.rejects(found(71n), { code: 'ERR_BALANCE_SHORT' })
    await rail.refund(refundOf(907), never)
    const [state] = await createContractReader(world.evm).channels(world.evm.payments, [account as Hex])
    assert.equal(state?.balance, 70n)
  })

  it('gives the amount back: an account that takes no coins', async () => {
    const rail = railOf((await open(createTestDisk())).rails, 'order', 'ETH')
    const refund = { id: refundId(902), account: KEY_ID, amount: 1n, to: world.evm.payments, authorization: '' }
    await assert.rejects(rail.refund(refund, never), { code: 'ERR_REFUND_ADDRESS', retryable: false })
  })

  it('waits where the vendor has not enough', async () => {
    const rail = railOf((await open(createTestDisk())).rails, 'order', 'CTD')
    const refund = {
      id: refundId(903),
      account: KEY_ID,
      amount: 10n ** 18n,
      to: world.payer.address,
      authorization: '',
    }
    await assert.rejects(rail.refund(refund, never), { code: 'ERR_UPSTREAM', retryable: true })
  })
})

describe('a refund in a block that a reorg drops', () => {
  it('is brought in again, and told when it is deep enough', async () => {
    const to = receiver()
    const stateBefore = await world.evm.request('evm_snapshot', [])
    let reorgs = 0
    const chain: Chain = {
      async request(method, params) {
        const answer = await world.evm.request(method, params)
        if (method === 'eth_getTransactionReceipt' && answer !== null && reorgs++ === 0) {
          await world.evm.request('evm_revert', [stateBefore])
          await world.evm.mine()
        }
        return answer
      },
    }
    const effects = { ...world.effects, chain, sql: createTestDisk().mount() }
    const vendor = createAccount(effects, CHAIN_ID, world.evm.key(1))
    const settings = { ...world.settings, confirmations: 2 }
    const { rails } = await openEvmRails(effects, settings, vendor, createTestBook().book)
    const refund = { id: refundId(905), account: KEY_ID, amount: 77n, to, authorization: '' }
    const { reference } = await railOf(rails, 'order', 'ETH').refund(refund, never)
    assert.equal(await world.balance(ZERO_ADDRESS, to), 77n)
    const receipt = await world.evm.request('eth_getTransactionReceipt', [reference])
    const { blockNumber } = receipt as { blockNumber: string }
    assert.ok(Number(await world.evm.request('eth_blockNumber', [])) >= Number(blockNumber) + 2)
    assert.ok(reorgs > 1)
  })
})

describe('a refund that the ledger asked for', () => {
  it('is not taken from the account a second time when the chain tells of it; one that it did not ask for is', async () => {
    const settings = world.channel(3)
    const account = world.channelId(settings)
    await world.deposit(settings, 100n)
    const disk = createTestDisk()
    const ledger = createTestLedger()
    await catchUp(world, disk.mount(), ledger.deposits)
    const life = createLife()
    const rail = railOf((await open(disk, life)).rails, 'channel', 'ETH')
    await rail.refund({ id: refundId(904), account, amount: 30n, to: world.payer.address, authorization: '' }, never)
    life.end()
    await catchUp(world, disk.mount(), ledger.deposits)
    assert.equal(ledger.balance(account), 100n)
    await world.send(world.vendor, paymentsCall(world.evm.payments, 'refund', settings, world.payer.address, 5n, '0x'))
    await catchUp(world, disk.mount(), ledger.deposits)
    assert.equal(ledger.balance(account), 95n)
  })
})
