import assert from 'node:assert/strict'
import { it } from 'node:test'
import fc from 'fast-check'
import type { PaidOrder } from './orders.ts'
import { reconcile } from './reconcile.ts'

const order = fc.record(
  {
    orderId: fc.constantFrom<`0x${string}`>('0x01', '0x02', '0x03'),
    keyHash: fc.constant<`0x${string}`>('0xaa'),
    planId: fc.constant(1),
    startedAtSeconds: fc.integer({ min: 0, max: 2 }),
    endsAtSeconds: fc.integer({ min: 10, max: 12 }),
  },
  { noNullPrototype: true },
)
/** At one moment an order has one run. */
const orders = fc.uniqueArray(order, { selector: ({ orderId }) => orderId })
const sorted = (list: readonly PaidOrder[]) => list.toSorted((a, b) => a.orderId.localeCompare(b.orderId))

it('leaves open exactly what runs, each until its end', () => {
  fc.assert(
    fc.property(orders, orders, (running, open) => {
      const { revoke, provision } = reconcile(running, open)
      const replaced = new Set(provision.map(({ orderId }) => orderId))
      const kept = open.filter((entry) => !revoke.includes(entry) && !replaced.has(entry.orderId))
      assert.deepEqual(sorted([...kept, ...provision]), sorted(running))
    }),
  )
})

it('does nothing where nothing changed', () => {
  fc.assert(
    fc.property(orders, (running) => {
      assert.deepEqual(reconcile(running, running), { revoke: [], provision: [] })
    }),
  )
})

it('takes back the access of a cancelled run when the same order is bought again', () => {
  const first: PaidOrder = { orderId: '0x01', keyHash: '0xaa', planId: 1, startedAtSeconds: 1, endsAtSeconds: 9 }
  const second = { ...first, startedAtSeconds: 5, endsAtSeconds: 20 }
  assert.deepEqual(reconcile([second], [first]), { revoke: [first], provision: [second] })
})

it('tells the provisioner the new end of an extended order without ending its access', () => {
  const before: PaidOrder = { orderId: '0x01', keyHash: '0xaa', planId: 1, startedAtSeconds: 1, endsAtSeconds: 9 }
  const after = { ...before, endsAtSeconds: 20 }
  assert.deepEqual(reconcile([after], [before]), { revoke: [], provision: [after] })
})
