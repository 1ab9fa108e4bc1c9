/** Keeps the access that is open equal to what is paid for at this moment. */
import { nowSeconds, type Clock } from '../effects/clock.ts'
import type { Log } from '../effects/log.ts'
import type { Server } from '../protocol/credentials.ts'
import type { Deliveries } from './deliveries.ts'
import { runOf, type PaidOrder } from './orders.ts'
import { reconcile } from './reconcile.ts'
import type { VendorStore } from './store.ts'

export interface AccessParts {
  readonly clock: Clock
  readonly log: Log
  readonly store: Pick<VendorStore, 'runningOrders'>
  readonly deliveries: Pick<Deliveries, 'provisionerFor'>
}

export interface AccessKeeper {
  /** Opens the access of an order that is paid, at once. */
  open(order: PaidOrder): Promise<readonly Server[]>
  /** Opens what is paid and not open, and ends what is open and not paid. */
  settle(): Promise<void>
}

/** What is open is known to this process only: a new one opens everything again. */
export const createAccessKeeper = ({ clock, log, store, deliveries }: AccessParts): AccessKeeper => {
  const opened = new Map<string, PaidOrder>()

  const open = async (order: PaidOrder): Promise<readonly Server[]> => {
    // Noted first, so that whatever comes of it is ended with the order.
    opened.set(runOf(order), order)
    return deliveries.provisionerFor(order).provision(order)
  }

  return {
    open,
    async settle() {
      // Taken before the orders are read: what is opened meanwhile is judged at the next turn.
      const before = [...opened.values()]
      const { provision, revoke } = reconcile(await store.runningOrders(nowSeconds(clock)), before)
      for (const order of revoke) {
        await deliveries.provisionerFor(order).revoke(order)
        opened.delete(runOf(order))
      }
      for (const order of provision) await open(order)
      if (revoke.length + provision.length === 0) return
      log.info('vendor.access', { opened: provision.length, ended: revoke.length, open: opened.size })
    },
  }
}
