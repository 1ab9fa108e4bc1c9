/** Keeps the access that is open equal to what is paid for at this moment. */
import { nowSeconds, type Clock } from '../effects/clock.ts'
import type { Log } from '../effects/log.ts'
import type { Deliveries } from './deliveries.ts'
import type { PaidOrder } from './orders.ts'
import { reconcile } from './reconcile.ts'
import type { VendorStore } from './store.ts'

export interface AccessParts {
  readonly clock: Clock
  readonly log: Log
  readonly store: VendorStore
  readonly deliveries: Deliveries
}

/**
 * @returns a function that opens what is paid and not open, and ends what is open and not paid. What is open is known
 *   to this process only: a new one opens everything again.
 */
export const createAccessKeeper = ({ clock, log, store, deliveries }: AccessParts): (() => Promise<void>) => {
  let open: readonly PaidOrder[] = []
  return async () => {
    const { provision, revoke } = reconcile(await store.runningOrders(nowSeconds(clock)), open)
    for (const order of revoke) await deliveries.provisionerFor(order).revoke(order)
    for (const order of provision) await deliveries.provisionerFor(order).provision(order)
    if (revoke.length + provision.length === 0) return
    const ended = new Set(revoke)
    const changed = new Set(provision.map(({ orderId }) => orderId))
    open = [...open.filter((order) => !ended.has(order) && !changed.has(order.orderId)), ...provision]
    log.info('vendor.access', { opened: provision.length, ended: revoke.length, open: open.length })
  }
}
