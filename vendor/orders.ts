/** What an order is to the vendor, folded from its events. */
import type { ChroveEvent, OrderCancelled, OrderPaid, OrderRefunded } from '../chain/events.ts'
import type { Hex } from '../chain/types.ts'

/** The newest run of a (key, plan) pair. */
export interface PaidOrder {
  readonly orderId: Hex
  readonly keyHash: Hex
  readonly planId: number
  /** Start of the run; a later run of the same order is another purchase with other credentials. */
  readonly startedAtSeconds: number
  /** End of the paid time, or the moment of cancellation. */
  readonly endsAtSeconds: number
}

/** What gives time to a key, and what takes it back. */
export type AccessEvent = OrderPaid | OrderCancelled | OrderRefunded

/** What an event changes of an order. */
export type OrderChange =
  | Pick<OrderPaid, 'type' | 'orderId' | 'keyHash' | 'planId' | 'startedAt' | 'endsAt'>
  | Pick<OrderCancelled | OrderRefunded, 'type' | 'orderId' | 'endsAt'>

/** The events that change what a vendor owes to a key. */
export const isAccessEventOf =
  (vendorId: bigint) =>
  (event: ChroveEvent): event is AccessEvent =>
    (event.type === 'OrderPaid' || event.type === 'OrderCancelled' || event.type === 'OrderRefunded') &&
    event.vendorId === vendorId

/** An order after one more event; undefined for the end of what was never paid. */
export const foldOrder = (before: PaidOrder | undefined, change: OrderChange): PaidOrder | undefined => {
  if (change.type !== 'OrderPaid') return before && { ...before, endsAtSeconds: change.endsAt }
  const { orderId, keyHash, planId, startedAt, endsAt } = change
  return { orderId, keyHash, planId, startedAtSeconds: startedAt, endsAtSeconds: endsAt }
}

/** Two runs of one order are two things: the credentials of a cancelled run do not come back with the next. */
export const runOf = ({ orderId, startedAtSeconds }: PaidOrder): string => `${orderId} ${startedAtSeconds}`

export const isRunning = (order: PaidOrder, nowSeconds: number): boolean => nowSeconds < order.endsAtSeconds

/** The one order that a question is about: of the plan it names, else the one that runs longest. */
export const chooseOrder = (orders: readonly PaidOrder[], planId: number | undefined): PaidOrder | undefined =>
  orders
    .filter((order) => planId === undefined || order.planId === planId)
    .toSorted((a, b) => b.endsAtSeconds - a.endsAtSeconds || a.planId - b.planId)[0]
