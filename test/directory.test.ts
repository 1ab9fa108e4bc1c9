/** Buyers and the real directory of one market: what they ask is answered, and the contract says the same. */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { after, before, describe, it } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import SqliteDatabase from 'better-sqlite3'
import fc from 'fast-check'
import { SqliteDialect } from 'kysely'
import { createDirectory, type Directory } from '../buyer/lib/index.ts'
import { openTestMarket, type TestMarket } from '../buyer/lib/test-market.ts'
import { searchOrders, type SearchQuery } from '../buyer/lib/wish.ts'
import { orderIdOf, registryCall } from '../chain/contracts.ts'
import { isCaughtUp } from '../chain/run-steps.ts'
import { ZERO_ADDRESS, type Address, type Hex } from '../chain/types.ts'
import { sha256 } from '../effects/digest-node.ts'
import { noHeads } from '../effects/heads.ts'
import { silentLog } from '../effects/log.ts'
import type { Network } from '../effects/network.ts'
import { createRandom } from '../effects/random.ts'
import { allowDocuments } from '../indexer/graphql/allowed-documents.ts'
import { createIndexer, type Indexer, type Probing } from '../indexer/index.ts'
import { createJose } from '../protocol/jose.ts'
import { eventually } from './eventually.ts'

const URL_OF_DIRECTORY = 'http://vendor.example:8080/graphql'
const TOKEN = `0x${'70'.repeat(20)}` as Address
const DOCUMENTS = new URL('../protocol/directory/documents/', import.meta.url)

let market: TestMarket
const closers: (() => Promise<unknown>)[] = []

before(async () => {
  market = await openTestMarket()
  const words = ['boats of paper', 'Paper, hour', 'paper boat', 'ghost: an hour', '快速 proxy', 'hour']
  for (const [index, title] of words.entries()) {
    const profile = { title, description: `about ${words[(index + 2) % 6]}`, serviceTypes: ['proxy'], regions: ['eu'] }
    if (index % 2 === 0) Object.assign(profile, { serviceTypes: ['relay', 'api'], regions: ['us', 'eu-west'] })
    await register(BigInt(index + 2), profile)
  }
})

after(async () => {
  for (const close of closers.toReversed()) await close()
})

/** A vendor with plans in coin and token, of periods that do not compare at sight. */
const register = async (vendorId: bigint, profile: object): Promise<void> => {
  const { registry, asVendor } = market
  const n = Number(vendorId)
  const keys = { signingKey: `0x${'01'.repeat(32)}`, encryptionKey: `0x${'02'.repeat(32)}` } as const
  const listing = { operator: ZERO_ADDRESS, payout: TOKEN, ...keys, endpoints: [], profile: JSON.stringify(profile) }
  await asVendor(registryCall(registry, 'register', listing))
  const plans = [
    { token: ZERO_ADDRESS, price: BigInt(((n * 7) % 5) + 1), periodSeconds: 1000 * n + 1, title: 'some hours' },
    { token: TOKEN, price: BigInt((n * 3) % 4) + 5n, periodSeconds: 86_400, title: 'a day on paper' },
    { token: ZERO_ADDRESS, price: BigInt(n % 3) + 1n, periodSeconds: 3600, title: 'one hour' },
  ]
  for (const plan of plans.slice(0, 1 + (n % 3))) {
    const terms = { ...plan, maxPeriods: 9, settlement: 'Instant' } as const
    await asVendor(registryCall(registry, 'addPlan', vendorId, terms))
  }
  if (n === 6) await asVendor(registryCall(registry, 'setPlanOnSale', vendorId, 1, false))
  if (n === 7) await asVendor(registryCall(registry, 'setActive', vendorId, false))
}

/** The directory that is reached at its URL, which has read the chain to its end. */
const openIndexer = async (
  settings: { readonly documents?: URL } = {},
  probing?: Omit<Probing, 'network'>,
): Promise<Indexer> => {
  const { chain, clock, network, registry } = market
  const files = settings.documents && readdirSync(settings.documents)
  const read = (name: string) => ({ name, content: new Uint8Array(readFileSync(new URL(name, settings.documents))) })
  let waitedMs = 0
  const indexer = createIndexer(
    {
      // Of its own: with the market's, each wait would make a block.
      clock: {
        nowMs: () => clock.nowMs() + waitedMs,
        sleep: async (ms, signal) => {
          await setImmediate(undefined, { signal })
          waitedMs += ms
        },
      },
      random: createRandom(),
      chain,
      heads: noHeads,
      sql: { dialect: () => new SqliteDialect({ database: new SqliteDatabase(':memory:') }) },
      log: silentLog,
      sha256,
    },
    {
      registry,
      ...{ fromBlock: 0, finalityBlocks: 64, confirmations: 0, pollMs: 1 },
      ...(files && { allowed: allowDocuments(files.map(read)) }),
    },
    probing && { ...probing, network },
  )
  closers.push(() => indexer.close())
  while (!isCaughtUp(await indexer.step()));
  market.answer = (request, honest) => (request.url === URL_OF_DIRECTORY ? indexer.fetch(request) : honest(request))
  return indexer
}

const client = (network: Network = market.network): Directory => createDirectory({ network }, URL_OF_DIRECTORY, market)
const asking = () => market.start({ settings: { directory: URL_OF_DIRECTORY } }).buyer
const reading = () => market.start().buyer

const words = fc
  .array(fc.constantFrom('paper', 'pap', 'BOAT', 'hour', 'oat', 'ghost', '快', 'eu-w', 'day-on', '%', ','), {
    maxLength: 2,
  })
  .map((some) => some.join(' '))

/** What the contract can answer, too: often words alone, for filters leave little to be sorted. */
const query: fc.Arbitrary<SearchQuery> = fc.oneof(
  fc.record({ text: words }),
  fc.record(
    {
      text: words,
      serviceType: fc.constantFrom('proxy', 'Relay', 'none', ''),
      region: fc.constantFrom('eu', 'us', 'EU-WEST'),
      token: fc.constantFrom(ZERO_ADDRESS, TOKEN),
      maxPricePerDay: fc.bigInt({ min: 0n, max: 100n }),
      order: fc.constantFrom('price' as const, 'age' as const),
      limit: fc.integer({ min: 1, max: 10 }),
    },
    { requiredKeys: [] },
  ),
)

describe('a search', () => {
  it('finds the same in the directory and in the contract, in the same order, with the same plans', async () => {
    await openIndexer()
    await fc.assert(
      fc.asyncProperty(query, async (wanted) => {
        const [told, read] = [await asking().search(wanted), await reading().search(wanted)]
        assert.deepEqual([told.source, read.source, read.ignored], ['directory', 'contract', []])
        assert.deepEqual(
          told.found.map(({ observed: _observed, ...found }) => found),
          read.found,
        )
        assert.deepEqual([told.total, told.next === undefined], [read.total, read.next === undefined])
      }),
      { numRuns: 300 },
    )
  })

  it('goes through all pages of either, in any order, as if they were one', async () => {
    await openIndexer()
    for (const buyer of [asking(), reading()]) {
      for (const order of [...searchOrders, undefined]) {
        const wanted = order && { order }
        const vendors: string[] = []
        let place: string | undefined
        do {
          const { found, next } = await buyer.search({ ...wanted, limit: 2, ...(place && { after: place }) })
          vendors.push(...found.map(({ vendor }) => vendor))
          place = next
        } while (place !== undefined)
        const { found, total } = await buyer.search({ ...wanted })
        assert.deepEqual([vendors, vendors.length], [found.map(({ vendor }) => vendor), total], order ?? 'by id')
      }
    }
  })

  it('of a hundred vendors with all that can be told of them is not too costly', async () => {
    await openIndexer()
    assert.equal((await client().vendors({ limit: 100, order: 'price' })).vendors.length, 5)
  })

  it('puts up with whatever words are sought', async () => {
    await openIndexer()
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'binary', maxLength: 12 }), async (text) => {
        const [told, read] = [await asking().search({ text }), await reading().search({ text })]
        assert.deepEqual([told.source, told.total], ['directory', read.total])
      }),
    )
  })
})

describe('what was seen of a vendor', () => {
  it('is found, and shown beside what the contract says', async () => {
    const probing = { jose: createJose(), addresses: 'any', proxied: false, intervalMs: 1000, pauseMs: 1 } as const
    const indexer = await openIndexer({}, probing)
    const stopping = new AbortController()
    const running = indexer.run(stopping.signal)
    await eventually('both endpoints were asked, and one held', async () => {
      const { probes = [] } = (await client().vendor(1n)).vendor?.observed ?? {}
      return probes.length === 2 && probes.some(({ verified }) => verified) ? true : undefined
    })
    stopping.abort()
    await running

    const { found, ...result } = await asking().search({ verified: true, reachable: true, order: 'uptime' })
    assert.equal(result.source, 'directory')
    assert.deepEqual(
      found.map(({ vendor }) => vendor),
      [market.vendor],
    )
    const view = await asking().show('1')
    assert.equal(view.source, 'directory')
    assert.deepEqual(view.warnings, [])
    const { uptime, probes } = view.observed
    assert.ok(uptime !== undefined && uptime > 0)
    assert.deepEqual(
      probes.map(({ endpoint, verified, code }) => [endpoint, verified, code]),
      [
        ['http://gone.example', false, 'ERR_NETWORK_UNREACHABLE'],
        ['http://vendor.example:8080/base', true, undefined],
      ],
    )
  })
})

describe('the order of a key', () => {
  it('is found once it is paid, and none is before', async () => {
    const { buyer } = market.start()
    await buyer.init(market.fundedKey)
    const { orderId, offer } = await buyer.buy({ vendor: market.vendor, planId: 1, periods: 2 })
    await openIndexer()
    const { vendors } = await client().vendors({ order: 'volume' })
    assert.deepEqual(
      vendors.map(({ vendor, observed }) => [vendor, observed.volumes[0]?.volume]),
      [[market.vendor, offer?.priceWei]],
    )
    const keyHash = await keyHashOf(orderId)
    const { order } = await client().order({ vendorId: 1n, planId: 1, keyHash })
    assert.deepEqual([order?.orderId, order?.status, order?.paid], [orderId, 'running', offer?.priceWei])
    assert.equal((await client().order({ vendorId: 1n, planId: 2, keyHash })).order, undefined)
  })
})

/** Orders are told on chain with the key that they are bought for. */
const keyHashOf = async (orderId: Hex): Promise<Hex> => {
  const filter = { fromBlock: '0x0', toBlock: 'latest', address: market.payments }
  const logs = (await market.chain.request('eth_getLogs', [filter])) as { topics: Hex[] }[]
  const candidates = logs.flatMap(({ topics }) => topics)
  const keyHash = candidates.find((topic) => orderIdOf(1n, 1, topic) === orderId)
  assert.ok(keyHash)
  return keyHash
}

describe('a directory that answers the documents of buyers and no others', () => {
  it('can be searched, shown from, and asked for orders and for how far it is', async () => {
    const indexer = await openIndexer({ documents: DOCUMENTS })
    const sources = [await asking().search({ text: 'paper', order: 'price' }), await asking().show('2')]
    assert.deepEqual(
      sources.map(({ source }) => source),
      ['directory', 'directory'],
    )
    assert.equal((await client().order({ vendorId: 1n, planId: 1, keyHash: `0x${'11'.repeat(32)}` })).order, undefined)
    assert.equal((await client().meta()).registry, market.registry)
    const headers = { 'content-type': 'application/json' }
    const other = new Request(URL_OF_DIRECTORY, { method: 'POST', headers, body: '{"query":"{ __typename }"}' })
    assert.match(await (await indexer.fetch(other)).text(), /ERR_DOCUMENT_UNKNOWN/)
  })

  it('goes by the name of a document, in whatever way its text comes', async () => {
    await openIndexer({ documents: DOCUMENTS })
    const spoiled: Network = {
      ...market.network,
      fetch: async (request, limits) => {
        const body = JSON.parse(await request.text()) as object
        return market.network.fetch(
          new Request(request, { method: 'POST', body: JSON.stringify({ ...body, query: undefined }) }),
          limits,
        )
      },
    }
    assert.equal((await client(spoiled).meta()).registry, market.registry)
  })
})
