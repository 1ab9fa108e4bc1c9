/** The global ids of Relay: `vendor:1`, `plan:1/2`, `order:0x…`. */
import type { Moment } from './block-at.ts'
import type { RequestContext } from './context.ts'
import { orderAt, planAt, vendorAt } from './reads.ts'

type NodeId =
  | { readonly type: 'vendor'; readonly vendorId: bigint }
  | { readonly type: 'plan'; readonly vendorId: bigint; readonly planId: number }
  | { readonly type: 'order'; readonly orderId: string }

export const formatNodeId = (id: NodeId): string => {
  if (id.type === 'vendor') return `vendor:${id.vendorId}`
  return id.type === 'plan' ? `plan:${id.vendorId}/${id.planId}` : `order:${id.orderId}`
}

const VENDOR = /^vendor:([1-9]\d{0,19})$/
const PLAN = /^plan:([1-9]\d{0,19})\/([1-9]\d{0,9})$/
const ORDER = /^order:(0x[0-9a-f]{64})$/

/** What has this id at a block; undefined for what is no id too, as the interface of Relay wants. */
export const readNode = async (context: RequestContext, id: string, at: Moment) => {
  const [, vendorId] = VENDOR.exec(id) ?? []
  if (vendorId) return vendorAt(context, BigInt(vendorId), at)
  const [, ofVendor, planId] = PLAN.exec(id) ?? []
  if (ofVendor && planId) return planAt(context, BigInt(ofVendor), Number(planId), at)
  const [, orderId] = ORDER.exec(id) ?? []
  return orderId ? orderAt(context, { orderId }, at) : undefined
}
