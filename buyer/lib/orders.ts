/** What became of the orders of a keyring, as the chain has it, and ending one early. */
import { paymentsCall } from '../../chain/contracts.ts'
import { decodeLog } from '../../chain/decode-log.ts'
import type { OrderCancelled } from '../../chain/events.ts'
import type { Account } from '../../chain/transactions.ts'
import { ZERO_ADDRESS, type Address, type Hash } from '../../chain/types.ts'
import { ChainError } from '../../effects/chain.ts'
import { nowSeconds } from '../../effects/clock.ts'
import { keyHashOf } from '../../protocol/cert-info.ts'
import { parseVendorUri } from '../../protocol/vendor-uri.ts'
import { BuyerError } from '../errors.ts'
import type { BuyerEffects } from './effects.ts'
import type { Keyring } from './keyring.ts'
import { changeOrder, findOrder, isUnacknowledged, type KeyringOrder } from './keyring-content.ts'
import { keptCredentials } from './collect.ts'
import type { Market } from './market.ts'

/**
 * `pending`: paid by a transaction that is not on chain yet. `unpaid`: begun, and nothing was spent. `elsewhere`: on
 * another chain or registry than the settings, so nothing is known of it here.
 */
export type OrderStanding = 'running' | 'ended' | 'cancelled' | 'pending' | 'unpaid' | 'elsewhere'

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
  /** What the vendor can withdraw now. */
  readonly earnedWei: bigint
  /** What cancelling now would return. */
  readonly refundableWei: bigint
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
  const views: OrderView[] = []
  for (const order of orders) views.push(await viewOf(effects, market, order, signal))
  return views.filter(({ standing }) => standing !== 'unpaid')
}

const viewOf = async (
  { clock }: Pick<BuyerEffects, 'clock'>,
  market: Market,
  order: KeyringOrder,
  signal: AbortSignal | undefined,
): Promise<OrderView> => {
  const now = nowSeconds(clock)
  const { orderId, vendor, planId, purchases } = order
  const state = await stateOf(market, order, signal)
  const named = {
    orderId,
    vendor,
    planId,
    hasCredentials: keptCredentials(order, now) !== undefined,
    acknowledged: !purchases.some(isUnacknowledged),
  }
  if (!state) {
    return {
      ...named,
      standing: 'elsewhere',
      startedAtSeconds: 0,
      endsAtSeconds: 0,
      periods: 0,
      earnedWei: 0n,
      refundableWei: 0n,
    }
  }
  const { startedAt, endsAt, cancelled, periods, earned, refundable } = state
  const bought = cancelled ? 'cancelled' : endsAt > now ? 'running' : 'ended'
  const unbought = purchases.some((purchase) => purchase.state === 'signed') ? 'pending' : 'unpaid'
  return {
    ...named,
    standing: startedAt === 0 ? unbought : bought,
    startedAtSeconds: startedAt,
    endsAtSeconds: endsAt,
    periods,
    earnedWei: earned,
    refundableWei: refundable,
  }
}

const stateOf = async (market: Market, { vendor, planId, key }: KeyringOrder, signal: AbortSignal | undefined) => {
  const { chainId, registry, vendorId } = parseVendorUri(vendor)
  if (chainId !== market.chainId || registry !== market.registry) return undefined
  return market.reader.order(market.payments, { vendorId, planId, keyHash: keyHashOf(key) }, 'latest', signal)
}

export interface Cancelled {
  readonly orderId: Hash
  readonly refundTo: Address
  readonly refundedWei: bigint
  readonly feeWei: bigint
  readonly transactionHash: Hash
}

/**
 * Ends a running streamed order; what is not yet earned goes to `refundTo` at once.
 * @param accountOf the account of an address in the keyring
 * @throws ERR_ORDER_UNKNOWN | ERR_ORDER_NOT_RUNNING | ERR_NOT_REFUNDABLE | TransactionError | ContractRevert | ChainError
 */
export const cancel = async (
  effects: Pick<BuyerEffects, 'clock'>,
  market: Market,
  keyring: Keyring,
  accountOf: (address: Address) => Account,
  wanted: string,
  refundTo: Address,
  signal?: AbortSignal,
): Promise<Cancelled> => {
  const order = findOrder(await keyring.read(), wanted)
  const { orderId } = order
  const state = await stateOf(market, order, signal)
  if (!state)
    throw new BuyerError('ERR_OTHER_REGISTRY', 'this order is in another registry: give its --rpc and --registry')
  if (state.cancelled || state.endsAt <= nowSeconds(effects.clock)) {
    throw new BuyerError('ERR_ORDER_NOT_RUNNING', 'this order does not run, so there is nothing to cancel')
  }
  if (state.controller === ZERO_ADDRESS) {
    throw new BuyerError('ERR_NOT_REFUNDABLE', 'this plan is paid at once, and nothing of it can be returned')
  }
  const account = accountOf(order.controller)
  const quote = await account.quote(paymentsCall(market.payments, 'cancel', orderId, refundTo), signal)
  const receipt = await account.send(quote, signal ? { signal } : {})
  await keyring.update((content) => changeOrder(content, orderId, ({ credentials: _over, ...old }) => old))
  const event = receipt.logs
    .map((log) => decodeLog(log, market))
    .find((found): found is OrderCancelled => found.type === 'OrderCancelled' && found.orderId === orderId)
  if (!event)
    throw new ChainError('ERR_CHAIN_MALFORMED', 'the node tells of a cancellation without saying what was returned')
  const { feeWei, transactionHash } = receipt
  return { orderId, refundTo, refundedWei: event.refunded, feeWei, transactionHash }
}
