/** The history of a thing is what it was at every block, whatever way the chain took. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { HEADERS_PER_RUN_MAX } from '../limits.ts'
import { branches, genesis, leadAlong, type Sealed } from '../testing.ts'
import { foldBatch } from '../working-set.ts'
import { type Answer, chainOf, codesOf, directoryOf, doing } from './testing.ts'

interface Versions {
  readonly totalCount: number
  readonly nodes: readonly {
    readonly fromBlock: number
    readonly toBlock: number | null
    readonly evidence: object
    readonly subject: object
  }[]
}

const SUBJECTS = {
  vendors: [
    'vendor',
    'version active owner pendingOwner planCount signingKey endpoints { bytes } profile { title raw { bytes } }',
  ],
  plans: ['plan', 'onSale price token title { bytes }'],
  orders: ['order', 'status startedAt endsAt periods paid refunded withdrawn'],
} as const

const evidence = 'evidence { blockNumber blockHash transactionHash logIndex finalized }'

/** What the fold says of every row of a kind: who made each version, and when. */
const folded = (chain: readonly Sealed[], table: keyof typeof SUBJECTS) => {
  const standings = { vendors: new Map(), plans: new Map(), orders: new Map() }
  const { versions } = foldBatch(
    standings,
    0n,
    chain.flatMap(({ events }) => events),
  )
  return [...versions[table].values()]
    .map((all) =>
      all.map((version, index) => ({
        fromBlock: version.evidence.blockNumber,
        toBlock: all[index + 1]?.evidence.blockNumber ?? null,
        evidence: {
          blockNumber: version.evidence.blockNumber,
          blockHash: version.evidence.blockHash,
          transactionHash: version.evidence.transactionHash,
          logIndex: version.evidence.logIndex,
          finalized: version.evidence.blockNumber === 0,
        },
      })),
    )
    .toSorted((a, b) => JSON.stringify(a).localeCompare(JSON.stringify(b)))
}

describe('history', () => {
  it('is the fold of the canonical chain, and each version what the directory says at its block, after any reorgs', async () => {
    await fc.assert(
      fc.asyncProperty(branches, fc.integer({ min: 1, max: 4 }), async (all, batchBlocks) => {
        const { ask, projection } = await directoryOf([genesis])
        const chain = await leadAlong(projection, all, batchBlocks)
        for (const [list, [kind, fields]] of Object.entries(SUBJECTS) as [
          keyof typeof SUBJECTS,
          (typeof SUBJECTS)[keyof typeof SUBJECTS],
        ][]) {
          const { data } = await ask<Record<string, { nodes: { id: string }[] }>>(
            `{ ${list}(first: 100) { nodes { id } } }`,
          )
          const type = `${kind[0]?.toUpperCase()}${kind.slice(1)}`
          const histories = await Promise.all(
            (data[list]?.nodes ?? []).map(async ({ id }) => {
              const answer = await ask<{ node: { history: Versions } }>(
                `query ($id: ID!) { node(id: $id) { ... on ${type} { history(first: 100, direction: ASC) {
                  totalCount nodes { fromBlock toBlock ${evidence} subject: ${kind} { ${fields} } } } } } }`,
                { id },
              )
              assert.equal(answer.errors, undefined)
              return { id, history: answer.data.node.history }
            }),
          )
          const bare = histories.map(({ history }) => {
            assert.equal(history.totalCount, history.nodes.length)
            return history.nodes.map(({ fromBlock, toBlock, evidence: by }) => ({ fromBlock, toBlock, evidence: by }))
          })
          assert.deepEqual(
            bare.toSorted((a, b) => JSON.stringify(a).localeCompare(JSON.stringify(b))),
            folded(chain, list),
          )
          for (const { id, history } of histories.slice(0, 4)) {
            for (const { fromBlock, toBlock, subject } of history.nodes.slice(0, 6)) {
              // The status of an order is the time's doing too, and so may change without a version.
              const last = kind === 'order' ? fromBlock : (toBlock ?? chain.length) - 1
              for (const number of new Set([fromBlock, last])) {
                const then: Answer<{ node: object }> = await ask(
                  `query ($id: ID!) { node(id: $id, block: { number: ${number} }) { ... on ${type} { ${fields} } } }`,
                  { id },
                )
                assert.deepEqual(then.data.node, subject)
              }
            }
          }
        }
      }),
      { numRuns: 10 },
    )
  })

  const told = async (query: string) => {
    const { ask } = await directoryOf(
      chainOf([doing('register', 0, 0)], [doing('profile', 0, 1), doing('profile', 0, 2)], [], [doing('active', 0, 1)]),
    )
    const answer = await ask<{ vendor: { history: { nodes: object[]; totalCount: number; pageInfo?: object } } }>(query)
    assert.deepEqual(codesOf(answer), [])
    return answer.data.vendor.history
  }

  it('is told newest first unless asked otherwise, page by page', async () => {
    const first = await told(
      '{ vendor(id: 1) { history(first: 2) { totalCount nodes { fromBlock toBlock vendor { version } } pageInfo { hasNextPage endCursor } } } }',
    )
    assert.deepEqual(first.nodes, [
      { fromBlock: 4, toBlock: null, vendor: { version: 4 } },
      { fromBlock: 2, toBlock: 4, vendor: { version: 3 } },
    ])
    assert.equal(first.totalCount, 3)
    const { endCursor } = first.pageInfo as { endCursor: string }
    const second = await told(`{ vendor(id: 1) { history(after: "${endCursor}") { nodes { fromBlock toBlock } } } }`)
    assert.deepEqual(second.nodes, [{ fromBlock: 1, toBlock: 2 }])
    const oldest = await told('{ vendor(id: 1) { history(direction: ASC, first: 1) { nodes { fromBlock } } } }')
    assert.deepEqual(oldest.nodes, [{ fromBlock: 1 }])
  })

  it('knows nothing of later blocks when it is told for an earlier one', async () => {
    const then = await told('{ vendor(id: 1, block: { number: 3 }) { history { nodes { fromBlock toBlock } } } }')
    assert.deepEqual(then.nodes, [
      { fromBlock: 2, toBlock: null },
      { fromBlock: 1, toBlock: 2 },
    ])
  })

  it('of many orders asks the chain for a bounded number of old headers', async () => {
    const buys = Array.from({ length: 40 }, (_, value) => [doing('buy', 0, value)])
    const chain = chainOf([doing('register', 0, 0), doing('add-plan', 0, 1)], ...buys)
    let asked = 0
    const { ask, db } = await directoryOf(chain, {
      readHeader: async (number) => {
        asked++
        return chain[number]?.block
      },
    })
    await db.deleteFrom('blocks').where('number', '<', 41).execute()
    const answer = await ask('{ orders { nodes { history(first: 100) { nodes { order { status } } } } } }')
    // An answer with errors is found out twice: what told it fast cannot say which.
    assert.equal(asked, 2 * HEADERS_PER_RUN_MAX)
    assert.deepEqual(new Set(codesOf(answer)), new Set(['ERR_BLOCK_UNAVAILABLE']))
  })
})
