import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import type { Address } from '../../chain/types.ts'
import type { Network } from '../../effects/network.ts'
import { graphqlUrl, searchDirectory } from './directory.ts'

const REGISTRY = `0x${'ab'.repeat(20)}` as Address
const OTHER = `0x${'cd'.repeat(20)}` as Address

const vendor = (registry: string = REGISTRY, id = 1) => ({
  uri: `chrove:eip155:1:${registry}/${id}`,
  profile: { title: 'Flying\u001b[31m Ghost\u202e', description: 'quick', serviceTypes: ['proxy'], regions: [] },
  plans: {
    nodes: [
      {
        planId: 1,
        title: { text: 'hour' },
        token: null,
        price: '340282366920938463463374607431768211455',
        periodSeconds: 3600,
        maxPeriods: 10,
        settlement: 'STREAMED',
      },
    ],
  },
})

const answerOf = (vendors: readonly unknown[], registry: string = REGISTRY) => ({
  data: {
    _meta: { chainId: '1', registry, completeness: { complete: true } },
    vendors: { totalCount: vendors.length, nodes: vendors },
  },
})

/** Asks a directory that gives this answer. */
const ask = (answer: unknown, registry: Address | undefined = REGISTRY) => {
  const requests: Request[] = []
  const network = {
    fetch: async (request: Request) => {
      requests.push(request)
      return typeof answer === 'string' ? new Response(answer) : Response.json(answer)
    },
  } as unknown as Network
  const result = searchDirectory({ network }, 'http://directory.example/', { text: 'ghost', limit: 5 }, registry)
  return { result, requests }
}

describe('searching a directory', () => {
  it('gives vendors with their plans on sale, with amounts of any size and words made safe', async () => {
    const { found, total, complete } = await ask(answerOf([vendor()])).result
    assert.deepEqual([total, complete], [1, true])
    assert.equal(found[0]?.title, 'Flying[31m Ghost')
    assert.equal(found[0]?.plans[0]?.price, 2n ** 128n - 1n)
    assert.equal(found[0]?.plans[0]?.settlement, 'Streamed')
    assert.equal(found[0]?.plans[0]?.token, undefined)
  })

  it('asks once, for active vendors with something on sale', async () => {
    const { result, requests } = ask(answerOf([]))
    await result
    assert.equal(requests.length, 1)
    assert.equal(requests[0]?.url, 'http://directory.example/graphql')
    const body = (await requests[0]?.json()) as { variables: unknown } | undefined
    assert.deepEqual(body?.variables, { first: 5, filter: { active: true, plan: { onSale: true } }, search: 'ghost' })
  })

  it('refuses one that is about another registry, or slips in vendors of another', async () => {
    await assert.rejects(ask(answerOf([], OTHER)).result, { code: 'ERR_DIRECTORY' })
    await assert.rejects(ask(answerOf([vendor(), vendor(OTHER, 2)])).result, { code: 'ERR_DIRECTORY' })
  })

  it('refuses whatever is no answer', async () => {
    const junk = fc.oneof(
      fc.string(),
      fc.json(),
      fc.jsonValue().map((data) => JSON.stringify({ data })),
    )
    await fc.assert(
      fc.asyncProperty(junk, async (text) => {
        await assert.rejects(ask(text).result, { code: 'ERR_DIRECTORY', retryable: true })
      }),
    )
  })
})

describe('the URL of a directory', () => {
  it('means its GraphQL, whether it names it or not', () => {
    for (const url of ['http://d.example', 'http://d.example/', 'http://d.example/graphql']) {
      assert.equal(graphqlUrl(url).href, 'http://d.example/graphql')
    }
    assert.equal(graphqlUrl('http://d.example/chrove/').href, 'http://d.example/chrove/graphql')
  })
})
