/** Sums are what adding up the rows of the canonical chain gives, at every block and whatever way the chain took. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { type Address, ZERO_ADDRESS } from '../../chain/types.ts'
import type { OrderState, PlanState, VendorState } from '../fold.ts'
import { address, branches, genesis, leadAlong, type Sealed } from '../testing.ts'
import { foldBatch } from '../working-set.ts'
import { chainOf, codesOf, directoryOf, doing } from './testing.ts'

interface Volume {
  readonly token: Address | null
  readonly orders: number
  readonly paid: string
  readonly refunded: string
  readonly withdrawn: string
  readonly volume: string
}

interface Told {
  readonly stats: object
  readonly vendors: { readonly nodes: readonly { vendorId: string; orderCount: number; volumes: readonly Volume[] }[] }
}

const VOLUMES = 'volumes { token orders paid refunded withdrawn volume }'
const queryAt = (number: number) => `{
  stats(block: { number: ${number} }) { vendors activeVendors plans plansOnSale orders runningOrders ${VOLUMES} }
  vendors(block: { number: ${number} }) { nodes { vendorId orderCount ${VOLUMES} } } }`

const volumesOf = (orders: readonly OrderState[]): Volume[] => {
  const byToken = Map.groupBy(orders, ({ token }) => token ?? ZERO_ADDRESS)
  const volumes = [...byToken].map(([token, all]) => {
    const sum = (name: 'paid' | 'refunded' | 'withdrawn') => all.reduce((total, order) => total + order[name], 0n)
    const [paid, refunded] = [sum('paid'), sum('refunded')]
    return {
      token,
      orders: all.length,
      paid: `${paid}`,
      refunded: `${refunded}`,
      withdrawn: `${sum('withdrawn')}`,
      volume: `${paid > refunded ? paid - refunded : 0n}`,
    }
  })
  const sorted = volumes.toSorted((a, b) => b.orders - a.orders || (a.token < b.token ? -1 : 1))
  return sorted.map((volume) => ({ ...volume, token: volume.token === ZERO_ADDRESS ? null : volume.token }))
}

/** Everything counted by hand. */
const expected = (chain: readonly Sealed[]): Told => {
  const standings = {
    vendors: new Map<string, VendorState>(),
    plans: new Map<string, PlanState>(),
    orders: new Map<string, OrderState>(),
  }
  foldBatch(
    standings,
    0n,
    chain.flatMap(({ events }) => events),
  )
  const [vendors, plans, orders] = [standings.vendors, standings.plans, standings.orders].map((map) => [
    ...map.values(),
  ]) as [VendorState[], PlanState[], OrderState[]]
  const now = chain.at(-1)?.block.timestampSeconds ?? 0
  return {
    stats: {
      vendors: vendors.length,
      activeVendors: vendors.filter(({ active }) => active).length,
      plans: plans.length,
      plansOnSale: plans.filter(({ onSale }) => onSale).length,
      orders: orders.length,
      runningOrders: orders.filter(({ cancelled, endsAt }) => !cancelled && endsAt > now).length,
      volumes: volumesOf(orders),
    },
    vendors: {
      nodes: vendors.map(({ vendorId }) => {
        const own = orders.filter((order) => order.vendorId === vendorId)
        return { vendorId: `${vendorId}`, orderCount: own.length, volumes: volumesOf(own) }
      }),
    },
  }
}

describe('stats', () => {
  it('are the sums over the rows of the canonical chain at every block, after any reorgs', async () => {
    await fc.assert(
      fc.asyncProperty(branches, fc.integer({ min: 1, max: 4 }), async (all, batchBlocks) => {
        const { ask, projection } = await directoryOf([genesis])
        const chain = await leadAlong(projection, all, batchBlocks)
        for (const { block } of chain) {
          const { data } = await ask<Told>(queryAt(block.number))
          assert.deepEqual(data, expected(chain.slice(0, block.number + 1)))
        }
      }),
      { numRuns: 15 },
    )
  })

  it('tell of the tokens that are asked for, the native coin by the zero address', async () => {
    const plans = [doing('register', 0, 0), doing('add-plan', 0, 1), doing('add-plan', 0, 3)]
    const { ask } = await directoryOf(chainOf(plans, [doing('buy', 0, 0)], [doing('buy', 0, 1), doing('buy', 1, 1)]))
    const told = async (tokens: string) => {
      const answer = await ask<{ stats: { volumes: { token: string }[] } }>(`{ stats { volumes${tokens} { token } } }`)
      return answer.errors ? codesOf(answer) : answer.data.stats.volumes.map(({ token }) => token)
    }
    assert.deepEqual(await told(''), [null, address(7)])
    assert.deepEqual(await told(`(tokens: ["${ZERO_ADDRESS}"])`), [null])
    assert.deepEqual(await told(`(tokens: ["${address(7)}", "${address(8)}"])`), [address(7)])
    assert.deepEqual(await told('(tokens: [])'), [])
    assert.deepEqual(await told(`(tokens: [${`"${ZERO_ADDRESS}", `.repeat(101)}])`), ['ERR_FILTER_INVALID'])
  })

  it('count an order whose plan was never announced, and take its money for no token', async () => {
    const chain = chainOf([doing('register', 0, 0)], [doing('add-plan', 0, 1)], [doing('buy', 0, 4)])
    const { ask } = await directoryOf(chain.map((sealed, i) => (i === 2 ? { ...sealed, events: [] } : sealed)))
    const { data } = await ask<object>(
      '{ stats { orders volumes { paid } } vendor(id: 1) { orderCount volumes { paid } } _meta { completeness { complete } } }',
    )
    assert.deepEqual(data, {
      stats: { orders: 1, volumes: [] },
      vendor: { orderCount: 1, volumes: [] },
      _meta: { completeness: { complete: false } },
    })
  })
})
