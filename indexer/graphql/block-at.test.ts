/** Answers for blocks of the past, and the status that the time of a block gives. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { genesis, hash, operations, type Sealed, SOURCE } from '../testing.ts'
import { chainOf, codesOf, directoryOf, doing } from './testing.ts'

describe('an answer for a block', () => {
  it('is the answer that a directory gives which has read no further', async () => {
    const everything = `{ vendors(first: 100 BLOCK) { nodes { id version active owner endpoints { bytes } profile { title } evidence { blockHash logIndex } } }
      plans(first: 100 BLOCK) { nodes { id onSale price evidence { blockNumber } } }
      orders(first: 100 BLOCK) { nodes { id status paid refunded withdrawn endsAt } } }`
    await fc.assert(
      fc.asyncProperty(operations, async (blocks) => {
        const chain = chainOf(...blocks)
        const { ask, db } = await directoryOf(chain)
        for (const { block } of chain) {
          const prefix = await directoryOf(chain.slice(0, block.number + 1))
          const expected = await prefix.ask(everything.replaceAll('BLOCK', ''))
          for (const at of [`number: ${block.number}`, `hash: "${block.hash}"`]) {
            assert.deepEqual(await ask(everything.replaceAll('BLOCK', `block: { ${at} }`)), expected)
          }
          await prefix.db.destroy()
        }
        await db.destroy()
      }),
      { numRuns: 8 },
    )
  })

  it('is refused for a block that is not known, or not yet', async () => {
    const { ask } = await directoryOf(chainOf([]))
    const refused = async (block: string) => codesOf(await ask(`{ _meta(block: { ${block} }) { block { number } } }`))
    assert.deepEqual(await refused('number: -1'), ['ERR_BLOCK_UNKNOWN'])
    assert.deepEqual(await refused(`hash: "${hash(12)}"`), ['ERR_BLOCK_UNKNOWN'])
    assert.deepEqual(await refused('number: 2'), ['ERR_BLOCK_NOT_REACHED'])
    assert.deepEqual(await refused('numberGte: 2'), ['ERR_BLOCK_NOT_REACHED'])
    assert.deepEqual(await refused('numberGte: 1'), [])
    assert.deepEqual(await refused('number: 1, numberGte: 1'), ['GRAPHQL_VALIDATION_FAILED'])
  })

  it('reads the header of a final block that is not on record from the chain', async () => {
    const chain = chainOf([doing('register', 0, 0)], [doing('add-plan', 0, 1), doing('buy', 0, 0)], [], [])
    const { ask, db } = await directoryOf(chain)
    await db.deleteFrom('blocks').where('number', 'in', [1, 2]).execute()
    const { data } = await ask<{ orders: { nodes: object[] }; _meta: { block: { hash: string } } }>(
      '{ orders(block: { number: 2 }) { nodes { status } } _meta(block: { number: 2 }) { block { hash } } }',
    )
    assert.equal(data._meta.block.hash, chain[2]?.block.hash)
    assert.deepEqual(data.orders.nodes, [{ status: 'RUNNING' }])
    assert.deepEqual(
      (await ask<{ orders: { nodes: object[] } }>('{ orders { nodes { status } } }')).data.orders.nodes,
      [{ status: 'ENDED' }],
    )
  })

  it('is refused when a reorg took the block away while it was made', async () => {
    const chain = chainOf([], [], [])
    const readHeader = async () => {
      await projection.rollBack(genesis.block)
      return chain[1]?.block
    }
    const { ask, db, projection } = await directoryOf(chain, { readHeader })
    await db.deleteFrom('blocks').where('number', '=', 1).execute()
    assert.deepEqual(codesOf(await ask('{ _meta(block: { number: 1 }) { block { number } } }')), ['ERR_BLOCK_REPLACED'])
  })
})

describe('an order', () => {
  it('is found by vendor, plan and key; null when it was never bought', async () => {
    const { ask } = await directoryOf(chainOf([doing('register', 0, 0), doing('add-plan', 0, 1), doing('buy', 0, 4)]))
    const query =
      'query ($k: Bytes32!) { order(vendorId: 1, planId: 1, keyHash: $k) { status plan { planId vendor { uri } } node: id } }'
    const { data } = await ask<{ order: { status: string; node: string; plan: { vendor: { uri: string } } } }>(query, {
      k: hash(0),
    })
    assert.equal(data.order.status, 'RUNNING')
    assert.equal(data.order.plan.vendor.uri, `chrove:eip155:31337:${SOURCE.registry}/1`)
    assert.equal((await ask<{ order: null }>(query, { k: hash(1) })).data.order, null)
    const again = await ask<{ node: object }>('query ($id: ID!) { node(id: $id) { id __typename } }', {
      id: data.order.node,
    })
    assert.deepEqual(again.data.node, { id: data.order.node, __typename: 'Order' })
  })

  it('is of one status by the time of the block: running, ended or cancelled', async () => {
    const bought = [doing('register', 0, 0), doing('add-plan', 0, 1), doing('buy', 0, 4)]
    const statuses = async (chain: readonly Sealed[]) => {
      const { ask } = await directoryOf(chain)
      const counts = ['RUNNING', 'ENDED', 'CANCELLED'].map(
        (status) => `${status}: orders(filter: { status: ${status} }) { totalCount nodes { status } }`,
      )
      const { data } = await ask<Record<string, { totalCount: number; nodes: { status: string }[] }>>(
        `{ ${counts.join(' ')} }`,
      )
      return Object.entries(data).flatMap(([name, { totalCount, nodes }]) => (totalCount === 0 ? [] : [name, ...nodes]))
    }
    assert.deepEqual(await statuses(chainOf(bought)), ['RUNNING', { status: 'RUNNING' }])
    assert.deepEqual(await statuses(chainOf(bought, [])), ['ENDED', { status: 'ENDED' }])
    assert.deepEqual(await statuses(chainOf([...bought, doing('cancel', 0, 0)])), [
      'CANCELLED',
      { status: 'CANCELLED' },
    ])
  })
})
