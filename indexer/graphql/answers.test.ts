/** Answers that are kept as bytes: given again only while a server that kept nothing would give the same. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { silentLog } from '../../effects/log.ts'
import { createMetrics } from '../metrics.ts'
import { UPTIME_WHOLE } from '../prober/schedule.ts'
import { createProjection } from '../store.ts'
import { batchOf, genesis, type Operation, operations, seal, type Sealed } from '../testing.ts'
import { watchHead } from './head.ts'
import { createGraphqlServer } from './server.ts'
import { type Answer, chainOf, codesOf, directoryOf, doing } from './testing.ts'

const effects = { log: silentLog, metrics: createMetrics() }

const VENDORS = '{ vendors { totalCount nodes { id version evidence { blockNumber } } } }'

const get = (query: string, headers: Readonly<Record<string, string>> = {}) =>
  new Request(`http://directory/graphql?${new URLSearchParams({ query })}`, { headers })

describe('an answer that was given before', () => {
  it('is given again without the database, by GET and POST alike', async () => {
    const { db, graphql, keptBytes, post } = await directoryOf(chainOf([doing('register', 0, 0)]))
    const first = await (await post({ query: VENDORS })).text()
    assert.equal(keptBytes(), 0, 'it may never be asked for again')
    await post({ query: VENDORS })
    await db.destroy()
    assert.equal(await (await post({ query: VENDORS })).text(), first)
    assert.equal(await (await graphql(get(VENDORS))).text(), first)
    const persistedQuery = { version: 1, sha256Hash: 'whatever' }
    assert.equal(await (await post({ query: VENDORS, extensions: { persistedQuery } })).text(), first, 'named, too')
    assert.equal(codesOf((await (await post({ query: '{ vendor(id: 1) { id } }' })).json()) as Answer<null>).length, 1)
  })

  it('is another one for other variables, another operation or another media type', async () => {
    const { post } = await directoryOf(chainOf([doing('register', 0, 0), doing('register', 1, 1)]))
    const query = `query A($n: Int) { vendors(first: $n) { nodes { id } } } query B { vendors(last: 1) { nodes { id } } }`
    const ids = async (body: object, accept = 'application/json') => {
      const response = await post({ query, ...body }, { accept })
      assert.equal(response.headers.get('content-type'), `${accept}; charset=utf-8`)
      const { data } = (await response.json()) as Answer<{ vendors: { nodes: { id: string }[] } }>
      return data.vendors.nodes.map(({ id }) => id)
    }
    for (const _ of ['first', 'again', 'from what is kept']) {
      assert.deepEqual(await ids({ operationName: 'A', variables: { n: 1 } }), ['vendor:1'])
      assert.deepEqual(await ids({ operationName: 'A', variables: { n: 2 } }), ['vendor:1', 'vendor:2'])
      assert.deepEqual(await ids({ operationName: 'B' }), ['vendor:2'])
      assert.deepEqual(await ids({ operationName: 'B' }, 'application/graphql-response+json'), ['vendor:2'])
    }
  })

  it('is what a server gives that kept nothing, whatever was written and undone since', async () => {
    const queries = [
      `{ vendors { totalCount nodes { id version active evidence { blockHash finalized } plans { nodes { price } } } } }`,
      '{ orders { nodes { id status paid evidence { finalized } } } }',
      '{ _meta { block { number hash } finalized { number } completeness { complete gapCount undecodableLogs } } }',
      '{ _meta { lagSeconds } }',
      '{ _meta { resumeId } }',
      '{ stats { vendors plansOnSale orders runningOrders volumes { orders paid volume } } }',
      '{ vendors(search: "proxy") { nodes { id orderCount volumes { volume } } pageInfo { endCursor } } }',
      `{ vendor(id: 1) { history { totalCount nodes { fromBlock toBlock
        vendor { version plans { nodes { price } } } evidence { finalized } } } } }`,
      '{ orders { nodes { history(first: 2) { nodes { order { status paid plan { price } } } } } } }',
      '{ vendors(block: { number: 1 }) { nodes { id version } } }',
      '{ vendors(block: { numberGte: 2 }) { nodes { id } } }',
      '{ __typename }',
    ]
    const step = fc.oneof(
      fc.record({ undo: fc.integer({ min: 1, max: 3 }) }),
      fc.record({ blocks: operations, finalize: fc.boolean() }),
    )
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 6, size: 'max' }), async (steps) => {
        const { db, directory, projection, ask } = await directoryOf([genesis])
        const script: { fork: number; operations: readonly Operation[] }[] = []
        let finalized = genesis.block
        let chain: Sealed[] = [genesis]
        for (const [index, does] of steps.entries()) {
          if ('undo' in does) {
            const to = Math.max(finalized.number, chain.length - 1 - does.undo)
            script.length = to
            chain = chain.slice(0, to + 1)
            await projection.rollBack(chain[to]?.block ?? genesis.block)
          } else {
            const from = chain.length
            script.push(...does.blocks.map((doings) => ({ fork: index + 1, operations: doings })))
            chain = seal(script)
            // A block that is final may have been undone before, as one that was not.
            if (does.finalize) finalized = chain[from]?.block ?? finalized
            await projection.apply(batchOf(chain.slice(from), finalized))
          }
          const cold = createGraphqlServer({ ...directory, head: watchHead(db, createProjection(db)).head }, effects)
          for (const query of queries) {
            const expected: unknown = await (await cold.fetch(get(query))).json()
            assert.deepEqual(await ask(query), expected)
            assert.deepEqual(await ask(query), expected)
          }
        }
      }),
      { numRuns: 12 },
    )
  })

  it('is not given when only finality has changed', async () => {
    const chain = chainOf([doing('register', 0, 0)], [], [])
    const { ask, projection } = await directoryOf(chain.slice(0, 2))
    const query = '{ vendor(id: 1) { evidence { finalized } } }'
    const isFinal = async () =>
      (await ask<{ vendor: { evidence: { finalized: boolean } } }>(query)).data.vendor.evidence
    for (const _ of ['first', 'kept']) assert.deepEqual(await isFinal(), { finalized: false })
    const [, block] = chain
    await projection.apply(batchOf(chain.slice(2), block?.block))
    await projection.rollBack(block?.block ?? genesis.block)
    assert.deepEqual(await isFinal(), { finalized: true })
  })

  it('is not given when the same blocks were undone and written again, if it tells where a subscription goes on', async () => {
    const chain = chainOf([doing('register', 0, 0)])
    const { ask, projection } = await directoryOf(chain)
    const resumeId = async () => {
      const { data } = await ask<{ _meta: { resumeId: string } }>('{ _meta { resumeId } }')
      return Number(data._meta.resumeId.split('-')[0])
    }
    for (const _ of ['first', 'kept']) assert.equal(await resumeId(), 1)
    await projection.rollBack(genesis.block)
    await projection.apply(batchOf(chain.slice(1)))
    assert.equal(await resumeId(), 3)
  })

  it('is not given when it tells the time', async () => {
    let nowMs = 1_800_000_000_000
    const { ask, post } = await directoryOf(chainOf([]), { clock: { nowMs: () => nowMs } })
    const query = '{ _meta { lagSeconds } }'
    const lag = async () => Number((await ask<{ _meta: { lagSeconds: string } }>(query)).data._meta.lagSeconds)
    const before = await lag()
    assert.equal(await lag(), before)
    nowMs += 5000
    assert.equal(await lag(), before + 5)
    const { headers } = await post({ query })
    assert.equal(headers.get('cache-control'), 'no-store')
    assert.equal(headers.get('etag'), null)
  })

  it('that tells of probes is given as long as none has found anything new', async () => {
    let revision = 0
    const chain = chainOf([doing('register', 0, 0)])
    const { ask, db } = await directoryOf(chain, { probes: { revision: () => revision } })
    const query = '{ vendors(filter: { reachable: true }) { totalCount } vendor(id: 1) { uptime } }'
    const found = async () => (await ask<{ vendors: object; vendor: object }>(query)).data
    const nothing = { vendors: { totalCount: 0 }, vendor: { uptime: null } }
    for (const _ of ['first', 'kept']) assert.deepEqual(await found(), nothing)
    const { id, block_hash, log_index } = await db.selectFrom('vendors').selectAll().executeTakeFirstOrThrow()
    const probed = { reachable: 1, verified: 1, days: '[[20000,1,1]]', uptime: UPTIME_WHOLE }
    await db
      .insertInto('vendor_probes')
      .values({ vendor_id: id, block_hash, log_index, ...probed })
      .execute()
    assert.deepEqual(await found(), nothing)
    revision++
    assert.deepEqual(await found(), { vendors: { totalCount: 1 }, vendor: { uptime: 1 } })
  })

  it('is not kept when it has errors', async () => {
    const chain = chainOf([doing('register', 0, 0)], [])
    const { ask, post, projection } = await directoryOf(chain.slice(0, 2))
    const query = '{ vendors(block: { number: 2 }) { nodes { id } } }'
    for (const _ of ['first', 'again']) assert.deepEqual(codesOf(await ask(query)), ['ERR_BLOCK_NOT_REACHED'])
    assert.equal((await post({ query })).headers.get('cache-control'), 'no-store')
    await projection.apply(batchOf(chain.slice(2)))
    assert.deepEqual(codesOf(await ask(query)), [])
  })
})

describe('a validator', () => {
  it('is the same for the same bytes, and gets 304 instead of them', async () => {
    const chain = chainOf([doing('register', 0, 0)], [], [doing('profile', 0, 1)])
    const { graphql, post, projection } = await directoryOf(chain.slice(0, 2))
    const first = await graphql(get(VENDORS))
    const etag = first.headers.get('etag') ?? ''
    assert.match(etag, /^"[\w-]{22}"$/)
    assert.equal(first.headers.get('cache-control'), 'no-cache')
    assert.equal(first.headers.get('vary'), 'accept')
    const status = async (ifNoneMatch: string) => {
      const response = await graphql(get(VENDORS, { 'if-none-match': ifNoneMatch }))
      if (response.status === 304) assert.equal(await response.text(), '')
      assert.equal(response.headers.get('etag') === etag, response.status === 304)
      return response.status
    }
    for (const matching of [etag, `W/${etag}`, `"other", ${etag}`, '*']) assert.equal(await status(matching), 304)
    assert.equal((await post({ query: VENDORS }, { 'if-none-match': etag })).status, 304)
    // A block that changes nothing of it leaves it as it was, byte for byte.
    await projection.apply(batchOf(chain.slice(2, 3)))
    assert.equal(await status(etag), 304)
    await projection.apply(batchOf(chain.slice(3)))
    assert.equal(await status(etag), 200)
  })
})

describe('a query that takes too long', () => {
  const query = '{ vendors { nodes { plans { nodes { id } } } } }'
  const chain = chainOf([doing('register', 0, 0), doing('add-plan', 0, 1)])

  it('is refused before its next statement', async () => {
    let nowMs = 0
    const { ask } = await directoryOf(chain, { clock: { nowMs: () => (nowMs += 6000) } })
    assert.deepEqual(codesOf(await ask(query)), ['ERR_QUERY_TIMEOUT'])
  })

  it('is refused when the database has not answered in time', async () => {
    const { db, directory } = await directoryOf(chain, { clock: { nowMs: () => 0, sleep: async () => {} } })
    const waiting = Promise.withResolvers<never>()
    const head = { ...directory.head, known: () => undefined, read: () => waiting.promise }
    const { fetch: graphql } = createGraphqlServer({ ...directory, db, head }, effects)
    const accept = { accept: 'application/graphql-response+json' }
    const response = await graphql(get(query, accept))
    assert.equal(response.status, 503)
    assert.deepEqual(codesOf((await response.json()) as Answer<null>), ['ERR_QUERY_TIMEOUT'])
  })
})

describe('the cost of a query', () => {
  it('is in every answer, and in the refusal of one that costs too much', async () => {
    const { ask, post } = await directoryOf(chainOf([doing('register', 0, 0)]))
    const cost = async (query: string, variables: object = {}) => {
      const answer = (await ask(query, variables)) as Answer<null> & { extensions?: { cost: object } }
      return answer.extensions?.cost
    }
    const query = 'query ($n: Int = 100) { vendors(first: $n) { nodes { id } } }'
    assert.deepEqual(await cost(query), { requested: 201, max: 50_000 })
    assert.deepEqual(await cost(query, { n: 3 }), { requested: 7, max: 50_000 })
    assert.deepEqual(await cost('{ vendor(id: 99, block: { number: 77 }) { id } }'), { requested: 2, max: 50_000 })
    const costly = '{ vendors(first: 100) { nodes { plans(first: 100) { nodes { id price title { text } } } } } }'
    const refused = (await (await post({ query: costly })).json()) as { extensions: { cost: { requested: number } } }
    assert.equal(refused.extensions.cost.requested, 1 + 100 * (1 + 1 + 100 * 5))
  })

  it('counts histories as pages, and volumes by the tokens that are named, or as many as are told', async () => {
    const { ask } = await directoryOf(chainOf([doing('register', 0, 0)]))
    const cost = async (query: string, variables: object = {}) => {
      const answer = (await ask(query, variables)) as Answer<null> & { extensions: { cost: { requested: number } } }
      assert.deepEqual(codesOf(answer), [])
      return answer.extensions.cost.requested
    }
    assert.equal(await cost('{ vendor(id: 1) { history(first: 7) { nodes { fromBlock } } } }'), 1 + 1 + 7 * 2)
    assert.equal(await cost('{ stats { volumes { paid } } }'), 1 + 1 + 100)
    const token = `0x${'0'.repeat(40)}`
    assert.equal(await cost(`{ stats { volumes(tokens: ["${token}"]) { paid } } }`), 1 + 1 + 1)
    const named = 'query ($tokens: [Address!]) { stats { volumes(tokens: $tokens) { paid } } }'
    assert.equal(await cost(named, { tokens: [token, token] }), 1 + 1 + 2)
    assert.equal(await cost(named, { tokens: [token, token, token] }), 1 + 1 + 3)
    assert.equal(await cost(named), 1 + 1 + 100)
  })
})
