/** Paid is delivered once faults stop: whoever has an order that runs gets its credentials, and they work. */
import { ZERO_ADDRESS } from '../../chain/types.ts'
import type { Socks5Server } from '../../protocol/credentials.ts'
import type { BuyerActor } from '../world/buyer.ts'
import type { Market } from '../world/market.ts'
import { isRunningAt } from '../world/model.ts'
import { visitPage } from '../world/page.ts'
import { checkLogin } from './paid-access.ts'

const PROPERTY = 'paid is delivered once faults stop'

/** Orders that end within this while are left out, seconds: they may end before their turn. */
const REMAINING_SECONDS_MIN = 400

export const checkDelivery = async ({ world, vendors, buyers }: Market): Promise<void> => {
  const deliver = async (buyer: BuyerActor, orderId: `0x${string}`): Promise<void> => {
    const short = orderId.slice(0, 10)
    const credentials = await buyer.collect(orderId, true)
    if (!credentials) return world.breach(PROPERTY, `${buyer.name} paid order ${short} and gets no credentials`)
    const server = credentials.servers.find((each): each is Socks5Server => each.type === 'socks5')
    const doors = buyer.doors()
    const vendor = vendors.find(({ name }) => name === server?.config.address)
    if (!server || !doors || !vendor) return
    const sinceMs = world.loop.nowMs()
    const visit = await visitPage(doors, server)
    if (visit !== 'page') return world.breach(PROPERTY, `${buyer.name} has credentials of ${short}: ${visit}, no page`)
    world.reach('page fetched through a bought proxy')
    checkLogin(world, vendor, orderId, sinceMs)
  }
  for (const buyer of buyers) {
    const { orders } = await buyer.keyring()
    for (const { orderId } of orders) {
      const { market, block } = world.history.head()
      const order = market.orders.get(orderId)
      if (order && order.endsAt - block.timestampSeconds > REMAINING_SECONDS_MIN) await deliver(buyer, orderId)
    }
  }
}

/** Each buyer cancels one order that it has access by: the access has to end. */
export const cancelOneEach = async ({ world, buyers }: Market): Promise<void> => {
  for (const buyer of buyers) {
    const { market, block } = world.history.head()
    const cancellable = [...buyer.held.values()].find(({ orderId, credentials }) => {
      const order = market.orders.get(orderId)
      const byLogin = credentials.servers.some(({ type }) => type === 'socks5')
      return byLogin && order && order.controller !== ZERO_ADDRESS && isRunningAt(order, block.timestampSeconds)
    })
    if (cancellable) await buyer.cancel(cancellable.orderId, buyer.address)
  }
}

/** Access that is over is over: credentials of orders that have ended, long enough ago, no longer let anyone in. */
export const checkRevoked = async ({ world, vendors, buyers }: Market): Promise<void> => {
  for (const buyer of buyers) {
    for (const { orderId, credentials } of buyer.held.values()) {
      const server = credentials.servers.find((each): each is Socks5Server => each.type === 'socks5')
      const vendor = vendors.find(({ name }) => name === server?.config.address)
      const doors = buyer.doors()
      if (!server || !vendor || !doors) continue
      const sinceMs = world.loop.nowMs()
      const visit = await visitPage(doors, server)
      if (visit === 'page' || visit === 'login') checkLogin(world, vendor, orderId, sinceMs)
      else if (world.history.head().market.orders.get(orderId)?.cancelled)
        world.reach('access revoked by a cancellation')
    }
  }
}
