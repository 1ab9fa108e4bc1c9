/** Searching and showing with a directory, with one that is not to be relied on, and without. */
import assert from 'node:assert/strict'
import { afterEach, before, describe, it } from 'node:test'
import { registryCall } from '../../chain/contracts.ts'
import { ZERO_ADDRESS, type Address } from '../../chain/types.ts'
import { ChainError } from '../../effects/chain.ts'
import type { BuyerErrorCode } from '../errors.ts'
import { DIRECTORY_LAG_SECONDS } from './limits.ts'
import type { FromDirectory } from './origin.ts'
import {
  type Changes,
  DIRECTORY,
  metaAnswer,
  metaOfMarket,
  OTHER_REGISTRY,
  putDirectory,
  telling,
  vendorOfMarket,
  vendorsAnswer,
} from './test-directory.ts'
import { openTestMarket, PRICE_WEI, type StartPlan, type TestMarket } from './test-market.ts'
import type { SearchQuery } from './wish.ts'

const TOKEN = `0x${'70'.repeat(20)}` as Address

let market: TestMarket
before(async () => {
  market = await openTestMarket()
})
afterEach(() => market.reset())

/** A vendor with plans of these prices a day. */
const register = async (
  vendorId: bigint,
  profile: object,
  plans: readonly { readonly perDay: bigint; readonly token?: Address; readonly title?: string }[],
) => {
  await market.asVendor(
    registryCall(market.registry, 'register', {
      operator: ZERO_ADDRESS,
      payout: TOKEN,
      signingKey: `0x${'01'.repeat(32)}`,
      encryptionKey: `0x${'02'.repeat(32)}`,
      endpoints: [],
      profile: JSON.stringify(profile),
    }),
  )
  for (const { perDay, token = ZERO_ADDRESS, title = 'day' } of plans) {
    const plan = { token, price: perDay, periodSeconds: 86_400, maxPeriods: 1, settlement: 'Streamed', title } as const
    await market.asVendor(registryCall(market.registry, 'addPlan', vendorId, plan))
  }
}

const metaOf = (changes?: Changes) => metaOfMarket(market, changes)
const ofVendor = (changes?: Changes) => vendorOfMarket(market, changes)
const directoryAnswers = (answer: (request: Request) => Response | Promise<Response>) => putDirectory(market, answer)
const directoryTells = (vendor: unknown, meta: Changes) => putDirectory(market, telling(vendor, meta))

const buyer = (plan: StartPlan = {}, directory = DIRECTORY) => market.start({ settings: { directory }, ...plan }).buyer

const namesOf = async (query: SearchQuery) => {
  const { found, total, next } = await market.start().buyer.search(query)
  return { names: found.map(({ title }) => title), total, next }
}

describe('a directory that answers', () => {
  it('is the source, with what it has seen, and how far it is', async () => {
    directoryTells(await ofVendor(), await metaOf())
    const result = await buyer().search({ text: 'ghost' })
    assert.equal(result.source, 'directory')
    assert.deepEqual(result.warnings, [])
    assert.equal(result.directory.behindSeconds, 0)
    assert.deepEqual([result.complete, result.total, result.ignored], [true, 1, []])
    assert.equal(result.found[0]?.observed?.uptime, 0.995)
    assert.equal(result.found[0]?.plans[0]?.pricePerDay, 24n * PRICE_WEI)
  })

  it('adds to what is shown of a vendor, and takes nothing away', async () => {
    directoryTells(await ofVendor(), await metaOf())
    const view = await buyer().show('1')
    assert.equal(view.source, 'directory')
    assert.equal(view.observed.orderCount, 12)
    assert.deepEqual(view.warnings, [])
    assert.equal(view.endpoints.at(-1)?.outcome, 'acceptable')
  })

  it('needs no chain to be searched', async () => {
    directoryTells(await ofVendor(), await metaOf())
    const gone = { request: () => Promise.reject(new ChainError('ERR_CHAIN_UNREACHABLE', 'gone')) }
    const result = await buyer({ node: () => gone }).search({})
    assert.equal(result.source, 'directory')
    assert.equal(result.directory.behindSeconds, undefined)
    assert.equal(result.found.length, 1)
  })
})

describe('what a directory says of money', () => {
  it('is not what is shown: terms and keys are those of the contract', async () => {
    const honest = await ofVendor()
    const lies = { ...honest, plans: { totalCount: 1, nodes: [{ ...honest.plans.nodes[0], price: '1' }] } }
    directoryTells(lies, await metaOf())
    const view = await buyer().show('1')
    assert.equal(view.listing.plans[0]?.price, PRICE_WEI)
    assert.deepEqual(codesOf(view), ['WARN_DIRECTORY_CONTRADICTS'])
  })

  it('is held against the contract, and whoever looks is warned', async () => {
    const honest = await ofVendor()
    const [first, second] = honest.plans.nodes
    const plans = (...nodes: object[]) => ({ plans: { totalCount: nodes.length, nodes } })
    const lies: Changes[] = [
      { signingKey: `0x${'0b'.repeat(32)}` },
      { encryptionKey: `0x${'0b'.repeat(32)}` },
      { active: false },
      plans({ ...first, token: TOKEN }, { ...second }),
      plans({ ...first, periodSeconds: 7200 }, { ...second }),
      plans({ ...first, maxPeriods: 1 }, { ...second }),
      plans({ ...first, settlement: 'INSTANT' }, { ...second }),
      plans({ ...first, onSale: false }, { ...second }),
      plans({ ...first }, { ...second }, { ...second, planId: 3 }),
      plans({ ...first }),
    ]
    for (const lie of lies) {
      directoryTells({ ...honest, ...lie }, await metaOf())
      assert.deepEqual(codesOf(await buyer().show('1')), ['WARN_DIRECTORY_CONTRADICTS'], JSON.stringify(lie))
    }
  })
})

const codesOf = (origin: { readonly source: string }) => (origin as FromDirectory).warnings.map(({ code }) => code)

describe('a directory that is not up to date', () => {
  /** @param seconds that its newest block is older than the chain's */
  const behind = async (seconds: number): Promise<Changes> => {
    const { block } = (await metaOf()) as { block: { number: number; timestamp: string } }
    return metaOf({
      block: { ...block, number: block.number - 1, timestamp: String(Number(block.timestamp) - seconds) },
    })
  }

  it('is warned of when it is behind the chain', async () => {
    const vendor = await ofVendor()
    directoryTells(vendor, await behind(DIRECTORY_LAG_SECONDS))
    assert.deepEqual(codesOf(await buyer().search({})), [])
    directoryTells(vendor, await behind(DIRECTORY_LAG_SECONDS + 1))
    assert.deepEqual(codesOf(await buyer().search({})), ['WARN_DIRECTORY_BEHIND'])
    assert.deepEqual(codesOf(await buyer().show('1')), ['WARN_DIRECTORY_BEHIND'])
  })

  it('is not taken to lag where the chain itself has made no block for long', async () => {
    directoryTells(await ofVendor(), await metaOf())
    const late = { behindMs: -1000 * (DIRECTORY_LAG_SECONDS + 1) }
    const result = await buyer(late).search({})
    assert.deepEqual(codesOf(result), [])
    assert.ok(result.source === 'directory' && result.directory.ageSeconds > DIRECTORY_LAG_SECONDS)
    const gone = { request: () => Promise.reject(new ChainError('ERR_CHAIN_UNREACHABLE', 'gone')) }
    assert.deepEqual(codesOf(await buyer({ ...late, node: () => gone }).search({})), ['WARN_DIRECTORY_BEHIND'])
  })

  it('is warned of when it has missed something', async () => {
    const vendor = await ofVendor()
    for (const holes of [{ complete: false }, { gapCount: 1 }]) {
      const completeness = { complete: true, gapCount: 0, firstGap: null, undecodableLogs: 0, ...holes }
      directoryTells(vendor, await metaOf({ completeness }))
      const result = await buyer().search({})
      assert.deepEqual([codesOf(result), result.complete], [['WARN_DIRECTORY_INCOMPLETE'], false])
    }
  })

  it('is warned of when it has not seen the last change of the vendor; one that has seen more is not', async () => {
    const vendor = await ofVendor()
    directoryTells({ ...vendor, version: vendor.version - 1 }, await metaOf())
    assert.deepEqual(codesOf(await buyer().show('1')), ['WARN_DIRECTORY_BEHIND'])
    directoryTells({ ...vendor, version: vendor.version + 1, active: false }, await metaOf())
    assert.deepEqual(codesOf(await buyer().show('1')), [])
  })
})

describe('the contract is read instead', () => {
  const refusal = (code: string, retryable: boolean) => ({
    errors: [{ message: 'no', extensions: { code, retryable } }],
  })
  const cases: readonly (readonly [string, BuyerErrorCode, () => unknown])[] = [
    ['it answers nonsense', 'ERR_DIRECTORY_ANSWER', () => ({ data: { vendors: 'none' } })],
    ['it is about another registry', 'ERR_DIRECTORY_OTHER_REGISTRY', () => metaOf({ registry: OTHER_REGISTRY })],
    ['it is about the same address on another chain', 'ERR_DIRECTORY_OTHER_REGISTRY', () => metaOf({ chainId: '1' })],
    ['it is about other payments', 'ERR_DIRECTORY_OTHER_REGISTRY', () => metaOf({ payments: OTHER_REGISTRY })],
    [
      'it answers documents of its own list only',
      'ERR_DIRECTORY_REFUSED',
      () => refusal('ERR_DOCUMENT_UNKNOWN', false),
    ],
    ['it is not ready', 'ERR_DIRECTORY_NOT_READY', () => refusal('ERR_NOT_READY', true)],
  ]
  const readsContract = async (because: string, directory?: string) => {
    const result = await buyer({}, directory).search({ text: 'ghost' })
    assert.ok(result.source === 'contract' && result.directoryFault)
    assert.equal(result.because, because)
    assert.deepEqual(
      result.found.map(({ vendor, observed }) => [vendor, observed]),
      [[market.vendor, undefined]],
    )
    const view = await buyer({}, directory).show('1')
    assert.ok(view.source === 'contract' && view.directoryFault)
    assert.deepEqual([view.because, view.listing.plans.length], [because, 2])
  }

  for (const [when, because, answer] of cases) {
    it(`when ${when}`, async () => {
      const told = (await answer()) as Changes
      directoryAnswers(async (request) => {
        const isList = (await request.text()).includes('query Vendors')
        if (!('chainId' in told)) return Response.json(told)
        return Response.json(isList ? vendorsAnswer([], {}, told) : { data: { ...metaAnswer(told), vendor: null } })
      })
      await readsContract(because)
    })
  }

  it('when it cannot be reached', () => readsContract('ERR_DIRECTORY_UNREACHABLE', 'http://nobody.example/'))

  it('when none is set', async () => {
    const { buyer: alone } = market.start()
    const results = [await alone.search({}), await alone.show('1')]
    for (const result of results) {
      assert.equal(result.source, 'contract')
      assert.ok(result.source === 'contract' && result.because === 'ERR_DIRECTORY_UNSET')
      assert.equal(result.directoryFault, undefined)
    }
  })

  it('for what is shown, when it does not know the vendor', async () => {
    directoryTells(null, await metaOf())
    const view = await buyer().show('1')
    assert.ok(view.source === 'contract' && view.because === 'ERR_DIRECTORY_VENDOR_UNKNOWN')
  })
})

describe('a search of the contract', () => {
  before(async () => {
    await register(2n, { title: 'Dear', serviceTypes: ['relay'], regions: ['eu'] }, [{ perDay: 10n ** 9n }])
    await register(3n, { title: 'Cheap quick ghostly', regions: ['us'] }, [
      { perDay: 900n, title: 'long' },
      { perDay: 5n, title: 'short' },
      { perDay: 7n, token: TOKEN },
    ])
    await register(4n, { title: 'Nothing to sell' }, [])
    await market.keep()
  })

  it('obeys what it can be asked: words, type, region, token and price of a day', async () => {
    const found = async (query: SearchQuery) => (await namesOf(query)).names
    assert.deepEqual(await found({}), ['Flying[31m Ghost', 'Dear', 'Cheap quick ghostly'])
    assert.deepEqual(await found({ text: 'ghost' }), ['Flying[31m Ghost', 'Cheap quick ghostly'], 'whole words first')
    assert.deepEqual(await found({ text: 'short' }), ['Cheap quick ghostly'], 'titles of plans, too')
    assert.deepEqual(await found({ text: 'host' }), [], 'not within a word')
    assert.deepEqual(await found({ serviceType: 'RELAY' }), ['Dear'])
    assert.deepEqual(await found({ region: 'us' }), ['Cheap quick ghostly'])
    assert.deepEqual(await found({ token: TOKEN }), ['Cheap quick ghostly'])
    assert.deepEqual(await found({ maxPricePerDay: 10n ** 6n }), ['Flying[31m Ghost', 'Cheap quick ghostly'])
    assert.deepEqual(await found({ maxPricePerDay: 6n, token: TOKEN }), [])
  })

  it('sorts by the cheapest day and by age, and tells plans that fit, the cheapest first', async () => {
    assert.deepEqual((await namesOf({ order: 'price' })).names, ['Cheap quick ghostly', 'Flying[31m Ghost', 'Dear'])
    assert.deepEqual((await namesOf({ text: 'quick' })).names, ['Cheap quick ghostly', 'Flying[31m Ghost'])
    assert.deepEqual((await namesOf({ text: 'quick', order: 'age' })).names, [
      'Flying[31m Ghost',
      'Cheap quick ghostly',
    ])
    const { found } = await market.start().buyer.search({ order: 'price', region: 'us' })
    assert.deepEqual(
      found[0]?.plans.map(({ title }) => title),
      ['short', 'long'],
    )
  })

  it('says what it could not take account of', async () => {
    const { buyer: alone } = market.start()
    const result = await alone.search({ reachable: true, verified: true, order: 'uptime' })
    assert.deepEqual([result.ignored, result.found.length], [['reachable', 'verified', 'order'], 3])
    assert.deepEqual((await alone.search({ order: 'volume' })).ignored, ['order'])
    assert.deepEqual((await alone.search({ order: 'price', reachable: false })).ignored, [])
  })

  it('goes on page by page, in whatever order, and each vendor comes once', async () => {
    for (const order of ['price', 'age', undefined] as const) {
      const query = { ...(order && { order }), limit: 1 }
      const names: string[] = []
      let next: string | undefined
      do {
        const page = await namesOf({ ...query, ...(next && { after: next }) })
        assert.deepEqual([page.names.length, page.total], [1, 3])
        names.push(...page.names)
        next = page.next
      } while (next && names.length < 10)
      assert.deepEqual(names, (await namesOf({ ...query, limit: 3 })).names)
    }
  })

  it('goes on where it began, though a directory can be asked again', async () => {
    const { next } = await namesOf({ limit: 1 })
    directoryTells(await ofVendor(), await metaOf())
    const result = await buyer().search({ after: next ?? '', limit: 1 })
    assert.ok(result.source === 'contract' && result.because === 'ERR_CURSOR_OF_CONTRACT')
    assert.equal(result.found[0]?.title, 'Dear')
  })

  it('does not go on from where it cannot', async () => {
    const { buyer: alone } = market.start()
    await assert.rejects(alone.search({ after: 'contract:99' }), { code: 'ERR_CURSOR' })
    await assert.rejects(alone.search({ after: 'of-a-directory' }), { code: 'ERR_CURSOR' })
    const gone = buyer({}, 'http://nobody.example/').search({ after: 'of-a-directory' })
    await assert.rejects(gone, { code: 'ERR_DIRECTORY_UNREACHABLE', retryable: true })
  })
})
