/** What became of the orders of a keyring, as the chain has it. */
import type { OrderState } from '../../chain/contracts.ts'
import type { TokenFacts } from '../../chain/token.ts'
import type { Hash } from '../../chain/types.ts'
import { nowSeconds } from '../../effects/clock.ts'
import { keyHashOf } from '../../protocol/cert-info.ts'
import { parseVendorUri } from '../../protocol/vendor-uri.ts'
import type { BuyerEffects } from './effects.ts'
import type { Keyring } from './keyring.ts'
import { isUnacknowledged, type KeyringOrder } from './keyring-content.ts'
import { keptCredentials } from './collect.ts'
import { readTokens, type Market, type TokenBook } from './market.ts'

/**
 * `pending`: paid by a transaction that is not on chain yet. `signed`: signed for, and nobody has sent that yet.
 * `unpaid`: begun, and nothing was spent. `elsewhere`: on another chain or registry than the settings, so nothing is
 * known of it here.
 */
export type OrderStanding = 'running' | 'ended' | 'cancelled' | 'pending' | 'signed' | 'unpaid' | 'elsewhere'

export interface OrderView {
  readonly orderId: Hash
  /** Vendor URI. */
  readonly vendor: string
  readonly planId: number
  readonly standing: OrderStanding
  /** Unix seconds; 0 when it is not on chain. */
  readonly startedAtSeconds: number
  readonly endsAtSeconds: number
  readonly periods: number
  /** That the order is paid in; undefined for the coin. */
  readonly token: TokenFacts | undefined
  /** What the vendor can withdraw now, smallest units of the order's currency. */
  readonly earned: bigint
  /** What cancelling now would return, likewise. */
  readonly refundable: bigint
  /** Until when a signed purchase of it that nobody has sent can be sent, unix seconds; 0 when there is none. */
  readonly sendableUntilSeconds: number
  /** Whether the keyring has credentials that have not expired. */
  readonly hasCredentials: boolean
  /** Whether all that was paid for it is acknowledged: what is not, `buy` gives again instead of paying. */
  readonly acknowledged: boolean
}

/** All orders that were paid or may be, in the order they were begun. @throws ChainError */
export const listOrders = async (
  effects: Pick<BuyerEffects, 'clock'>,
  market: Market,
  keyring: Keyring,
  signal?: AbortSignal,
): Promise<OrderView[]> => {
  const { orders } = await keyring.read()
  const paidIn = orders.filter((order) => isHere(market, order)).map(({ token }) => token)
  const tokens = await readTokens(
    market,
    paidIn.filter((token) => token !== undefined),
    signal,
  )
  const views: OrderView[] = []
  for (const order of orders) views.push(viewOf(effects, order, tokens, await stateOf(market, order, signal)))
  return views.filter(({ standing }) => standing !== 'unpaid')
}

const viewOf = (
  { clock }: Pick<BuyerEffects, 'clock'>,
  order: KeyringOrder,
  tokens: TokenBook,
  state: OrderState | undefined,
): OrderView => {
  const now = nowSeconds(clock)
  const { orderId, vendor, planId, token, purchases } = order
  const { startedAt, endsAt, cancelled, periods, earned, refundable } = state ?? NOTHING
  return {
    orderId,
    vendor,
    planId,
    standing: standingOf(order, state, now),
    startedAtSeconds: startedAt,
    endsAtSeconds: endsAt,
    periods,
    token: token && (tokens.get(token) ?? { address: token, symbol: undefined, decimals: undefined }),
    earned,
    refundable,
    sendableUntilSeconds: Math.max(0, ...purchases.map(sendableUntil)),
    hasCredentials: !cancelled && keptCredentials(order, now) !== undefined,
    acknowledged: !purchases.some(isUnacknowledged),
  }
}

/** An order that is not on the chain at hand. */
const NOTHING = { startedAt: 0, endsAt: 0, cancelled: false, periods: 0, earned: 0n, refundable: 0n }

const standingOf = ({ purchases }: KeyringOrder, state: OrderState | undefined, now: number): OrderStanding => {
  if (!state) return 'elsewhere'
  const { startedAt, endsAt, cancelled } = state
  if (startedAt !== 0) return cancelled ? 'cancelled' : endsAt > now ? 'running' : 'ended'
  const signed = purchases.filter((purchase) => purchase.state === 'signed')
  if (signed.length === 0) return 'unpaid'
  return signed.some(({ transaction }) => transaction) ? 'pending' : 'signed'
}

const sendableUntil = ({ state, signed, transaction }: KeyringOrder['purchases'][number]): number =>
  state === 'signed' && signed && !transaction ? Number(signed.purchase.deadline) : 0

const isHere = (market: Market, { vendor }: KeyringOrder): boolean => {
  const { chainId, registry } = parseVendorUri(vendor)
  return chainId === market.chainId && registry === market.registry
}

/** The order on chain; undefined when it is on another one. */
export const stateOf = async (
  market: Market,
  order: KeyringOrder,
  signal?: AbortSignal,
): Promise<OrderState | undefined> => {
  if (!isHere(market, order)) return undefined
  const { vendorId } = parseVendorUri(order.vendor)
  const name = { vendorId, planId: order.planId, keyHash: keyHashOf(order.key) }
  return market.reader.order(market.payments, name, 'latest', signal)
}
