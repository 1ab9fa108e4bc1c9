/** A vendor knows the orders of the blocks that it has read: no more after a reorg, no less after a crash. */
import type { ChroveEvent, OrderCancelled, OrderPaid, OrderRefunded } from '../../chain/events.ts'
import type { Market } from '../world/market.ts'
import type { World } from '../world/world.ts'

const isAccess = (event: ChroveEvent): event is OrderPaid | OrderCancelled | OrderRefunded =>
  event.type === 'OrderPaid' || event.type === 'OrderCancelled' || event.type === 'OrderRefunded'

/** Places of a vendor's orders' events on the branch that ends with a block; undefined when that is not known. */
const placesOn = ({ history }: World, head: string, vendorId: bigint): string | undefined => {
  const places: string[] = []
  for (let entry = history.at(head); entry; entry = history.at(entry.block.parentHash)) {
    for (const event of entry.events) {
      if (!isAccess(event) || event.vendorId !== vendorId) continue
      places.push(`${event.evidence.blockNumber}:${event.evidence.logIndex} ${event.orderId}`)
    }
  }
  return places.sort().join('\n')
}

interface Row {
  readonly block_number: number
  readonly log_index: number
  readonly order_id: string
}

export const checkVendorStores = ({ world, vendors }: Market): void => {
  for (const { name, host, vendorId, standpoints } of vendors) {
    const at = standpoints.at(-1)
    if (!at || !world.history.at(at.hash)) continue
    const rows = host.inspect('vendor', 'select block_number, log_index, order_id from order_events') as Row[]
    const places = rows.map(({ block_number, log_index, order_id }) => `${block_number}:${log_index} ${order_id}`)
    if (places.sort().join('\n') !== placesOn(world, at.hash, vendorId))
      world.breach('vendor equals chain', `${name} has other orders than the blocks that it has read`)
  }
}
