/** What events make of rows, and what their counters give away. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import type { ChroveEvent } from '../chain/events.ts'
import { planKey, vendorKey } from './columns.ts'
import type { Operation } from './testing.ts'
import { operations, seal } from './testing.ts'
import { foldBatch, type Standings } from './working-set.ts'

const empty = (): Standings => ({ vendors: new Map(), plans: new Map(), orders: new Map() })

const doing = (kind: Operation['kind'], who = 0, value = 0): Operation => ({ kind, who, value, words: 'x' })

/** One event a block. */
const eventsOf = (...all: readonly Operation[]): ChroveEvent[] =>
  seal(all.map((one) => ({ fork: 1, operations: [one] }))).flatMap(({ events }) => events)

const gapsOf = (events: readonly ChroveEvent[]) =>
  foldBatch(empty(), 0n, events).gaps.map(({ kind, subject, expected, found }) => [kind, subject, expected, found])

describe('fold', () => {
  it('finds no gap in what the contracts write, in whatever order it is handed over', () => {
    fc.assert(
      fc.property(operations, fc.infiniteStream(fc.nat()), (blocks, order) => {
        const events = seal(blocks.map((some) => ({ fork: 1, operations: some }))).flatMap((block) => block.events)
        const keyed = events.map((event) => ({ event, key: order.next().value }))
        const shuffled = keyed.toSorted((a, b) => a.key - b.key).map(({ event }) => event)
        const standings = empty()
        assert.deepEqual(foldBatch(standings, 0n, shuffled).gaps, [])
        const straight = empty()
        foldBatch(straight, 0n, events)
        assert.deepEqual(standings, straight)
      }),
    )
  })

  it('makes one version per row and block, the last, with its evidence', () => {
    const [, block] = seal([{ fork: 1, operations: [doing('register'), doing('profile'), doing('keys', 3)] }])
    const { versions } = foldBatch(empty(), 0n, block?.events ?? [])
    const [version, ...more] = versions.vendors.get(vendorKey(1n)) ?? []
    assert.deepEqual(more, [])
    assert.equal(version?.state.version, 3)
    assert.equal(version?.evidence, block?.events[2]?.evidence)
  })

  const story = eventsOf(
    doing('register'),
    doing('register'),
    doing('add-plan'),
    doing('add-plan'),
    doing('profile'),
    doing('buy'),
    doing('withdraw'),
  )
  const without = (...missing: readonly number[]) => gapsOf(story.filter((_, index) => !missing.includes(index)))

  it('notices each kind of event that is missing', () => {
    assert.deepEqual(without(), [])
    assert.deepEqual(without(1, 2, 3, 4, 5, 6), [])
    assert.deepEqual(without(0, 2, 3, 4, 5, 6), [['vendor-id', 'registry', 1n, 2n]])
    assert.deepEqual(without(2, 4, 5, 6), [['vendor-version', '1', 2n, 3n]])
    assert.deepEqual(without(3, 5, 6), [['vendor-version', '1', 3n, 4n]])
    assert.deepEqual(without(5), [['unknown-order', story[5] && 'orderId' in story[5] ? story[5].orderId : '', 1n, 0n]])
    assert.deepEqual(without(2, 3, 4, 6), [['unknown-plan', '1', 0n, 1n]])
    assert.deepEqual(without(0, 1, 3, 4, 5, 6), [['unknown-vendor', '1', 1n, 2n]])
  })

  it('notices an event that comes twice, and does not go back to what it says', () => {
    const [register, , addPlan, , profile] = story
    if (!register || !addPlan || !profile) throw new Error('made above')
    const later = (event: ChroveEvent): ChroveEvent => ({ ...event, evidence: { ...event.evidence, blockNumber: 99 } })
    for (const repeated of [register, addPlan, profile]) {
      const standings = empty()
      foldBatch(standings, 0n, story)
      const before = structuredClone(standings)
      const { gaps } = foldBatch(standings, 2n, [later(repeated)])
      assert.equal(gaps.length, 1)
      assert.deepEqual(standings, before)
    }
  })

  it('adds what extends a run, and begins a new run after its end or cancellation', () => {
    const run = (...more: readonly Operation[]) => {
      const standings = empty()
      foldBatch(standings, 0n, eventsOf(doing('register'), doing('add-plan', 0, 1), ...more))
      const [order] = standings.orders.values()
      return { ...order, spell: (order?.endsAt ?? 0) - (order?.startedAt ?? 0) }
    }
    const [block] = seal([
      { fork: 1, operations: [doing('register'), doing('add-plan', 0, 1), doing('buy', 0, 4), doing('buy', 0, 4)] },
    ]).slice(1)
    const standings = empty()
    foldBatch(standings, 0n, block?.events ?? [])
    const [extended] = standings.orders.values()
    assert.equal(extended?.periods, 2)
    assert.equal(extended?.endsAt, (extended?.startedAt ?? 0) + 10)
    assert.equal(extended?.paid, 8n * 10n ** 20n)

    // A block is 12 seconds and the longest purchase 5.
    const anew = run(doing('buy', 0, 4), doing('buy', 0, 1))
    assert.equal(anew.periods, 1)
    assert.equal(anew.spell, 2)
    assert.equal(anew.paid, 5n * 10n ** 20n)
  })

  it('ends a running order that the vendor refunds, and leaves one that is over as it is', () => {
    const standings = empty()
    const orderOf = (...more: readonly Operation[]) => {
      const [, block] = seal([{ fork: 1, operations: [doing('register'), doing('add-plan', 0, 1), ...more] }])
      foldBatch(standings, 0n, block?.events ?? [])
      const [order] = standings.orders.values()
      return order
    }
    const running = orderOf(doing('buy', 0, 4), doing('refund', 0, 7))
    assert.deepEqual([running?.cancelled, running?.refunded], [true, 7n])
    assert.equal(running?.endsAt, running?.startedAt)

    standings.orders.clear()
    // A block is 12 seconds and the longest purchase 5.
    const [, bought, refunded] = seal([
      { fork: 1, operations: [doing('register'), doing('add-plan', 0, 1), doing('buy', 0, 4)] },
      { fork: 1, operations: [doing('refund', 0, 7)] },
    ])
    foldBatch(standings, 0n, [...(bought?.events ?? []), ...(refunded?.events ?? [])])
    const [over] = standings.orders.values()
    assert.deepEqual([over?.cancelled, over?.refunded], [false, 7n])
    assert.equal(over?.endsAt, (over?.startedAt ?? 0) + 5)
  })

  it('names rows so that their text order is the order of their numbers', () => {
    const id = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })
    const planId = fc.nat(2 ** 31 - 1)
    fc.assert(
      fc.property(id, id, planId, planId, (a, b, p, q) => {
        assert.equal(vendorKey(a) < vendorKey(b), a < b)
        assert.equal(planKey(a, p) < planKey(b, q), a < b || (a === b && p < q))
      }),
    )
  })
})
