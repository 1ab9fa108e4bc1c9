import assert from 'node:assert/strict'
import { it } from 'node:test'
import { silentLog } from '../effects/log.ts'
import type { Server } from '../protocol/credentials.ts'
import { createAccessKeeper } from './access.ts'
import type { PaidOrder } from './orders.ts'

const order: PaidOrder = { orderId: '0x01', keyHash: '0xaa', planId: 1, startedAtSeconds: 1, endsAtSeconds: 100 }
const server: Server = {
  type: 'ss',
  server_name: 'one',
  config: { address: '203.0.113.5', port: 1984, method: 'aes-256-gcm', key: 'k' },
}

const openKeeper = () => {
  const paid = { orders: [] as PaidOrder[] }
  const open = new Set<string>()
  const provisioner = {
    provision: ({ orderId, startedAtSeconds }: PaidOrder) => {
      open.add(`${orderId} ${startedAtSeconds}`)
      return Promise.resolve([server])
    },
    revoke: ({ orderId, startedAtSeconds }: PaidOrder) => {
      open.delete(`${orderId} ${startedAtSeconds}`)
      return Promise.resolve()
    },
  }
  const keeper = createAccessKeeper({
    clock: { nowMs: () => 50_000, sleep: () => Promise.resolve() },
    log: silentLog,
    store: { runningOrders: () => Promise.resolve(paid.orders) },
    deliveries: { provisionerFor: () => provisioner },
  })
  return { keeper, paid, open }
}

it('opens what is paid, and ends it when it is no longer', async () => {
  const { keeper, paid, open } = openKeeper()
  paid.orders = [order]
  await keeper.settle()
  assert.deepEqual([...open], ['0x01 1'])
  paid.orders = []
  await keeper.settle()
  assert.deepEqual([...open], [])
})

it('ends access that a buyer collected before the first turn after the payment, when that is cancelled', async () => {
  const { keeper, paid, open } = openKeeper()
  assert.deepEqual(await keeper.open(order), [server])
  paid.orders = []
  await keeper.settle()
  assert.deepEqual([...open], [])
})

it('ends the access of a cancelled run when the order is bought again between two turns', async () => {
  const { keeper, paid, open } = openKeeper()
  paid.orders = [order]
  await keeper.settle()
  paid.orders = [{ ...order, startedAtSeconds: 60 }]
  await keeper.settle()
  assert.deepEqual([...open], ['0x01 60'])
})

it('does not end what was opened while it looked', async () => {
  const { keeper, open } = openKeeper()
  const settling = keeper.settle()
  await keeper.open(order)
  await settling
  assert.deepEqual([...open], ['0x01 1'])
})
