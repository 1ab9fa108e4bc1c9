/** Lists: what is in them, in which order, and page by page. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { address, batchOf, operations } from '../testing.ts'
import { type Answer, chainOf, codesOf, directoryOf, doing } from './testing.ts'

interface Page {
  readonly totalCount: number
  readonly edges: readonly { readonly cursor: string; readonly node: { readonly id: string } }[]
  readonly nodes: readonly { readonly id: string }[]
  readonly pageInfo: {
    readonly hasNextPage: boolean
    readonly hasPreviousPage: boolean
    readonly startCursor: string | null
    readonly endCursor: string | null
  }
}

interface Dated extends Omit<Page, 'nodes'> {
  readonly nodes: readonly { readonly id: string; readonly evidence: { readonly blockNumber: number } }[]
}

describe('a list', () => {
  const lists = [
    ...['ID', 'CREATED', 'CHANGED'].map((field) => ['vendors', field, ''] as const),
    ['vendors', 'PRICE', `filter: { plan: { token: "${address(7)}" } }`] as const,
    ['vendors', 'VOLUME', '', `, token: "${address(7)}"`] as const,
    ...['ID', 'CREATED', 'CHANGED'].map((field) => ['plans', field, ''] as const),
    ['plans', 'PRICE', `filter: { token: "${address(7)}" }`] as const,
    ...['ID', 'CHANGED', 'STARTED_AT', 'ENDS_AT'].map((field) => ['orders', field, ''] as const),
    ['orders', 'ENDS_AT', `filter: { token: "${address(7)}" }`] as const,
  ]

  it('is the same whole, in pages forward, and in pages backward, in every order', async () => {
    await fc.assert(
      fc.asyncProperty(
        operations,
        fc.integer({ min: 1, max: 5 }),
        fc.constantFrom('ASC', 'DESC'),
        async (blocks, size, direction) => {
          const { ask } = await directoryOf(chainOf(...blocks))
          for (const [list, field, filter, more = ''] of lists) {
            const walk = async (forward: boolean) => {
              const ids: string[] = []
              let cursor: string | null = null
              for (;;) {
                const [sizeName, cursorName] = forward ? ['first', 'after'] : ['last', 'before']
                const place: string = cursor === null ? '' : `${cursorName}: "${cursor}"`
                const answer: Answer<{ page: Page }> =
                  await ask(`{ page: ${list}(${filter} orderBy: { field: ${field}, direction: ${direction}${more} } ${sizeName}: ${size} ${place}) {
                totalCount edges { cursor node { id } } nodes { id }
                pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }`)
                assert.equal(answer.errors, undefined)
                const { edges, nodes, pageInfo, totalCount } = answer.data.page
                const page: string[] = edges.map(({ node }) => node.id)
                assert.deepEqual(
                  nodes.map(({ id }) => id),
                  page,
                )
                assert.equal(pageInfo.startCursor, edges[0]?.cursor ?? null)
                assert.equal(pageInfo.endCursor, edges.at(-1)?.cursor ?? null)
                if (forward) ids.push(...page)
                else ids.unshift(...page)
                assert.equal(forward ? pageInfo.hasPreviousPage : pageInfo.hasNextPage, cursor !== null)
                if (!(forward ? pageInfo.hasNextPage : pageInfo.hasPreviousPage)) {
                  assert.equal(totalCount, ids.length)
                  return ids
                }
                cursor = forward ? pageInfo.endCursor : pageInfo.startCursor
              }
            }
            const forward = await walk(true)
            assert.deepEqual(await walk(false), forward)
            assert.equal(new Set(forward).size, forward.length)
          }
        },
      ),
      { numRuns: 12 },
    )
  })

  it('of plans of a vendor is the list of plans filtered by that vendor, page by page', async () => {
    const blocks = Array.from({ length: 9 }, (_, value) => [doing('add-plan', value % 2, value)])
    const { ask } = await directoryOf(chainOf([doing('register', 1, 1), doing('register', 2, 2)], ...blocks))
    const shape = 'totalCount nodes { id } pageInfo { hasNextPage hasPreviousPage endCursor }'
    const first = await ask<{ vendors: { nodes: { vendorId: string; plans: Page }[] } }>(
      `{ vendors { nodes { vendorId plans(first: 2) { ${shape} } } } }`,
    )
    for (const { vendorId, plans } of first.data.vendors.nodes) {
      const same = await ask<{ plans: Page }>(`{ plans(first: 2, filter: { vendorId: ${vendorId} }) { ${shape} } }`)
      assert.deepEqual(plans, same.data.plans)
      const next = `first: 2, after: "${plans.pageInfo.endCursor}"`
      const nested = await ask<{ vendor: { plans: Page } }>(
        `{ vendor(id: ${vendorId}) { plans(${next}) { ${shape} } } }`,
      )
      const flat = await ask<{ plans: Page }>(`{ plans(${next}, filter: { vendorId: ${vendorId} }) { ${shape} } }`)
      assert.deepEqual(nested.data.vendor.plans, flat.data.plans)
      assert.equal(nested.data.vendor.plans.pageInfo.hasPreviousPage, true)
    }
  })

  it('is sorted by price as numbers are, not as text', async () => {
    const { ask } = await directoryOf(
      chainOf(
        [doing('register', 1, 1)],
        [1, 2, 4, 5, 28, 29, 10, 11].map((value) => doing('add-plan', 0, value)),
      ),
    )
    const answer = await ask<{ plans: { nodes: { pricePerDay: string }[] } }>(
      `{ plans(filter: { token: "${address(7)}" }, orderBy: { field: PRICE }) { nodes { pricePerDay } } }`,
    )
    const prices = answer.data.plans.nodes.map(({ pricePerDay }) => BigInt(pricePerDay))
    assert.deepEqual(
      prices,
      prices.toSorted((a, b) => (a < b ? -1 : 1)),
    )
    assert.equal(prices.length, 8)
  })

  it('is read whole over many pages while the chain goes on: as of one block, or all that did not change', async () => {
    await fc.assert(
      fc.asyncProperty(
        operations,
        operations,
        fc.constantFrom(...lists),
        fc.constantFrom('ASC', 'DESC'),
        async (before, later, [list, field, filter, more = ''], direction) => {
          const chain = chainOf(...before, ...later)
          const { ask, projection } = await directoryOf(chain.slice(0, before.length + 1))
          const at = chain[before.length]?.block.hash
          const read = async (args: string): Promise<Dated> => {
            const answer = await ask<{ page: Dated }>(
              `{ page: ${list}(${filter} orderBy: { field: ${field}, direction: ${direction}${more} } ${args}) {
                nodes { id evidence { blockNumber } } pageInfo { endCursor hasNextPage } } }`,
            )
            assert.equal(answer.errors, undefined)
            return answer.data.page
          }
          const whole = (await read('first: 100')).nodes
          const upcoming = chain.slice(before.length + 1)
          const walk = { pinned: [] as string[], loose: [] as string[] }
          const cursors: { pinned: string | null; loose: string | null } = { pinned: null, loose: null }
          const from = (cursor: string | null) => `first: 2 ${cursor === null ? '' : `after: "${cursor}"`}`
          for (let ends = false; !ends;) {
            const one = await read(`${from(cursors.pinned)} block: { hash: "${at}" }`)
            const other = await read(from(cursors.loose))
            walk.pinned.push(...one.nodes.map(({ id }) => id))
            walk.loose.push(...other.nodes.map(({ id }) => id))
            cursors.pinned = one.pageInfo.endCursor ?? cursors.pinned
            cursors.loose = other.pageInfo.endCursor ?? cursors.loose
            ends = !one.pageInfo.hasNextPage && !other.pageInfo.hasNextPage && upcoming.length === 0
            const next = upcoming.shift()
            if (next) await projection.apply(batchOf([next]))
          }
          assert.deepEqual(
            walk.pinned,
            whole.map(({ id }) => id),
          )
          // A vendor's price and volume change by its plans and orders, and then its own row does not tell.
          if (field === 'PRICE' || field === 'VOLUME') return
          const all = [...whole, ...(await read('first: 100')).nodes]
          const changed = all.filter(({ evidence }) => evidence.blockNumber > before.length).map(({ id }) => id)
          const still = whole.map(({ id }) => id).filter((id) => !changed.includes(id))
          const seen = walk.loose.filter((id) => still.includes(id))
          assert.deepEqual(seen, still)
        },
      ),
      { numRuns: 40 },
    )
  })

  it('has nothing before a page when all that comes before is filtered out, nor after', async () => {
    const { ask } = await directoryOf(chainOf([1, 2, 3].map((who) => doing('register', who, who))))
    const all = await ask<{ vendors: Page }>('{ vendors { edges { cursor } } }')
    const [first, , third] = all.data.vendors.edges
    const page = async (args: string) => {
      const query = `{ vendors(${args}) { nodes { id } pageInfo { hasPreviousPage hasNextPage } } }`
      return (await ask<{ vendors: Page }>(query)).data.vendors
    }
    const alone = { hasPreviousPage: false, hasNextPage: false }
    const behind = await page(`filter: { ids: [2, 3] }, after: "${first?.cursor}"`)
    assert.deepEqual(behind, { nodes: [{ id: 'vendor:2' }, { id: 'vendor:3' }], pageInfo: alone })
    const before = await page(`filter: { ids: [1, 2] }, last: 5, before: "${third?.cursor}"`)
    assert.deepEqual(before, { nodes: [{ id: 'vendor:1' }, { id: 'vendor:2' }], pageInfo: alone })
  })

  it('refuses garbage where a cursor belongs, whatever it is', async () => {
    const { ask } = await directoryOf(chainOf([doing('register', 1, 1)]))
    const encoded = fc.json().map((json) => Buffer.from(json).toString('base64url'))
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.string({ unit: 'binary' }), encoded, fc.base64String()), async (cursor) => {
        const answer = await ask('query ($c: String) { vendors(after: $c) { nodes { id } } }', { c: cursor })
        assert.deepEqual(codesOf(answer), ['ERR_CURSOR_INVALID'])
      }),
      { numRuns: 60 },
    )
  })

  it('refuses a cursor of another order, both ends at once, and pages of no or too many rows', async () => {
    const paid = [doing('register', 1, 1), doing('add-plan', 0, 1), doing('buy', 0, 1)]
    const { ask } = await directoryOf(chainOf(paid))
    const { data } = await ask<{ vendors: Page }>('{ vendors { pageInfo { endCursor } } }')
    const cursor = data.vendors.pageInfo.endCursor
    const refused = async (args: string) => codesOf(await ask(`{ vendors(${args}) { nodes { id } } }`))
    assert.deepEqual(await refused(`after: "${cursor}", orderBy: { field: CHANGED }`), ['ERR_CURSOR_INVALID'])
    const byVolume = (token: number) => `orderBy: { field: VOLUME, token: "${address(token)}" }`
    const volumes = await ask<{ vendors: Page }>(`{ vendors(${byVolume(7)}) { pageInfo { endCursor } } }`)
    const place = volumes.data.vendors.pageInfo.endCursor
    assert.deepEqual(await refused(`after: "${place}", ${byVolume(7)}`), [])
    assert.deepEqual(await refused(`after: "${place}", ${byVolume(8)}`), ['ERR_CURSOR_INVALID'])
    assert.deepEqual(await refused('first: 1, last: 1'), ['ERR_PAGE_ARGUMENTS'])
    for (const rows of [0, -1, 101]) assert.deepEqual(await refused(`first: ${rows}`), ['ERR_PAGE_ARGUMENTS'])
  })
})

describe('a filter', () => {
  const found = async (args: string) => {
    const { ask } = await directoryOf(
      chainOf([
        doing('register', 1, 1, 'proxy'),
        doing('register', 2, 2, '100% Ünïcode_Relay'),
        doing('register', 3, 3, 'relay'),
      ]),
    )
    const answer = await ask<{ vendors: { nodes: { vendorId: string }[] } }>(
      `{ vendors(${args}) { nodes { vendorId } } }`,
    )
    return answer.errors ? codesOf(answer) : answer.data.vendors.nodes.map(({ vendorId }) => vendorId)
  }

  it('finds service types as whole words', async () => {
    assert.deepEqual(await found('filter: { serviceType: "Relay" }'), ['3'])
    assert.deepEqual(await found('filter: { serviceType: "rel" }'), [])
    assert.deepEqual(await found('filter: { serviceType: "relay|" }'), [])
    for (const wild of ['%', 'rela_', "' or 1=1 --", String.raw`\\`, String.raw`\u0000`]) {
      assert.deepEqual(await found(`filter: { serviceType: "${wild}" }`), [])
    }
  })

  it('by price or volume asks for the token that they are in', async () => {
    assert.deepEqual(await found('orderBy: { field: PRICE }'), ['ERR_ORDER_NEEDS_TOKEN'])
    assert.deepEqual(await found('orderBy: { field: VOLUME }'), ['ERR_ORDER_NEEDS_TOKEN'])
    assert.deepEqual(await found('filter: { plan: { maxPricePerDay: 5 } }'), ['ERR_ORDER_NEEDS_TOKEN'])
  })
})
