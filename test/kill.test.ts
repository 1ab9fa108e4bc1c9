/**
 * kill -9 of real processes at moments that a seed chooses: a vendor and a directory while buyers buy, and buyers while
 * they pay. Moments are counted in calls to the chain, so that they mean the same on a fast machine and a slow one.
 */
import assert from 'node:assert/strict'
import { cp } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, it, type TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { createContractReader } from '../chain/contracts.ts'
import { decodeLog } from '../chain/decode-log.ts'
import type { OrderPaid } from '../chain/events.ts'
import { createRpc } from '../chain/rpc.ts'
import { createNodeEffects } from '../effects/node.ts'
import type { Server } from '../protocol/credentials.ts'
import { createSimRandom, type SimRandom } from '../sim/random.ts'
import { startChild, tapChain, type Child } from './child.ts'
import { eventually } from './eventually.ts'
import {
  buyerAt,
  openBuyer,
  openMarket,
  openShop,
  PASSPHRASE,
  type Market,
  type OpenedBuyer,
  type Shop,
} from './market.ts'

const seed = process.env.CHROVE_SEED ?? String(Date.now() % 1_000_000)
const chance = createSimRandom(seed)
const sayHowToRepeat = (t: TestContext) =>
  t.diagnostic(`seed ${seed}; repeat with CHROVE_SEED=${seed} node --test test/kill.test.ts`)

/** Ten times what it takes on a busy machine. */
const LIMIT = { timeout: 300_000 }
/** A buyer asks again for this long, nominal milliseconds: longer than any restart takes. */
const PATIENT = { waitMs: 3_600_000 }

/** Every payment that the chain has, in its order. */
const paymentsOf = async ({ chain: { url, registry }, folder }: Market): Promise<OrderPaid[]> => {
  const { chain } = createNodeEffects({ service: 'test', home: folder, rpc: url, logLevel: 'silent' })
  const rpc = createRpc(chain)
  const payments = await createContractReader(chain).paymentsOf(registry)
  const head = (await rpc.block('latest'))?.number ?? 0
  const logs = await rpc.logsOfRange(0, head, [payments])
  return logs.map((log) => decodeLog(log, { registry, payments })).filter((event) => event.type === 'OrderPaid')
}

/** A program that is killed after so many of its calls to the chain. */
interface Doomed {
  readonly child: Child
  /** Resolves when it is dead. */
  readonly killed: Promise<unknown>
}

const startDoomed = async (
  market: Market,
  random: SimRandom,
  fatalCall: number,
  start: (rpc: string) => Child,
): Promise<Doomed> => {
  const fatalSide = random.pick(['question', 'answer'] as const)
  /** What a process does between two calls, such as writing files, is hit by waiting a little. */
  const delayMs = random.chance(0.5) ? random.int(0, 30) : 0
  const { promise: reached, resolve } = Promise.withResolvers<unknown>()
  const tap = await tapChain(market.chain.url, async (side, count) => {
    if (count !== fatalCall || side !== fatalSide) return
    const dying = sleep(delayMs).then(() => child.kill())
    resolve(dying)
    // With a delay the call goes on, and so does the process, until it is hit.
    if (delayMs === 0) await dying
  })
  const child = start(tap.url)
  const killed = Promise.race([reached, child.ended])
  void child.ended.then(() => tap.close())
  return { child, killed }
}

const vendorProcess = (shop: Shop, rpc: string): Child =>
  startChild('buyer/main.ts', ['vendor', 'serve', '--json', '--home', shop.home, '--rpc', rpc], {
    CHROVE_PASSPHRASE: PASSPHRASE,
  })

const directoryProcess = ({ chain, folder }: Market, rpc: string): Child =>
  startChild('indexer/main.ts', [
    ...['serve', '--json', '--home', join(folder, 'directory'), '--port', '0', '--poll-ms', '50'],
    ...['--rpc', rpc, '--registry', chain.registry],
  ])

describe('kill -9 of vendor and directory while buyers buy', () => {
  const KILLS = 4
  /** Starting takes some ten calls, and each look for new blocks a few. */
  const CALLS_MAX = 80

  let market: Market
  let shop: Shop
  before(async () => {
    market = await openMarket()
    shop = await openShop(market, { title: 'Phoenix' })
  })
  after(() => market.close())

  it('every paid order gets its credentials, the same ones again, and the directory has them all', LIMIT, async (t) => {
    sayHowToRepeat(t)
    const buyers = [await openBuyer(market, 'buyer-1'), await openBuyer(market, 'buyer-2')]
    const given = new Map<string, readonly Server[]>()
    const collecting: Promise<unknown>[] = []
    const buyAndCollect = async ({ buyer }: OpenedBuyer): Promise<void> => {
      const bought = await buyer.buy({ vendor: shop.uri, planId: 1, periods: 1 })
      await buyer.acknowledge(bought)
      const { orderId } = bought
      // This may take more than one life of the vendor.
      collecting.push(buyer.collect(orderId, PATIENT).then(({ servers }) => given.set(orderId, servers)))
    }
    const killAgainAndAgain = async (
      random: SimRandom,
      start: (rpc: string) => Child,
      meanwhile: () => Promise<unknown>,
    ): Promise<void> => {
      for (let kills = 0; kills < KILLS; kills++) {
        const { killed } = await startDoomed(market, random, random.int(1, CALLS_MAX), start)
        await Promise.all([killed, meanwhile()])
      }
    }
    await Promise.all([
      killAgainAndAgain(
        chance.fork('vendor'),
        (rpc) => vendorProcess(shop, rpc),
        () => Promise.all(buyers.map(buyAndCollect)),
      ),
      killAgainAndAgain(
        chance.fork('directory'),
        (rpc) => directoryProcess(market, rpc),
        () => Promise.resolve(),
      ),
    ])
    const givenBefore = given.size
    const vendor = vendorProcess(shop, market.chain.url)
    const directory = directoryProcess(market, market.chain.url)
    market.beforeClose(() => vendor.kill())
    market.beforeClose(() => directory.kill())
    await Promise.all([vendor.answer, ...collecting])

    const paid = (await paymentsOf(market)).map(({ orderId }) => orderId as string).sort()
    assert.deepEqual([...given.keys()].sort(), paid)
    for (const { buyer } of buyers) {
      for (const { orderId } of await buyer.orders()) {
        const { servers } = await buyer.collect(orderId, { ...PATIENT, refresh: true })
        assert.deepEqual(servers, given.get(orderId))
      }
    }
    assert.deepEqual(await ordersInDirectory(String((await directory.answer).url), paid.length), paid)
    t.diagnostic(`${paid.length} orders, ${givenBefore} of them collected before the last of ${2 * KILLS} kills`)
  })

  /** Ids of all orders once the directory has so many, sorted. */
  const ordersInDirectory = (url: string, count: number): Promise<string[]> =>
    eventually(`the directory has ${count} orders and proves it`, async () => {
      const query = `{
        _meta { completeness { complete } }
        orders(first: 100) { totalCount nodes { orderId } }
      }`
      const headers = { 'content-type': 'application/json' }
      const response = await fetch(url, { method: 'POST', headers, body: JSON.stringify({ query }) })
      const { data } = (await response.json()) as {
        data?: {
          _meta: { completeness: { complete: boolean } }
          orders: { totalCount: number; nodes: { orderId: string }[] }
        }
      }
      if (!data?._meta.completeness.complete || data.orders.totalCount < count) return undefined
      return data.orders.nodes.map(({ orderId }) => orderId).sort()
    })
})

describe('kill -9 of a buyer', () => {
  /** As many as the calls that a purchase makes; each trial dies at another one. */
  const TRIALS = 10
  /** Trials under way at once. */
  const LANES = 2

  let market: Market
  let shop: Shop
  before(async () => {
    market = await openMarket()
    shop = await openShop(market, { title: 'Patient' })
    await shop.serve()
  })
  after(() => market.close())

  const chrove = (home: string, rpc: string, ...args: readonly string[]): Child =>
    startChild('buyer/main.ts', [...args, '--json', '--home', home, '--rpc', rpc], { CHROVE_PASSPHRASE: PASSPHRASE })

  /** @returns whether the chain had the payment when the process died */
  const trial = async (random: SimRandom, fatalCall: number, home: string, payer: string): Promise<boolean> => {
    const payments = async () => (await paymentsOf(market)).filter(({ controller }) => controller === payer)
    const earlier = (await payments()).length
    const buying = await startDoomed(market, random, fatalCall, (rpc) =>
      chrove(home, rpc, 'buy', shop.uri, '1', '--yes'),
    )
    await buying.killed
    const { said } = await buying.child.kill()
    const hadPaid = (await payments()).length > earlier
    if (random.chance(0.25)) {
      const looking = await startDoomed(market, random, random.int(1, 6), (rpc) => chrove(home, rpc, 'orders'))
      await looking.killed
    }

    const buyer = buyerAt(market, home)
    // What a person does whose computer went out: the same again, unless the answer was seen.
    if (said === '') await buyer.buy({ vendor: shop.uri, planId: 1, periods: 1 })
    const [paid, ...more] = (await payments()).slice(earlier)
    assert.ok(paid, 'paid')
    assert.deepEqual(more, [], 'and not twice')
    const orders = await buyer.orders()
    assert.deepEqual(
      orders.map(({ orderId, standing }) => [orderId, standing]),
      [[paid.orderId, 'running']],
    )
    const { servers } = await buyer.collect(paid.orderId)
    assert.equal(servers.length, 1, 'the key of the order is there and opens the credentials')
    return hadPaid
  }

  it('never makes it pay twice, nor loses the key of what is paid', LIMIT, async (t) => {
    sayHowToRepeat(t)
    let paidWhenKilled = 0
    const lane = async (index: number): Promise<void> => {
      const pristine = await openBuyer(market, `lane-${index}`)
      const [payer = ''] = await pristine.buyer.accounts()
      for (let number = index; number < TRIALS; number += LANES) {
        const home = join(market.folder, `trial-${number}`)
        await cp(pristine.home, home, { recursive: true })
        if (await trial(chance.fork(`trial ${number}`), number + 1, home, payer)) paidWhenKilled++
      }
    }
    await Promise.all(Array.from({ length: LANES }, (_, index) => lane(index)))
    t.diagnostic(`${TRIALS} kills, ${paidWhenKilled} of them after the payment was on chain`)
  })

  it(
    'that loses its terminal tells the next command of what it bought, and pays again only after that',
    LIMIT,
    async () => {
      const { home, buyer } = await openBuyer(market, 'hung-up')
      const buy = ['buy', shop.uri, '1', '--yes']
      const unheard = chrove(home, market.chain.url, ...buy)
      unheard.hangUp()
      assert.equal((await unheard.ended).said, '')
      const [first, ...none] = await buyer.orders()
      assert.ok(first)
      assert.deepEqual(none, [])

      const looked = await chrove(home, market.chain.url, ...buy, '--dry-run').answer
      assert.deepEqual([looked.resumed, (looked.order as { orderId: string }).orderId], [true, first.orderId])
      const told = await startChild('buyer/main.ts', [...buy, '--home', home], { CHROVE_PASSPHRASE: PASSPHRASE }).ended
      assert.match(told.said, /^Nothing is paid now: /)
      assert.match(told.said, new RegExp(`^Order ${first.orderId}$`, 'm'))
      assert.equal((await buyer.orders()).length, 1)

      const { resumed, order } = await chrove(home, market.chain.url, ...buy).answer
      assert.equal(resumed, false)
      assert.deepEqual(
        (await buyer.orders()).map(({ orderId }) => orderId),
        [first.orderId, (order as { orderId: string }).orderId],
      )
    },
  )
})
