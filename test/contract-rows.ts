/** What a directory tells, held against what the contracts' views and logs say at the same block. */
import { createContractReader, paymentsCall, type OrderState } from '../chain/contracts.ts'
import { decodeLog } from '../chain/decode-log.ts'
import type { ChroveEvent, OrderPaid } from '../chain/events.ts'
import { paymentsDecoders } from '../chain/generated/payments.ts'
import { type Address, type Block, type Hex, ZERO_ADDRESS } from '../chain/types.ts'
import type { ChainText } from '../protocol/text.ts'
import { toHex } from '../protocol/bytes.ts'
import { difference, type Row } from '../sim/properties/difference.ts'
import type { AnvilMarket } from './anvil-market.ts'
import { ask } from './directory-client.ts'

/** As much of the market as is read. */
type Views = Pick<AnvilMarket, 'chain' | 'rpc' | 'registry' | 'payments'>

/** A node gives one call so much gas and no more. */
const ORDERS_PER_CALL = 200
/** An answer of a node has so many logs and no more. */
const BLOCKS_PER_ANSWER = 2_000

interface Rows {
  readonly vendors: readonly Row[]
  readonly plans: readonly Row[]
  readonly orders: readonly Row[]
}

const FIELDS = {
  vendors: `vendorId version owner pendingOwner operator payout active signingKey encryptionKey endpoints { bytes }
    profile { raw { bytes } } planCount`,
  plans: 'vendor { vendorId } planId token price periodSeconds maxPeriods settlement onSale title { bytes }',
  orders: 'orderId vendorId planId keyHash controller startedAt endsAt periods paid refunded withdrawn status',
} as const satisfies Record<keyof Rows, string>

/** The contracts' events up to a block, in the order of the chain. */
export const eventsUpTo = async ({ rpc, registry, payments }: Views, { number }: Block): Promise<ChroveEvent[]> => {
  const events: ChroveEvent[] = []
  for (let from = 0; from <= number; from += BLOCKS_PER_ANSWER) {
    const to = Math.min(number, from + BLOCKS_PER_ANSWER - 1)
    for (const log of await rpc.logsOfRange(from, to, [registry, payments])) {
      const event = decodeLog(log, { registry, payments })
      if (event.type !== 'Undecodable') events.push(event)
    }
  }
  return events
}

/**
 * @param url of the directory, which has read the block
 * @param block of a chain that stands still meanwhile
 * @returns the first row that is wrong; undefined when none is
 */
export const compareWithContracts = async (url: string, views: Views, block: Block): Promise<string | undefined> => {
  const told = {
    vendors: await readList(url, 'vendors', block),
    plans: await readList(url, 'plans', block),
    orders: await readList(url, 'orders', block),
  }
  const isTrue = await rowsOfContracts(views, block)
  for (const kind of ['vendors', 'plans', 'orders'] as const) {
    const found = difference(told[kind], isTrue[kind])
    if (found !== undefined) return `${kind} at block ${block.number}: ${found}`
  }
  const { _meta } = await ask<{ _meta: { completeness: { complete: boolean } } }>(
    url,
    '{ _meta { completeness { complete } } }',
  )
  return _meta.completeness.complete ? undefined : 'it says of itself that it is incomplete'
}

/** All pages of a list as of one block. */
const readList = async (url: string, list: keyof Rows, { hash }: Block): Promise<Row[]> => {
  const rows: Row[] = []
  for (let after: string | null = null; ;) {
    const query: string = `{ ${list}(block: { hash: "${hash}" }, first: 100, after: ${JSON.stringify(after)}) {
      nodes { ${FIELDS[list]} } pageInfo { hasNextPage endCursor } } }`
    const { [list]: page }: Partial<Record<string, Page>> = await ask<Record<string, Page>>(url, query)
    rows.push(...(page?.nodes ?? []))
    if (!page?.pageInfo.hasNextPage) return rows
    after = page.pageInfo.endCursor
  }
}

interface Page {
  readonly nodes: readonly Row[]
  readonly pageInfo: { readonly hasNextPage: boolean; readonly endCursor: string }
}

const orNull = (address: Address): string | null => (address === ZERO_ADDRESS ? null : address)
const bytesOf = ({ bytes }: ChainText) => ({ bytes: toHex(bytes) })

const rowsOfContracts = async (views: Views, block: Block): Promise<Rows> => {
  const reader = createContractReader(views.chain)
  const count = await reader.vendorCount(views.registry, block.number)
  const vendors: Row[] = []
  const plans: Row[] = []
  for (let vendorId = 1n; vendorId <= count; vendorId++) {
    const listing = await reader.listing(views.registry, vendorId, block.number)
    const { pendingOwner, operator, endpoints, profile, ...vendor } = listing.vendor
    vendors.push({
      ...vendor,
      vendorId: `${vendorId}`,
      pendingOwner: orNull(pendingOwner),
      operator: orNull(operator),
      endpoints: endpoints.map(bytesOf),
      profile: { raw: bytesOf(profile) },
    })
    for (const [index, { token, price, settlement, title, ...plan }] of listing.plans.entries()) {
      plans.push({
        ...plan,
        vendor: { vendorId: `${vendorId}` },
        planId: index + 1,
        token: orNull(token),
        price: `${price}`,
        settlement: settlement.toUpperCase(),
        title: bytesOf(title),
      })
    }
  }
  return { vendors, plans, orders: await ordersOfContract(views, block) }
}

/** The view tells how orders stand, the events which there are and what was paid in all. */
const ordersOfContract = async (views: Views, block: Block): Promise<Row[]> => {
  const events = await eventsUpTo(views, block)
  const bought = new Map<Hex, OrderPaid>()
  const paid = createSums()
  const refunded = createSums()
  const withdrawn = createSums()
  for (const event of events) {
    if (event.type === 'OrderPaid') {
      bought.set(event.orderId, event)
      paid.add(event.orderId, event.amount)
    }
    if (event.type === 'OrderCancelled' || event.type === 'OrderRefunded') refunded.add(event.orderId, event.refunded)
    if (event.type === 'OrderWithdrawn') withdrawn.add(event.orderId, event.amount)
  }
  const ids = [...bought.keys()]
  const states: OrderState[] = []
  for (let from = 0; from < ids.length; from += ORDERS_PER_CALL) {
    const call = paymentsCall(views.payments, 'orders', ids.slice(from, from + ORDERS_PER_CALL))
    states.push(...paymentsDecoders.results.orders(await views.rpc.call(call, block.number))[0])
  }
  return ids.map((orderId, index) => {
    const { vendorId, planId, keyHash } = bought.get(orderId) as OrderPaid
    const { controller, startedAt, endsAt, periods, cancelled } = states[index] as OrderState
    return {
      ...{ orderId, vendorId: `${vendorId}`, planId, keyHash, controller: orNull(controller) },
      ...{ startedAt: `${startedAt}`, endsAt: `${endsAt}`, periods: `${periods}` },
      ...{ paid: paid.of(orderId), refunded: refunded.of(orderId), withdrawn: withdrawn.of(orderId) },
      status: cancelled ? 'CANCELLED' : block.timestampSeconds < endsAt ? 'RUNNING' : 'ENDED',
    }
  })
}

const createSums = () => {
  const sums = new Map<Hex, bigint>()
  return {
    add: (orderId: Hex, amount: bigint) => void sums.set(orderId, (sums.get(orderId) ?? 0n) + amount),
    of: (orderId: Hex): string => `${sums.get(orderId) ?? 0n}`,
  }
}
