/** Vendors and buyers at work on anvil, whose newest blocks are replaced again and again. */
import { setTimeout as sleep } from 'node:timers/promises'
import { createContractReader, orderIdOf, paymentsCall, registryCall } from '../../chain/contracts.ts'
import type { Call } from '../../chain/rpc.ts'
import { type Address, type Block, type Hex, ZERO_ADDRESS } from '../../chain/types.ts'
import type { AnvilMarket } from '../anvil-market.ts'
import type { Run } from './run.ts'

const VENDORS_MAX = 40
const PLANS_MAX = 5
const KEYS = 40
/** Far above what a reorg here undoes; the directory is told the same. */
export const FINALITY_BLOCKS = 64
const REORG_DEPTH_MAX = 12
const REVERT_WRITES_MAX = 20
/** A directory that starts has so much to catch up on. */
const FIRST_WRITES = 200
const PAUSE_MS_MAX = 60

const WORDS = ['Amber', 'Birch', 'Cedar', 'Delta', 'Ember', 'Fjord', 'Grove', 'Heron', 'Inlet', 'Juniper'] as const
const SERVICES = ['proxy', 'api', 'relay', 'rendezvous'] as const

const hash = (n: number): Hex => `0x${n.toString(16).padStart(64, '0')}`

/** Who does what. */
interface Deed {
  readonly from: Address
  readonly call: Call
}

export interface Writer {
  /** Writes so much that there is something to catch up on. */
  begin(): Promise<void>
  /** Writes, and reorganises every few seconds, until that time. */
  work(untilMs: number): Promise<void>
  /** Makes a block like no other before. @returns it, the newest; nothing moves until `work` is called again */
  rest(): Promise<Block>
}

export const createWriter = (market: AnvilMarket, run: Run): Writer => {
  const { anvil, registry, payments, accounts } = market
  const random = run.random.fork('writer')
  const reader = createContractReader(market.chain)
  const [operator, ...others] = accounts as [Address, ...Address[]]
  /** Orders that may be there: cancelled or paid out now and then. */
  const bought: { readonly orderId: Hex; readonly buyer: Address }[] = []
  let rests = 0

  const profile = () =>
    JSON.stringify({
      title: `${random.pick(WORDS)} ${random.pick(WORDS)}`,
      description: `${random.pick(WORDS)} ${random.int(1, 1_000)}`,
      serviceTypes: [random.pick(SERVICES)],
      regions: [random.pick(['eu', 'us', 'sg'])],
    })

  const register = (): Deed => {
    const owner = random.pick(others)
    const keys = { signingKey: hash(random.int(1, 1_000_000)), encryptionKey: hash(random.int(1, 1_000_000)) }
    const input = { ...keys, operator, payout: owner, endpoints: ['https://vendor.example'], profile: profile() }
    return { from: owner, call: registryCall(registry, 'register', input) }
  }

  /** What the contracts refuse is a deed, too: its block is empty. */
  const choose = async (): Promise<Deed> => {
    const count = Number(await reader.vendorCount(registry))
    if (count < 3 || (count < VENDORS_MAX && random.chance(0.03))) return register()
    const vendorId = BigInt(random.int(1, count))
    const { vendor, plans } = await reader.listing(registry, vendorId)
    const planId = random.int(1, Math.max(1, plans.length))
    const plan = plans[planId - 1]
    if (!plan || (plans.length < PLANS_MAX && random.chance(0.08))) {
      const input = {
        ...{ token: ZERO_ADDRESS, price: BigInt(random.int(1, 1_000)), periodSeconds: random.int(10, 3_600) },
        ...{ maxPeriods: 100, settlement: random.pick(['Instant', 'Streamed'] as const), title: random.pick(WORDS) },
      }
      return { from: operator, call: registryCall(registry, 'addPlan', vendorId, input) }
    }
    const fate = random.unit()
    const change = (call: Call): Deed => ({ from: operator, call })
    if (fate < 0.25) return change(registryCall(registry, 'setProfile', vendorId, profile()))
    if (fate < 0.3) return change(registryCall(registry, 'setActive', vendorId, !vendor.active))
    if (fate < 0.35) return change(registryCall(registry, 'setPlanOnSale', vendorId, planId, !plan.onSale))
    if (fate < 0.4) {
      const endpoints = [`https://${random.pick(WORDS).toLowerCase()}.example`]
      return change(registryCall(registry, 'setEndpoints', vendorId, endpoints))
    }
    const order = bought[random.int(Math.max(0, bought.length - 50), Math.max(0, bought.length - 1))]
    if (order && fate < 0.5) {
      return { from: order.buyer, call: paymentsCall(payments, 'cancel', order.orderId, order.buyer) }
    }
    if (order && fate < 0.55) return change(paymentsCall(payments, 'withdraw', [order.orderId]))
    const [keyHash, buyer, periods] = [hash(random.int(1, KEYS)), random.pick(others), random.int(1, 3)]
    bought.push({ orderId: orderIdOf(vendorId, planId, keyHash), buyer })
    const call = paymentsCall(payments, 'buy', vendorId, planId, keyHash, periods, buyer)
    return { from: buyer, call: { ...call, valueWei: plan.price * BigInt(periods) } }
  }

  const send = async () => {
    const { from, call } = await choose()
    run.counts.transactions++
    return market.send(from, call)
  }

  /** A block with one transaction or with several. */
  const write = async (): Promise<void> => {
    if (random.chance(0.8)) return void (await market.mined(await send()))
    await anvil.request('evm_setAutomine', [false])
    for (let left = random.int(2, 5); left > 0; left--) await send()
    await anvil.request('evm_mine')
    await anvil.request('evm_setAutomine', [true])
  }

  const pause = () => sleep(random.int(0, PAUSE_MS_MAX))

  /** Other blocks at once, with other transactions or none. */
  const reorganise = async (): Promise<void> => {
    const depth = random.int(1, REORG_DEPTH_MAX)
    const transactions: [object, number][] = []
    for (let left = random.int(0, 3); left > 0; left--) {
      const { from, call } = await choose()
      transactions.push([market.transaction(from, call), random.int(0, depth - 1)])
    }
    run.counts.transactions += transactions.length
    await anvil.request('anvil_reorg', [depth, transactions])
  }

  /** A shorter chain, which grows in another way. */
  const revert = async (): Promise<void> => {
    const snapshot = await anvil.request('evm_snapshot')
    for (let left = random.int(1, REVERT_WRITES_MAX); left > 0; left--) {
      await write()
      await pause()
    }
    await anvil.request('evm_revert', [snapshot])
  }

  return {
    async begin() {
      for (let left = FIRST_WRITES; left > 0; left--) await write()
    },
    async work(untilMs) {
      while (performance.now() < untilMs) {
        for (let left = random.int(5, 30); left > 0 && performance.now() < untilMs; left--) {
          await write()
          await pause()
        }
        await (random.chance(0.5) ? reorganise() : revert())
        run.counts.reorgs++
      }
    },
    async rest() {
      // A chain that only became shorter, or has the same block again, would not contradict what was read.
      const call = { to: operator, data: hash(++rests) }
      await market.mined(await market.send(operator, call))
      const block = await market.rpc.block('latest')
      if (!block) throw new Error('anvil has no newest block')
      return block
    },
  }
}
