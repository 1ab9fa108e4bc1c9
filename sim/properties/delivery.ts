/** Paid is delivered once faults stop: whoever has an order that runs gets its credentials, and they work. */
import { ZERO_ADDRESS } from '../../chain/types.ts'
import type { Socks5Server } from '../../protocol/credentials.ts'
import type { BuyerActor, Held } from '../world/buyer.ts'
import type { Market } from '../world/market.ts'
import { isRunningAt } from '../world/model.ts'
import { visitPage } from '../world/page.ts'
import { checkLogin, noteRevoked } from './paid-access.ts'

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

/** An order that a buyer has access by, and that can end before its time. */
const endable = ({ world }: Market, buyer: BuyerActor): Held | undefined => {
  const { market, block } = world.history.head()
  return [...buyer.held.values()].find(({ orderId, credentials }) => {
    const order = market.orders.get(orderId)
    const byLogin = credentials.servers.some(({ type }) => type === 'socks5')
    return byLogin && order && order.controller !== ZERO_ADDRESS && isRunningAt(order, block.timestampSeconds)
  })
}

/** Each buyer cancels one order, and has another one given back: the access has to end. */
export const endTwoEach = async (market: Market): Promise<void> => {
  const { world, vendors, buyers } = market
  for (const buyer of buyers) {
    const one = endable(market, buyer)
    if (one) await buyer.cancel(one.orderId, buyer.address)
    const other = endable(market, buyer)
    const vendorId = other && world.history.head().market.orders.get(other.orderId)?.vendorId
    const vendor = vendors.find((each) => each.vendorId === vendorId)
    if (other && vendor) await vendor.giveBack(other.orderId, 0n)
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
      else noteRevoked(world, orderId)
    }
  }
}
