/**
 * The journal of purchases: what is known is written before what follows from it is done, so a process can end between
 * any two steps. Only one transaction is ever signed for a purchase, and only its stored bytes are ever sent again; or
 * one purchase is signed in place of it, which the chain takes once, however many transactions carry it there.
 */
import { ContractRevert, TransactionError } from '../../chain/errors.ts'
import type { Receipt, Rpc } from '../../chain/rpc.ts'
import type { Account } from '../../chain/transactions.ts'
import type { Address, Hash, Hex } from '../../chain/types.ts'
import { parseVendorUri } from '../../protocol/vendor-uri.ts'
import type { Keyring } from './keyring.ts'
import { addPurchase, changePurchase, type KeyringOrder, type Purchase } from './keyring-content.ts'
import type { Market } from './market.ts'
import { standingOf } from './signed-purchase.ts'

/** Writes down that a purchase is about to be made, with the key it is for, and what its payer has signed. */
export const intend = async (
  keyring: Keyring,
  order: Omit<KeyringOrder, 'purchases'>,
  purchase: Omit<Purchase, 'state' | 'transaction' | 'acknowledged'>,
): Promise<void> => {
  const state = purchase.signed ? 'signed' : 'intended'
  await keyring.update((content) => addPurchase(content, order, { ...purchase, state, acknowledged: false }))
}

/** For `Account.send`: writes down the transaction before anyone sees it. */
export const persistSigned =
  (keyring: Keyring, { orderId, purchaseId }: PurchaseName) =>
  async (raw: Hex, hash: Hash): Promise<void> => {
    const transaction = { raw, hash }
    await keyring.update((content) =>
      changePurchase(content, orderId, purchaseId, (purchase) => ({ ...purchase, state: 'signed', transaction })),
    )
  }

/**
 * Waits for a purchase's transaction and writes down what became of it.
 * @param deliver sends it, or sends it again
 * @throws what `deliver` throws; after a passing fault the purchase stays `signed`
 */
export const settle = async (
  keyring: Keyring,
  { orderId, purchaseId }: PurchaseName,
  deliver: () => Promise<Receipt>,
): Promise<Receipt> => {
  const become = (change: (purchase: Purchase) => Purchase) =>
    keyring.update((content) => changePurchase(content, orderId, purchaseId, change))
  try {
    const receipt = await deliver()
    await become((purchase) => ({ ...purchase, state: 'paid' }))
    return receipt
  } catch (error) {
    if (changedNothing(error)) await become(withoutTransaction)
    throw error
  }
}

/** What a transaction that changed nothing leaves: what is signed can still be sent by another one. */
const withoutTransaction = (purchase: Purchase): Purchase => {
  const { transaction: _dead, ...rest } = purchase
  return purchase.signed ? { ...rest, state: 'signed' } : { ...purchase, state: 'failed' }
}

/** Whether what was sent can never do anything. */
export const changedNothing = (error: unknown): boolean =>
  error instanceof ContractRevert || (error instanceof TransactionError && !error.retryable)

/** Names a purchase in its keyring. */
export interface PurchaseName {
  readonly orderId: Hash
  readonly purchaseId: string
}

/** Writes down that whoever bought knows what became of it. */
export const acknowledge = async (keyring: Keyring, { orderId, purchaseId }: PurchaseName): Promise<void> => {
  await keyring.update((content) =>
    changePurchase(content, orderId, purchaseId, (purchase) => ({ ...purchase, acknowledged: true })),
  )
}

export interface ResumedPurchase {
  readonly orderId: Hash
  /** `failed`: it changed nothing. */
  readonly outcome: 'paid' | 'failed'
}

/**
 * Ends what earlier processes left open on this chain: sends signed transactions again, and looks whether paid ones are
 * still there, and whether somebody has sent what was signed. Nothing new is signed.
 * @returns the purchases of which something new is known
 * @throws ERR_TRANSACTION_PENDING when one is still on its way; ChainError
 */
export const resume = async (
  keyring: Keyring,
  market: Pick<Market, 'chainId' | 'rpc' | 'reader' | 'tokens'>,
  accountOf: (address: Address) => Account | Promise<Account>,
  signal?: AbortSignal,
): Promise<ResumedPurchase[]> => {
  const { orders } = await keyring.read()
  const resumed: ResumedPurchase[] = []
  for (const { orderId, vendor, purchases } of orders) {
    // What another chain says of a purchase, that it can never be, is not true.
    if (parseVendorUri(vendor).chainId !== market.chainId) continue
    for (const purchase of purchases) {
      const name = { orderId, purchaseId: purchase.id }
      const outcome = await resumeOne(keyring, market, accountOf, name, purchase, signal)
      if (outcome) resumed.push({ orderId, outcome })
    }
  }
  return resumed
}

const resumeOne = async (
  keyring: Keyring,
  market: Pick<Market, 'rpc' | 'reader' | 'tokens'>,
  accountOf: (address: Address) => Account | Promise<Account>,
  name: PurchaseName,
  { state, account, transaction, signed }: Purchase,
  signal?: AbortSignal,
): Promise<ResumedPurchase['outcome'] | undefined> => {
  if (state === 'failed' || state === 'final') return undefined
  if (transaction) {
    if (state === 'paid' && (await stands(keyring, market.rpc, name, transaction.hash, signal))) return undefined
    try {
      await settle(keyring, name, async () => (await accountOf(account)).resend(transaction.raw, signal))
      return 'paid'
    } catch (error) {
      if (!changedNothing(error)) throw error
      if (!signed) return 'failed'
    }
  }
  if (!signed) return undefined
  const now = await settleSigned(keyring, market, name, signal)
  return now !== state && (now === 'paid' || now === 'failed') ? now : undefined
}

/** Writes down what the chain says of a signed purchase without a transaction of ours. @returns its state */
export const settleSigned = async (
  keyring: Keyring,
  market: Pick<Market, 'rpc' | 'reader' | 'tokens'>,
  { orderId, purchaseId }: PurchaseName,
  signal?: AbortSignal,
): Promise<Purchase['state'] | undefined> => {
  const purchaseIn = ({ orders }: { readonly orders: readonly KeyringOrder[] }) => {
    const order = orders.find((each) => each.orderId === orderId)
    return { token: order?.token, purchase: order?.purchases.find(({ id }) => id === purchaseId) }
  }
  const { token, purchase } = purchaseIn(await keyring.read())
  if (!purchase?.signed || !token) return purchase?.state
  const state = await standingOf(market, token, purchase.signed, signal)
  if (state !== purchase.state) {
    await keyring.update((content) => changePurchase(content, orderId, purchaseId, (old) => ({ ...old, state })))
  }
  return state
}

/** Whether a paid purchase is still on chain; one that no reorg can undo is never looked at again. */
const stands = async (
  keyring: Keyring,
  rpc: Rpc,
  { orderId, purchaseId }: PurchaseName,
  hash: Hash,
  signal?: AbortSignal,
): Promise<boolean> => {
  const receipt = await rpc.receipt(hash, signal)
  // After a reorg it may be in another block, and changed nothing there.
  if (!receipt?.succeeded) return false
  const finalized = await rpc.block('finalized', signal)
  if (finalized && receipt.blockNumber <= finalized.number) {
    await keyring.update((content) =>
      changePurchase(content, orderId, purchaseId, (purchase) => ({ ...purchase, state: 'final' })),
    )
  }
  return true
}
