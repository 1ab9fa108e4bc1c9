/** The contracts' views equal the model, which everything else is held against. */
import { createContractReader } from '../../chain/contracts.ts'
import { ZERO_ADDRESS, type Hex } from '../../chain/types.ts'
import { keptKey, owed, planOf, refundable, type OrderModel } from '../world/model.ts'
import { viewPayments } from '../world/payments-view.ts'
import type { World } from '../world/world.ts'
import { difference } from './difference.ts'

const PROPERTY = 'contract views equal the model'

/** Where Payments is asked what it has. */
const faultless = ({ chain, contracts }: World) => ({ chain: chain.node, payments: contracts.payments })

/** Blocks stand still meanwhile. */
export const checkViews = async (world: World): Promise<void> => {
  await checkListings(world)
  await checkOrders(world)
  await checkChannels(world)
  await checkKept(world)
}

const checkListings = async ({ contracts: { registry }, chain, history, breach }: World): Promise<void> => {
  const reader = createContractReader(chain.node)
  const { market, block } = history.head()
  const count = await reader.vendorCount(registry, block.number)
  if (count !== BigInt(market.vendors.size)) breach(PROPERTY, `${count} vendors, not ${market.vendors.size}`)
  const hex = ({ bytes }: { bytes: Uint8Array }): Hex => `0x${Buffer.from(bytes).toString('hex')}`
  for (const [vendorId, model] of market.vendors) {
    const { vendor, plans } = await reader.listing(registry, vendorId, block.number)
    const texts = { endpoints: vendor.endpoints.map(hex), profile: hex(vendor.profile) }
    const found = difference([{ ...vendor, ...texts }], [{ ...model }])
    if (found) breach(PROPERTY, `vendor ${vendorId}: the contract ${found}`)
    const listed = plans.map(({ token, price, periodSeconds, maxPeriods, settlement, onSale }) => {
      return { token, price, periodSeconds, maxPeriods, settlement, onSale }
    })
    const known = plans.map((_, index) => {
      const plan = planOf(market, { vendorId, planId: index + 1 })
      return { ...plan?.terms, onSale: plan?.onSale }
    })
    const other = difference(listed, known)
    if (other) breach(PROPERTY, `plans of vendor ${vendorId}: the contract ${other}`)
  }
}

const checkOrders = async (world: World): Promise<void> => {
  const { market, block } = world.history.head()
  const ids = [...market.orders.keys()]
  const told = await viewPayments(faultless(world), block.number, 'orders', ids)
  const known = [...market.orders.values()].map((order: OrderModel) => {
    const { orderId, controller, startedAt, endsAt, periods, cancelled } = order
    const plan = planOf(market, order)
    const earned = plan && owed(order, plan, block.timestampSeconds)
    const due = plan && refundable(order, plan, block.timestampSeconds)
    return { orderId, controller, startedAt, endsAt, periods, cancelled, earned, refundable: due }
  })
  const found = difference(
    told.map((order, index) => ({ orderId: ids[index], ...order })),
    known,
  )
  if (found) world.breach(PROPERTY, `orders: the contract ${found}`)
}

const checkChannels = async (world: World): Promise<void> => {
  const { market, block } = world.history.head()
  const ids = [...market.channels.keys()]
  const told = await viewPayments(faultless(world), block.number, 'channels', ids)
  const known = [...market.channels.values()].map(
    ({ channelId, balance, claimed, refunds, withdrawTo, withdrawableAt }) => {
      return { channelId, balance, claimed, refunds, withdrawTo, withdrawableAt }
    },
  )
  const found = difference(
    told.map((channel, index) => ({ channelId: ids[index], ...channel })),
    known,
  )
  if (found) world.breach(PROPERTY, `channels: the contract ${found}`)
}

const checkKept = async (world: World): Promise<void> => {
  const { market, block } = world.history.head()
  for (const vendorId of market.vendors.keys()) {
    for (const money of [ZERO_ADDRESS, world.token.address]) {
      const told = await viewPayments(faultless(world), block.number, 'kept', vendorId, money)
      const known = market.kept.get(keptKey(vendorId, money)) ?? 0n
      if (told !== known) world.breach(PROPERTY, `${told} of ${money} are kept for vendor ${vendorId}, not ${known}`)
    }
  }
}
