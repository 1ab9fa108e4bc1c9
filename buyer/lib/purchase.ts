/** Taking up an offer: exactly what was agreed to is signed, stored, sent, and waited for. */
import { orderIdOf, paymentsCall } from '../../chain/contracts.ts'
import { decodeLog } from '../../chain/decode-log.ts'
import { ContractRevert } from '../../chain/errors.ts'
import type { OrderPaid } from '../../chain/events.ts'
import { GAS_MARGIN_PERCENT, RECEIPT_POLL_MS } from '../../chain/limits.ts'
import type { Call, Receipt } from '../../chain/rpc.ts'
import type { Account, Quote } from '../../chain/transactions.ts'
import type { Address, Hash } from '../../chain/types.ts'
import { ChainError } from '../../effects/chain.ts'
import { nowSeconds } from '../../effects/clock.ts'
import { base64url } from '../../protocol/bytes.ts'
import { keyHashOf } from '../../protocol/cert-info.ts'
import type { SignedPurchase } from '../../protocol/signed-order.ts'
import { BuyerError } from '../errors.ts'
import type { BuyerEffects } from './effects.ts'
import { changedNothing, intend, persistSigned, settle, settleSigned, type PurchaseName } from './journal.ts'
import type { Keyring } from './keyring.ts'
import { LAG_TRIES, SEND_VALID_SECONDS } from './limits.ts'
import type { Market } from './market.ts'
import { explained, type Prepared } from './offer.ts'
import type { Way } from './pay-by.ts'
import { purchaseCall, signPurchase } from './signed-purchase.ts'

export interface Bought extends PurchaseName {
  /** End of the paid time, unix seconds. */
  readonly endsAtSeconds: number
  /** Undefined where another account sent what was signed. */
  readonly transactionHash: Hash | undefined
  /** The fee of the purchase that this keyring's account paid. */
  readonly feeWei: bigint
}

type PurchaseEffects = Pick<BuyerEffects, 'random' | 'clock' | 'jose'>

/**
 * Takes up an offer: allows what has to be allowed, saves the key and what is signed, sends it and waits until it is on
 * chain. The caller lets no other purchase of this keyring run meanwhile.
 * @throws ERR_GAS | TransactionError | ContractRevert | ChainError; `resume` ends what a passing fault interrupted
 */
export const purchase = async (
  effects: PurchaseEffects,
  market: Market,
  keyring: Keyring,
  account: Account,
  prepared: Prepared,
  signal?: AbortSignal,
): Promise<Bought> => {
  const { way } = prepared
  if (way.by === 'coin') return sendBuy(effects, market, keyring, account, prepared, way, signal)
  if (way.by !== 'allowance') {
    const { signed, ...name } = await begin(effects, market, keyring, account, prepared, SEND_VALID_SECONDS, signal)
    return sendSigned(market, keyring, account, name, signed, way.quote as Quote, signal)
  }
  // Nothing of it is written down: an allowance that is there already is found by whoever tries again.
  for (const quote of way.approvals) {
    await account.send(await agreed(effects, account, quote.call, quote, signal), signal ? { signal } : {})
  }
  return sendBuy(effects, market, keyring, account, prepared, way, signal)
}

/** What is known of a purchase before it is sent. */
interface Begun extends PurchaseName {
  readonly signed: SignedPurchase
}

/** Signs an offered purchase and writes it down, with the key that it is for. */
export const begin = async (
  effects: PurchaseEffects,
  market: Market,
  keyring: Keyring,
  account: Account,
  prepared: Prepared,
  validSeconds: number,
  signal?: AbortSignal,
): Promise<Begun> => {
  const { offer, uri, way } = prepared
  if (way.by === 'coin' || way.by === 'allowance') throw new Error('this way has nothing to sign')
  const { key, keyHash, controller, order } = await orderFor(effects, account, prepared)
  const { planId, periods, token } = offer
  const terms = { vendorId: uri.vendorId, planId, keyHash, periods, controller, amount: token?.price ?? 0n }
  const signed = await signPurchase(effects, market, account, way, terms, validSeconds, signal)
  const name = nameOf(effects, order.orderId)
  await intend(keyring, { ...order, key }, { ...entryOf(effects, account, prepared, name), signed })
  return { ...name, signed }
}

/** The order that an offer is about; a new one gets a fresh key. */
const orderFor = async ({ jose }: PurchaseEffects, account: Account, { offer, uri, extended }: Prepared) => {
  const { vendor, planId, token } = offer
  const key = extended?.key ?? (await jose.generateKeyPair()).privateKey
  const keyHash = keyHashOf(key)
  const controller = extended?.controller ?? account.address
  const orderId = orderIdOf(uri.vendorId, planId, keyHash) as Hash
  return {
    key,
    keyHash,
    controller,
    order: { orderId, vendor, planId, controller, ...(token && { token: token.address }) },
  }
}

const nameOf = ({ random }: PurchaseEffects, orderId: Hash): PurchaseName => ({
  orderId,
  purchaseId: base64url.encode(random.bytes(16)),
})

const entryOf = (
  { clock }: PurchaseEffects,
  { address }: Account,
  { offer }: Prepared,
  { purchaseId }: PurchaseName,
) => {
  const { periods, priceWei } = offer
  return { id: purchaseId, periods, priceWei, account: address, intendedAtSeconds: nowSeconds(clock) }
}

/** `buy` in its plain form, out of the account's coins or of an allowance. */
const sendBuy = async (
  effects: PurchaseEffects,
  market: Market,
  keyring: Keyring,
  account: Account,
  prepared: Prepared,
  way: Extract<Way, { by: 'coin' | 'allowance' }>,
  signal?: AbortSignal,
): Promise<Bought> => {
  const { offer, uri } = prepared
  const { key, keyHash, controller, order } = await orderFor(effects, account, prepared)
  const name = nameOf(effects, order.orderId)
  await intend(keyring, { ...order, key }, entryOf(effects, account, prepared, name))
  const { planId, periods } = offer
  const call = paymentsCall(market.payments, 'buy', uri.vendorId, planId, keyHash, periods, controller)
  const quote =
    way.by === 'allowance' && way.isUntried
      ? await agreed(effects, account, call, way.quote, signal)
      : { ...way.quote, call: { ...way.quote.call, ...call } }
  return deliver(market, keyring, account, name, quote, signal)
}

/**
 * Sends a purchase that is signed and written down.
 * @param quote what was agreed to
 */
export const sendSigned = async (
  market: Market,
  keyring: Keyring,
  account: Account,
  name: PurchaseName,
  signed: SignedPurchase,
  quote: Quote,
  signal?: AbortSignal,
): Promise<Bought> => {
  try {
    const tried = await withinQuote(account, purchaseCall(signed), quote, signal)
    return await deliver(market, keyring, account, name, tried, signal)
  } catch (error) {
    // The node saw it when it was tried, and who sees it can send it.
    if (!changedNothing(error) && !(error instanceof BuyerError)) throw error
    const state = await settleSigned(keyring, market, name, signal)
    if (state !== 'paid' && state !== 'final') throw error
    return boughtByOthers(market, name, signed, signal)
  }
}

const deliver = async (
  market: Market,
  keyring: Keyring,
  account: Account,
  name: PurchaseName,
  quote: Quote,
  signal?: AbortSignal,
): Promise<Bought> => {
  const options = { persist: persistSigned(keyring, name), ...(signal ? { signal } : {}) }
  const receipt = await settle(keyring, name, () => account.send(quote, options))
  return boughtBy(market, receipt, name)
}

/** Tries now what could not be tried when it was agreed to. @throws ERR_GAS when it takes more than was agreed to */
const withinQuote = async (account: Account, call: Call, quote: Quote, signal?: AbortSignal): Promise<Quote> => {
  const tried = await explained(account.quote(call, signal))
  // Two tries of one call may differ by a little, for which there is a margin.
  if ((tried.gas * 100n) / (100n + GAS_MARGIN_PERCENT) <= quote.gas) {
    return { ...quote, call: tried.call, gas: tried.gas < quote.gas ? tried.gas : quote.gas }
  }
  const text = 'this token takes more gas than was agreed to: try again, or pay by allowance (`--pay-by allowance`)'
  throw new BuyerError('ERR_GAS', text)
}

/** `withinQuote` for what needs an earlier transaction, which not every node behind one address knows of at once. */
const agreed = async (
  { clock }: PurchaseEffects,
  account: Account,
  call: Call,
  quote: Quote,
  signal?: AbortSignal,
): Promise<Quote> => {
  for (let triesLeft = LAG_TRIES; ; triesLeft--) {
    try {
      return await withinQuote(account, call, quote, signal)
    } catch (error) {
      const isFinal = !(error instanceof ContractRevert) || error.reason.startsWith('Payments_')
      if (isFinal || triesLeft === 0) throw error
      await clock.sleep(RECEIPT_POLL_MS, signal)
    }
  }
}

/** What a mined purchase bought. @throws ERR_CHAIN_MALFORMED when the receipt does not say */
export const boughtBy = (market: Market, { logs, transactionHash, feeWei }: Receipt, name: PurchaseName): Bought => {
  const paid = logs
    .map((log) => decodeLog(log, market))
    .find((event): event is OrderPaid => event.type === 'OrderPaid' && event.orderId === name.orderId)
  if (!paid) throw new ChainError('ERR_CHAIN_MALFORMED', 'the node tells of a payment without saying what was paid')
  return { ...name, endsAtSeconds: paid.endsAt, transactionHash, feeWei }
}

/** What a signed purchase bought that another account sent. */
export const boughtByOthers = async (
  { reader }: Market,
  name: PurchaseName,
  { payments, purchase: { vendorId, planId, keyHash } }: SignedPurchase,
  signal?: AbortSignal,
): Promise<Bought> => {
  const order = await reader.order(payments as Address, { vendorId, planId, keyHash }, 'latest', signal)
  return { ...name, endsAtSeconds: order.endsAt, transactionHash: undefined, feeWei: 0n }
}
