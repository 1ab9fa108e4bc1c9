/** What events of orders change, and what they have to say. */
import type { OrderCancelled, OrderEvent, OrderPaid, OrderRefunded, OrderWithdrawn } from '../../chain/events.ts'
import { ZERO_ADDRESS } from '../../chain/types.ts'
import {
  complain,
  expecting,
  holding,
  isRunningAt,
  owed,
  planOf,
  plus,
  put,
  refundable,
  type MarketModel,
  type OrderModel,
  type PlanModel,
} from './model.ts'

/** @param seconds time of the event's block */
export const afterOrderEvent = (market: MarketModel, event: OrderEvent, seconds: number): MarketModel => {
  if (event.type === 'OrderPaid') return paid(market, event, seconds)
  const order = market.orders.get(event.orderId)
  const plan = order && planOf(market, order)
  if (!order || !plan) return complain(market, `${event.type} of ${event.orderId}, which there is not`)
  const before = { order, plan, seconds }
  switch (event.type) {
    case 'OrderCancelled':
      return cancelled(market, event, before)
    case 'OrderRefunded':
      return refunded(market, event, before)
    case 'OrderWithdrawn':
      return withdrawn(market, event, before)
  }
}

/** An order, what it is of, and the moment something happens to it. */
interface Before {
  readonly order: OrderModel
  readonly plan: PlanModel
  readonly seconds: number
}

const named = ({ orderId }: Pick<OrderModel, 'orderId'>): string => `order ${orderId.slice(0, 10)}`

/** The market with an order as it is now, and so much less of its token. */
const paidOut = (market: MarketModel, order: OrderModel, { terms }: PlanModel, amount: bigint): MarketModel =>
  holding({ ...market, orders: put(market.orders, order.orderId, order) }, terms.token, -amount)

const paid = (market: MarketModel, event: OrderPaid, seconds: number): MarketModel => {
  const { orderId, vendorId, planId, keyHash, controller, amount } = event
  const plan = planOf(market, event)
  if (!plan) return complain(market, `OrderPaid of plan ${vendorId}/${planId}, which there is not`)
  const { price, periodSeconds, settlement, token } = plan.terms
  const before = market.orders.get(orderId)
  const goesOn = before !== undefined && isRunningAt(before, seconds)
  const startedAt = goesOn ? before.startedAt : seconds
  const endsAt = (goesOn ? before.endsAt : seconds) + event.periods * periodSeconds
  const order: OrderModel = {
    ...{ orderId, vendorId, planId, keyHash, controller, startedAt, endsAt, cancelled: false, isGivenBack: false },
    periods: event.periods + (goesOn ? before.periods : 0),
    paid: (before?.paid ?? 0n) + amount,
    refunded: before?.refunded ?? 0n,
    withdrawn: before?.withdrawn ?? 0n,
    arrears: goesOn || !before ? (before?.arrears ?? 0n) : owed(before, plan, seconds),
    runWithdrawn: goesOn ? before.runWithdrawn : 0n,
  }
  const ordered = { ...market, orders: put(market.orders, orderId, order) }
  // Payments takes what it sends to itself for what it has to hold.
  const isStranded = settlement === 'Instant' && market.vendors.get(vendorId)?.payout === event.contract
  const stranded = isStranded ? plus(market.stranded, token, amount) : market.stranded
  const next = settlement === 'Streamed' || isStranded ? holding({ ...ordered, stranded }, token, amount) : ordered
  const due = price * BigInt(event.periods)
  const isTheirs =
    settlement === 'Instant'
      ? controller === ZERO_ADDRESS
      : controller !== ZERO_ADDRESS && (!goesOn || controller === before.controller)
  const isRight = amount === due && event.startedAt === startedAt && event.endsAt === endsAt && isTheirs
  return expecting(next, isRight, () => {
    const says = `${named(event)} paid ${amount} from ${event.startedAt} to ${event.endsAt} for ${controller}`
    return `${says}, not ${due} from ${startedAt} to ${endsAt}`
  })
}

const cancelled = (market: MarketModel, event: OrderCancelled, { order, plan, seconds }: Before): MarketModel => {
  const due = refundable(order, plan, seconds)
  const ended = { ...order, cancelled: true, endsAt: event.endsAt, refunded: order.refunded + event.refunded }
  const next = paidOut(market, ended, plan, event.refunded)
  const isRight = event.refunded === due && event.endsAt === seconds && isRunningAt(order, seconds)
  return expecting(next, isRight, () => `${named(event)} was cancelled for ${event.refunded}, not ${due}`)
}

/** What is not earned goes back, and whatever the vendor gives of what it earned in this run. */
const refunded = (market: MarketModel, event: OrderRefunded, { order, plan, seconds }: Before): MarketModel => {
  const unearned = refundable(order, plan, seconds)
  const extra = event.refunded - unearned
  const ended = isRunningAt(order, seconds) ? { ...order, cancelled: true, isGivenBack: true, endsAt: seconds } : order
  const most = owed(ended, plan, seconds) - ended.arrears
  const given = {
    ...ended,
    refunded: order.refunded + event.refunded,
    runWithdrawn: order.runWithdrawn + extra,
  }
  const next = paidOut(market, given, plan, event.refunded)
  const isAmountRight = event.refunded > 0n && extra >= 0n && extra <= most
  const isRight = isAmountRight && event.endsAt === ended.endsAt && event.refundTo === order.controller
  return expecting(next, isRight, () => {
    const says = `${named(event)} was given back ${event.refunded} to ${event.refundTo} at ${event.endsAt}`
    return `${says}, not ${unearned} and up to ${most} at ${ended.endsAt}`
  })
}

const withdrawn = (market: MarketModel, event: OrderWithdrawn, { order, plan, seconds }: Before): MarketModel => {
  const due = owed(order, plan, seconds)
  const emptied = {
    ...order,
    withdrawn: order.withdrawn + event.amount,
    runWithdrawn: order.runWithdrawn + due - order.arrears,
    arrears: 0n,
  }
  const next = paidOut(market, emptied, plan, event.amount)
  const payout = market.vendors.get(event.vendorId)?.payout
  const isRight = event.amount === due && event.payout === payout
  return expecting(
    next,
    isRight,
    () => `${named(event)} paid out ${event.amount} to ${event.payout}, not ${due} to ${payout}`,
  )
}
