/** Ending an order early: what is not yet earned goes back at once, to any account. */
import { paymentsCall, type OrderState } from '../../chain/contracts.ts'
import { decodeLog } from '../../chain/decode-log.ts'
import type { OrderCancelled } from '../../chain/events.ts'
import { ZERO_ADDRESS, type Address, type Hash } from '../../chain/types.ts'
import type { TokenFacts } from '../../chain/token.ts'
import { ChainError } from '../../effects/chain.ts'
import { nowSeconds } from '../../effects/clock.ts'
import type { SignedCancellation } from '../../protocol/signed-order.ts'
import { paymentsDomain } from '../../protocol/typed-data.ts'
import { BuyerError } from '../errors.ts'
import type { Shop } from './buy.ts'
import { changeOrder, findOrder, type KeyringOrder } from './keyring-content.ts'
import { readTokens } from './market.ts'
import { stateOf } from './orders.ts'
import { chainSeconds } from './signed-purchase.ts'

export interface Cancelled {
  readonly orderId: Hash
  readonly refundTo: Address
  /** Smallest units of the order's currency. */
  readonly refunded: bigint
  /** That the order was paid in; undefined for the coin. */
  readonly token: TokenFacts | undefined
  readonly feeWei: bigint
  readonly transactionHash: Hash
}

/**
 * Ends a running streamed order. The caller is alone.
 * @throws ERR_ORDER_UNKNOWN | ERR_ORDER_NOT_RUNNING | ERR_NOT_REFUNDABLE | TransactionError | ContractRevert | ChainError
 */
export const cancel = async (
  shop: Shop,
  wanted: string,
  refundTo: Address,
  signal?: AbortSignal,
): Promise<Cancelled> => {
  const { market, accounts } = shop
  const { order } = await readCancellable(shop, wanted, signal)
  const { orderId } = order
  const account = await accounts.of(market, order.controller)
  const quote = await account.quote(paymentsCall(market.payments, 'cancel', orderId, refundTo), signal)
  const receipt = await account.send(quote, signal ? { signal } : {})
  await forgetCredentials(shop, orderId)
  const event = receipt.logs
    .map((log) => decodeLog(log, market))
    .find((found): found is OrderCancelled => found.type === 'OrderCancelled' && found.orderId === orderId)
  if (!event)
    throw new ChainError('ERR_CHAIN_MALFORMED', 'the node tells of a cancellation without saying what was returned')
  const { feeWei, transactionHash } = receipt
  return {
    orderId,
    refundTo,
    refunded: event.refunded,
    token: await tokenOf(shop, order, signal),
    feeWei,
    transactionHash,
  }
}

/**
 * Signs a cancellation of the run that the order is in, for any account to send.
 * @throws ERR_ORDER_UNKNOWN | ERR_ORDER_NOT_RUNNING | ERR_NOT_REFUNDABLE | ChainError
 */
export const signCancellation = async (
  shop: Shop,
  wanted: string,
  refundTo: Address,
  validSeconds: number,
  signal?: AbortSignal,
): Promise<SignedCancellation> => {
  const { market, accounts } = shop
  const { order, state } = await readCancellable(shop, wanted, signal)
  const account = await accounts.of(market, order.controller)
  const { chainId, registry, payments } = market
  const deadline = BigInt((await chainSeconds(market, signal)) + validSeconds)
  const cancellation = { orderId: order.orderId, startedAt: state.startedAt, refundTo, deadline }
  const signature = account.sign(paymentsDomain(chainId, payments), 'Cancellation', cancellation)
  // Until it is sent the vendor gives them again to whoever asks.
  await forgetCredentials(shop, order.orderId)
  return { format: 'chrove-signed-order-1', kind: 'cancellation', chainId, registry, payments, cancellation, signature }
}

const readCancellable = async (
  { effects, market, keyring }: Shop,
  wanted: string,
  signal?: AbortSignal,
): Promise<{ readonly order: KeyringOrder; readonly state: OrderState }> => {
  const order = findOrder(await keyring.read(), wanted)
  const state = await stateOf(market, order, signal)
  if (!state)
    throw new BuyerError('ERR_OTHER_REGISTRY', 'this order is in another registry: give its --rpc and --registry')
  if (state.cancelled || state.endsAt <= nowSeconds(effects.clock)) {
    throw new BuyerError('ERR_ORDER_NOT_RUNNING', 'this order does not run, so there is nothing to cancel')
  }
  if (state.controller === ZERO_ADDRESS) {
    throw new BuyerError('ERR_NOT_REFUNDABLE', 'this plan is paid at once, and nothing of it can be returned')
  }
  return { order, state }
}

const forgetCredentials = async ({ keyring }: Shop, orderId: Hash): Promise<void> => {
  await keyring.update((content) => changeOrder(content, orderId, ({ credentials: _over, ...order }) => order))
}

const tokenOf = async (
  { market }: Shop,
  { token }: KeyringOrder,
  signal?: AbortSignal,
): Promise<TokenFacts | undefined> => {
  if (!token) return undefined
  const facts = (await readTokens(market, [token], signal)).get(token)
  return facts ?? { address: token, symbol: undefined, decimals: undefined }
}
