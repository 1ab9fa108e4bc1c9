import type { Server } from '../../protocol/credentials.ts'
import type { PaidOrder } from '../orders.ts'

/** Turns paid orders into access, and takes it back. */
export interface Provisioner {
  /** Access for an order, the same each time for the same run of it; opens it if it was not open. */
  provision(order: PaidOrder): Promise<readonly Server[]>
  /** Ends the access of an order at once, connections included; nothing to end is not an error. */
  revoke(order: PaidOrder): Promise<void>
}
