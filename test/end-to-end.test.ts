/**
 * A vendor, a directory and a buyer on a chain, from the first search to the end of an order: the commands that people
 * type, and `curl` to browse with what they bought.
 */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { z } from 'zod'
import { serverSchema, type Socks5Server } from '../protocol/credentials.ts'
import { createChrove } from '../scripts/chrove.ts'
import { freePort } from '../scripts/ports.ts'
import { startDirectory } from '../scripts/start/directory.ts'
import { startPage, type Page } from '../scripts/start/page.ts'
import { curlMissing, curlThrough } from './curl.ts'
import { eventually } from './eventually.ts'
import { openBuyer, openMarket, openShop, PASSPHRASE, type Market, type OpenedBuyer, type Shop } from './market.ts'

const hex = (bytes: number) => z.string().regex(new RegExp(`^0x[0-9a-f]{${2 * bytes}}$`))
const amount = z.string().regex(/^\d+$/)
const seconds = z.int().positive()

/** What a directory has seen of a vendor. */
const observed = z.strictObject({
  createdBlock: z.int(),
  orderCount: z.int(),
  volumes: z.array(
    z.strictObject({ token: hex(20).optional(), orders: z.int(), paid: amount, refunded: amount, volume: amount }),
  ),
  uptime: z.number().optional(),
  probes: z.array(
    z.strictObject({
      endpoint: z.string(),
      reachable: z.boolean(),
      verified: z.boolean(),
      code: z.string().optional(),
      latencyMs: z.int().optional(),
      triedAtSeconds: seconds,
      seenAtSeconds: seconds.optional(),
    }),
  ),
})

/** How far a directory is. */
const directoryState = z.strictObject({
  chainId: amount,
  registry: hex(20),
  payments: hex(20),
  block: z.strictObject({ number: z.int(), hash: hex(32), timestampSeconds: seconds }),
  complete: z.boolean(),
  gapCount: z.int(),
  firstGap: z.strictObject({ kind: z.string(), subject: z.string() }).optional(),
  undecodableLogs: z.int(),
  ageSeconds: z.int(),
  behindSeconds: z.int().optional(),
})

/** The JSON of each command: no member more, none less. */
const shapes = {
  search: z.strictObject({
    ok: z.literal(true),
    source: z.enum(['directory', 'contract']),
    found: z.array(
      z.strictObject({
        vendor: z.string(),
        title: z.string(),
        description: z.string(),
        serviceTypes: z.array(z.string()),
        regions: z.array(z.string()),
        plans: z.array(
          z.strictObject({
            planId: z.int(),
            title: z.string(),
            token: hex(20).optional(),
            price: amount,
            pricePerDay: amount,
            periodSeconds: seconds,
            maxPeriods: z.int(),
            settlement: z.enum(['Streamed', 'Instant']),
          }),
        ),
        planTotal: z.int(),
        observed: observed.optional(),
      }),
    ),
    tokens: z.array(z.strictObject({ address: hex(20), symbol: z.string().optional(), decimals: z.int().optional() })),
    total: z.int(),
    complete: z.boolean(),
    ignored: z.array(z.string()),
    next: z.string().optional(),
    directory: directoryState.optional(),
    warnings: z.array(z.strictObject({ code: z.string(), message: z.string() })).optional(),
    because: z.string().optional(),
    directoryFault: z.string().optional(),
  }),
  buy: z.strictObject({
    ok: z.literal(true),
    dryRun: z.boolean(),
    offer: z.strictObject({
      vendor: z.string(),
      planId: z.int(),
      title: z.string(),
      periods: z.int(),
      periodSeconds: seconds,
      settlement: z.enum(['Streamed', 'Instant']),
      priceWei: amount,
      maxFeeWei: amount,
      maxCostWei: amount,
      account: hex(20),
      balanceWei: amount,
    }),
    order: z
      .strictObject({ orderId: hex(32), endsAtSeconds: seconds, transactionHash: hex(32), feeWei: amount })
      .optional(),
    resumed: z.literal(false),
  }),
  credentials: z.strictObject({
    ok: z.literal(true),
    orderId: hex(32),
    servers: z.array(serverSchema),
    expiresSeconds: seconds,
    collectedAtSeconds: seconds,
  }),
  orders: z.strictObject({
    ok: z.literal(true),
    orders: z.array(
      z.strictObject({
        orderId: hex(32),
        vendor: z.string(),
        planId: z.int(),
        standing: z.enum(['running', 'ended', 'cancelled', 'pending', 'elsewhere']),
        startedAtSeconds: seconds,
        endsAtSeconds: seconds,
        periods: z.int(),
        earned: amount,
        refundable: amount,
        sendableUntilSeconds: z.literal(0),
        hasCredentials: z.boolean(),
        acknowledged: z.boolean(),
      }),
    ),
    resumed: z.array(z.strictObject({ orderId: hex(32), outcome: z.enum(['paid', 'failed']) })),
  }),
  cancel: z.strictObject({
    ok: z.literal(true),
    orderId: hex(32),
    refundTo: hex(20),
    refunded: amount,
    feeWei: amount,
    transactionHash: hex(32),
  }),
  proxy: z.strictObject({
    ok: z.literal(true),
    orderId: hex(32),
    listening: z.strictObject({ host: z.string(), port: z.int() }),
    server: z.string(),
    expiresSeconds: seconds,
  }),
} as const

const HOUR_PLAN = '1'
const SECOND_PLAN = '2'
/** Time enough to collect and browse on a slow machine; the rest of the file runs meanwhile. */
const SHORT_ORDER_SECONDS = 10

/** Unix seconds of the newest block. */
const chainSecondsOf = async ({ chain }: Market): Promise<number> => {
  const block = (await chain.request('eth_getBlockByNumber', ['latest', false])) as { timestamp: string }
  return Number(block.timestamp)
}

describe('a purchase from search to end', { skip: curlMissing }, () => {
  let market: Market
  let shop: Shop
  let buyer: OpenedBuyer
  let page: Page
  let directory: string
  /** An order that nobody cancels and time ends. */
  let short: { readonly orderId: string; readonly login: Socks5Server['config'] }
  let orderId: string

  before(async () => {
    market = await openMarket()
    shop = await openShop(market, {
      title: 'Paper Boat',
      plans: [
        ['--title', 'One hour', '--price', '0.001', '--period', '1h'],
        ['--title', 'One second', '--price', '0.000001', '--period', '1', '--max-periods', '1000'],
      ],
    })
    await shop.serve()
    const indexed = await startDirectory(market.chain, market.folder, 0)
    market.beforeClose(() => indexed.close())
    directory = indexed.url
    page = await startPage()
    market.beforeClose(() => page.close())
    buyer = await openBuyer(market, 'buyer')
    const bought = await run('buy', shop.uri, SECOND_PLAN, '--periods', String(SHORT_ORDER_SECONDS), '--yes')
    short = { orderId: bought.order?.orderId ?? '', login: loginOf(await credentialsOf(bought.order?.orderId)) }
    await browses(short.login)
  })
  after(() => market.close())

  const run = async <Command extends keyof typeof shapes>(
    command: Command,
    ...args: readonly string[]
  ): Promise<z.infer<(typeof shapes)[Command]>> =>
    shapes[command].parse(await buyer.chrove.run(command, ...args)) as z.infer<(typeof shapes)[Command]>

  type Credentials = z.infer<typeof shapes.credentials>

  /** What the vendor gives once it has seen what the chain has. */
  const credentialsOf = (
    order = '',
    isSeen: (credentials: Credentials) => boolean = () => true,
  ): Promise<Credentials> =>
    eventually('the vendor gives the credentials of what was paid', async () => {
      try {
        const credentials = await run('credentials', order, '--refresh', '--wait', '1')
        return isSeen(credentials) ? credentials : undefined
      } catch (error) {
        if (/ERR_NOT_YET_CONFIRMED/.test((error as Error).message)) return undefined
        throw error
      }
    })

  const loginOf = ({ servers }: Credentials): Socks5Server['config'] => {
    const [server] = servers
    assert.equal(server?.type, 'socks5')
    return (server as Socks5Server).config
  }

  const isRefused = (login: Socks5Server['config']): Promise<true> =>
    eventually('the proxy refuses the login', async () =>
      (await curlThrough(login, page.url)) === 'refused' ? true : undefined,
    )

  const browses = async (login: Parameters<typeof curlThrough>[0]): Promise<void> => {
    const fetched = await curlThrough(login, page.url)
    assert.ok(fetched !== 'refused' && fetched.page.length === page.bytes, 'the page came whole')
  }

  it('the directory finds the vendor by what it says of itself, and tells how far it is', async () => {
    const {
      source,
      found,
      complete,
      directory: state,
    } = await eventually('the directory sees the order', async () => {
      const result = await run('search', 'paper', '--directory', directory)
      return result.found[0]?.observed?.orderCount === 1 ? result : undefined
    })
    assert.deepEqual([source, complete, state?.registry], ['directory', true, market.chain.registry])
    assert.deepEqual(
      found.map(({ vendor }) => vendor),
      [shop.uri],
    )
  })

  it('the directory has asked the vendor, and finds it by that', async () => {
    const search = () => run('search', '--verified', '--order', 'uptime', '--directory', directory)
    const { found } = await eventually('the vendor is verified', async () => {
      const result = await search()
      return result.total > 0 ? result : undefined
    })
    assert.equal(found[0]?.observed?.probes[0]?.verified, true)
  })

  it('the contract alone gives the same answer where no directory can be reached', async () => {
    const nobody = `http://127.0.0.1:${await freePort()}/graphql`
    for (const wish of [['paper'], ['hour', '--order', 'price'], ['--max-price', '0.03', '--token', 'coin']]) {
      const alone = await run('search', ...wish, '--directory', nobody)
      assert.deepEqual([alone.source, alone.because], ['contract', 'ERR_DIRECTORY_UNREACHABLE'])
      assert.ok(alone.directoryFault)
      const { found } = await run('search', ...wish, '--directory', directory)
      assert.equal(found.length, 1)
      assert.deepEqual(
        alone.found,
        found.map(({ observed: _observed, ...vendor }) => vendor),
      )
    }
  })

  it('a directory that answers the documents of buyers and no others is enough for them', async () => {
    const operator = createChrove({ home: join(market.folder, 'listed'), passphrase: PASSPHRASE })
    const serving = await operator.serve(
      ...['directory', 'serve', '--port', '0', '--poll-ms', '50', '--documents', 'protocol/directory/documents'],
      ...['--rpc', market.chain.url, '--registry', market.chain.registry],
    )
    try {
      const url = String(serving.answer.url)
      await eventually('the directory has read the chain', async () =>
        (await run('search', 'paper', '--directory', url)).found[0]?.observed ? true : undefined,
      )
      const view = await buyer.chrove.run('show', shop.uri, '--directory', url)
      assert.deepEqual([view.source, view.warnings], ['directory', []])
    } finally {
      await serving.stop()
    }
  })

  it("the vendor's server agrees with the chain", async () => {
    const { endpoints } = (await buyer.chrove.run('show', shop.uri)) as { endpoints: { outcome: string }[] }
    assert.deepEqual(
      endpoints.map(({ outcome }) => outcome),
      ['acceptable'],
    )
  })

  it('a dry run tells what a purchase costs, and spends nothing', async () => {
    const balanceWei = await buyer.buyer.balanceWei()
    const { dryRun, order, offer } = await run('buy', shop.uri, HOUR_PLAN, '--dry-run')
    assert.deepEqual([dryRun, order, offer.priceWei], [true, undefined, '1000000000000000'])
    assert.equal(await buyer.buyer.balanceWei(), balanceWei)
    assert.equal((await run('orders')).orders.length, 1)
  })

  it('a price over the spend cap is not paid', async () => {
    const balanceWei = await buyer.buyer.balanceWei()
    const buying = buyer.chrove.run('buy', shop.uri, HOUR_PLAN, '--max-spend', '0.001', '--yes')
    await assert.rejects(buying, /ERR_SPEND_CAP/, 'the price alone is the cap, and there is a fee')
    assert.equal(await buyer.buyer.balanceWei(), balanceWei)
  })

  it('what is bought costs the price and the fee that is told, and is in the list of orders', async () => {
    const balanceWei = await buyer.buyer.balanceWei()
    const { order, offer } = await run('buy', shop.uri, HOUR_PLAN, '--max-spend', '0.01', '--yes')
    orderId = order?.orderId ?? ''
    const costWei = BigInt(offer.priceWei) + BigInt(order?.feeWei ?? 0)
    assert.equal(await buyer.buyer.balanceWei(), balanceWei - costWei)
    const { orders } = await run('orders')
    assert.equal(orders.find((each) => each.orderId === orderId)?.standing, 'running')
  })

  it('curl browses with the credentials that were bought', async () => {
    await browses(loginOf(await credentialsOf(orderId)))
  })

  it('curl browses through the local proxy, which needs no login', async () => {
    const proxy = await buyer.chrove.serve('proxy', orderId, '--listen', '127.0.0.1:0')
    try {
      const { listening } = shapes.proxy.parse(proxy.answer)
      await browses({ address: listening.host, port: listening.port })
    } finally {
      await proxy.stop()
    }
  })

  it('the password of one order opens no account of another', async () => {
    const mine = loginOf(await credentialsOf(orderId))
    assert.notEqual(mine.username, short.login.username)
    assert.equal(await curlThrough({ ...short.login, password: mine.password }, page.url), 'refused')
    assert.equal(await curlThrough({ ...mine, password: short.login.password }, page.url), 'refused')
    await browses(mine)
  })

  it('more time for an order leaves its credentials as they are', async () => {
    const first = await credentialsOf(orderId)
    await run('buy', '--extend', orderId, '--periods', '2', '--yes')
    const extended = await credentialsOf(orderId, ({ expiresSeconds }) => expiresSeconds > first.expiresSeconds)
    assert.equal(extended.expiresSeconds, first.expiresSeconds + 2 * 3600)
    assert.deepEqual(extended.servers, first.servers)
    await browses(loginOf(extended))
  })

  it('a cancelled order returns what was not used, and its credentials open nothing any more', async () => {
    const login = loginOf(await credentialsOf(orderId))
    const elsewhere = `0x${'c0ffee'.padStart(40, '0')}`
    const { refundTo, refunded } = await run('cancel', orderId, '--refund-to', elsewhere)
    assert.equal(refundTo, elsewhere)
    const received = BigInt((await market.chain.request('eth_getBalance', [elsewhere, 'latest'])) as string)
    assert.equal(received, BigInt(refunded))
    assert.ok(received > 2_900_000_000_000_000n, 'three hours were paid, and minutes used')
    await isRefused(login)
    await assert.rejects(buyer.chrove.run('credentials', orderId), /ERR_ORDER_NOT_RUNNING/)
  })

  it('buying again after that gives new credentials; the old ones stay shut', async () => {
    const first = loginOf(await credentialsOf((await run('buy', shop.uri, HOUR_PLAN, '--yes')).order?.orderId))
    // Runs that begin in one second are one to the vendor.
    const boughtAt = await chainSecondsOf(market)
    const { orders } = await run('orders')
    const again = orders.findLast(({ standing, planId }) => standing === 'running' && String(planId) === HOUR_PLAN)
    const renewed = again?.orderId ?? ''
    await run('cancel', renewed, '--refund-to', `0x${'c0ffee'.padStart(40, '0')}`)
    await isRefused(first)
    await eventually('the chain is a second on', async () =>
      (await chainSecondsOf(market)) > boughtAt ? true : undefined,
    )
    await run('buy', '--extend', renewed, '--yes')
    const login = loginOf(await credentialsOf(renewed))
    assert.notEqual(login.username, first.username)
    assert.notEqual(login.password, first.password)
    await browses(login)
    assert.equal(await curlThrough(first, page.url), 'refused')
  })

  it('the credentials of an order end with the time that was paid', async () => {
    await isRefused(short.login)
    const { orders } = await run('orders')
    const ended = orders.find((order) => order.orderId === short.orderId)
    assert.equal(ended?.standing, 'ended')
    await assert.rejects(buyer.chrove.run('credentials', short.orderId), /ERR_ORDER_NOT_RUNNING/)
  })
})
