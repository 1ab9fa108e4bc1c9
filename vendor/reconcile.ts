/** Which access to open and which to take back, from what is paid now and what is open now. */
import { runOf, type PaidOrder } from './orders.ts'

export interface Reconciliation {
  readonly revoke: readonly PaidOrder[]
  readonly provision: readonly PaidOrder[]
}

/**
 * @param running what is paid for at this moment
 * @param open what was provisioned and not yet revoked
 */
export const reconcile = (running: readonly PaidOrder[], open: readonly PaidOrder[]): Reconciliation => {
  const wanted = new Set(running.map(runOf))
  const opened = new Map(open.map((order) => [runOf(order), order.endsAtSeconds]))
  return {
    revoke: open.filter((order) => !wanted.has(runOf(order))),
    // An extension changes only the end, which the provisioner has to learn too.
    provision: running.filter((order) => opened.get(runOf(order)) !== order.endsAtSeconds),
  }
}
