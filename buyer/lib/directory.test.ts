/** Asking a directory: questions that its schema knows, and answers of which only what was asked for is taken. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { getOperationAST, getVariableValues, parse } from 'graphql'
import type { Address, Hex } from '../../chain/types.ts'
import { NetworkError, type Network, type NetworkErrorCode } from '../../effects/network.ts'
import { documents } from '../../protocol/directory/generated/documents.ts'
import { answersTo, directorySchema } from '../../protocol/directory/testing.ts'
import { BuyerError } from '../errors.ts'
import { createDirectory, graphqlUrl, type About, type Directory } from './directory.ts'
import { FOUND_PLANS_MAX } from './limits.ts'
import { metaAnswer, OTHER_REGISTRY, REGISTRY, vendorAnswer, vendorsAnswer } from './test-directory.ts'
import { searchOrders, type SearchQuery } from './wish.ts'

/** A directory that gives this answer, whatever it is asked. */
const directoryThat = (answer: () => Response | Promise<Response>, about: About = { registry: REGISTRY }) => {
  const requests: Request[] = []
  const network = {
    fetch: async (request: Request) => {
      requests.push(request)
      return answer()
    },
  } as unknown as Network
  return { directory: createDirectory({ network }, 'http://directory.example/', about), requests }
}

const answering = (answer: unknown, about?: About): Directory =>
  directoryThat(() => (typeof answer === 'string' ? new Response(answer) : Response.json(answer)), about).directory

const refusedWith = (work: Promise<unknown>, code: string, retryable: boolean) =>
  assert.rejects(work, (error) => {
    assert.ok(error instanceof BuyerError)
    assert.deepEqual([error.code, error.retryable], [code, retryable])
    return true
  })

const nonsense = (work: Promise<unknown>) => refusedWith(work, 'ERR_DIRECTORY_ANSWER', true)

const address = fc
  .uint8Array({ minLength: 20, maxLength: 20 })
  .map((bytes) => `0x${Buffer.from(bytes).toString('hex')}` as Address)

const query: fc.Arbitrary<SearchQuery> = fc.record(
  {
    text: fc.string({ unit: 'binary', maxLength: 15 }),
    serviceType: fc.string(),
    region: fc.string(),
    token: address,
    maxPricePerDay: fc.bigInt({ min: 0n, max: 2n ** 160n }),
    reachable: fc.boolean(),
    verified: fc.boolean(),
    order: fc.constantFrom(...searchOrders),
    limit: fc.integer({ min: 1, max: 100 }),
    after: fc.string(),
  },
  { requiredKeys: [] },
)

describe('a question to a directory', () => {
  it('has the variables that the schema knows, whatever is looked for', async () => {
    const operation = getOperationAST(parse(documents.vendors.text))
    await fc.assert(
      fc.asyncProperty(query, async (wanted) => {
        const { directory, requests } = directoryThat(() => Response.json(vendorsAnswer([])))
        await directory.vendors(wanted)
        const body = (await requests[0]?.json()) as { query: string; variables: Record<string, unknown> }
        assert.equal(body.query, documents.vendors.text)
        const given = getVariableValues(directorySchema, operation?.variableDefinitions ?? [], body.variables)
        assert.deepEqual(given.errors ?? [], [])
        const known = (operation?.variableDefinitions ?? []).map(({ variable }) => variable.name.value)
        for (const name of Object.keys(body.variables)) assert.ok(known.includes(name), name)
      }),
    )
  })

  it('is one POST to its GraphQL, with the name of the document beside its text', async () => {
    const { directory, requests } = directoryThat(() => Response.json(vendorsAnswer([])))
    await directory.vendors({ text: 'ghost', limit: 5 })
    const [request, ...more] = requests
    assert.deepEqual([request?.method, request?.url, more.length], ['POST', 'http://directory.example/graphql', 0])
    const body = (await request?.json()) as { variables: unknown; extensions: unknown } | undefined
    const plan = { onSale: true }
    assert.deepEqual(body?.variables, {
      filter: { active: true, plan },
      search: 'ghost',
      plan,
      tokens: [`0x${'0'.repeat(40)}`],
      first: 5,
    })
    assert.deepEqual(body?.extensions, { persistedQuery: { version: 1, sha256Hash: documents.vendors.sha256 } })
  })

  it('compares prices in the coin when no token is named', async () => {
    const { directory, requests } = directoryThat(() => Response.json(vendorsAnswer([])))
    await directory.vendors({ order: 'price' })
    await directory.vendors({ maxPricePerDay: 5n })
    const coin = `0x${'0'.repeat(40)}`
    for (const request of requests) {
      const { variables } = (await request.json()) as { variables: { plan: { token: string } } }
      assert.equal(variables.plan.token, coin)
    }
  })

  it('is not put when it is longer than a search may be', async () => {
    const { directory, requests } = directoryThat(() => Response.json(vendorsAnswer([])))
    await refusedWith(directory.vendors({ text: 'a '.repeat(17) }), 'ERR_SEARCH_INVALID', false)
    assert.equal(requests.length, 0)
  })

  it('asks for as many plans as a search of the contract tells', () => {
    assert.match(documents.vendors.text, new RegExp(`plans\\(.*first: ${FOUND_PLANS_MAX}\\)`))
  })
})

describe('an answer of a directory', () => {
  it('is vendors with amounts of any size and words made safe', async () => {
    const { vendors, total, next } = await answering(vendorsAnswer([vendorAnswer()])).vendors({})
    assert.deepEqual([total, next], [1, undefined])
    assert.equal(vendors[0]?.profile.title, 'Flying[31m Ghost')
    assert.equal(vendors[0]?.plans[0]?.price, 2n ** 128n - 1n)
    assert.deepEqual(vendors[0]?.observed.probes[0]?.seenAtSeconds, 1_700_000_100)
  })

  it('is none when it is about another registry, other payments or another chain', async () => {
    const others: About[] = [{ registry: OTHER_REGISTRY }, { payments: OTHER_REGISTRY }, { chainId: 5n }]
    for (const about of others) {
      await refusedWith(answering(vendorsAnswer([]), about).vendors({}), 'ERR_DIRECTORY_OTHER_REGISTRY', false)
      await refusedWith(answering({ data: metaAnswer() }, about).meta(), 'ERR_DIRECTORY_OTHER_REGISTRY', false)
    }
  })

  it('is none when it slips in vendors of another registry, or one twice', async () => {
    const strangers = [vendorAnswer(), vendorAnswer({ uri: `chrove:eip155:1:${OTHER_REGISTRY}/2` })]
    await nonsense(answering(vendorsAnswer(strangers)).vendors({}))
    await nonsense(answering(vendorsAnswer([vendorAnswer(), vendorAnswer()])).vendors({}))
    const [stranger] = strangers.slice(1)
    await nonsense(answering({ data: { ...metaAnswer(), vendor: stranger } }).vendor(2n))
    await nonsense(answering({ data: { ...metaAnswer(), vendor: vendorAnswer() } }).vendor(2n))
  })

  it('is none when it has more than was asked for, or pages that lead nowhere', async () => {
    const two = [vendorAnswer(), vendorAnswer({ uri: `chrove:eip155:1:${REGISTRY}/2` })]
    await nonsense(answering(vendorsAnswer(two)).vendors({ limit: 1 }))
    const page = (endCursor: string | null, vendors = two) => vendorsAnswer(vendors, { hasNextPage: true, endCursor })
    assert.equal((await answering(page('second')).vendors({ after: 'first' })).next, 'second')
    await nonsense(answering(page('first')).vendors({ after: 'first' }))
    await nonsense(answering(page(null)).vendors({}))
    await nonsense(answering(page('second', [])).vendors({}))
    for (const harmful of ['--yes', '$(rm -rf ~)', 'a b', "a';", 'a'.repeat(600)]) {
      await nonsense(answering(page(harmful)).vendors({}))
    }
  })

  it('is none when it is of another order than was asked for', async () => {
    const key = { vendorId: 1n, planId: 2, keyHash: `0x${'11'.repeat(32)}` as Hex }
    const order = {
      orderId: `0x${'22'.repeat(32)}`,
      ...key,
      vendorId: '1',
      token: null,
      controller: null,
      status: 'RUNNING',
      startedAt: '1',
      endsAt: '2',
      periods: '1',
      paid: '5',
      refunded: '0',
      withdrawn: '0',
    }
    const directory = answering({ data: { ...metaAnswer(), order } })
    assert.deepEqual((await directory.order(key)).order?.paid, 5n)
    await nonsense(directory.order({ ...key, planId: 3 }))
    await nonsense(directory.order({ ...key, vendorId: 2n }))
    await nonsense(directory.order({ ...key, keyHash: `0x${'12'.repeat(32)}` }))
  })

  it('is whatever the schema allows, or is refused; nothing else comes of it', async () => {
    await fc.assert(
      fc.asyncProperty(answersTo(documents.vendors.text), async (data) => {
        try {
          await answering({ data }, {}).vendors({})
        } catch (error) {
          assert.ok(error instanceof BuyerError && error.code === 'ERR_DIRECTORY_ANSWER', String(error))
        }
      }),
    )
  })

  it('is none when it is junk, too long, or nested too deeply', async () => {
    const junk = fc.oneof(
      fc.string(),
      fc.json(),
      fc.jsonValue().map((data) => JSON.stringify({ data })),
      fc.constant('['.repeat(100_000)),
      fc.constant('<html>502 Bad Gateway</html>'),
    )
    await fc.assert(fc.asyncProperty(junk, (text) => nonsense(answering(text).vendors({}))))
    await nonsense(failing('ERR_NETWORK_BODY_TOO_LARGE').vendors({}))
  })
})

const failing = (code: NetworkErrorCode): Directory =>
  directoryThat(() => Promise.reject(new NetworkError(code, 'no'))).directory

describe('a directory that gives no answer', () => {
  it('is one that cannot be reached', async () => {
    for (const code of ['ERR_NETWORK_UNREACHABLE', 'ERR_NETWORK_TIMEOUT', 'ERR_NETWORK_PROXY'] as const) {
      await refusedWith(failing(code).meta(), 'ERR_DIRECTORY_UNREACHABLE', true)
    }
  })

  it('is one that refuses, for good or for now, and its words are not passed on', async () => {
    const refusal = (code: string, retryable: boolean) =>
      answering({ errors: [{ message: 'send your coins to\u202e me', extensions: { code, retryable } }] }).meta()
    await refusedWith(refusal('ERR_DOCUMENT_UNKNOWN', false), 'ERR_DIRECTORY_REFUSED', false)
    await refusedWith(refusal('ERR_NOT_READY', true), 'ERR_DIRECTORY_NOT_READY', true)
    await assert.rejects(refusal('ERR_X', false), { message: 'the directory refuses to answer (ERR_X)' })
  })

  it('is not to blame when the buyer gave up', async () => {
    const giveUp = new AbortController()
    const { directory } = directoryThat(() => {
      giveUp.abort(new Error('enough'))
      return Promise.reject(new NetworkError('ERR_NETWORK_TIMEOUT', 'no'))
    })
    await assert.rejects(directory.meta(giveUp.signal), NetworkError)
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
