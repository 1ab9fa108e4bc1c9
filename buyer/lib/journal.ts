/**
 * The journal of purchases: what is known is written before what follows from it is done, so a process can end between
 * any two steps. Only one transaction is ever signed for a purchase, and only its stored bytes are ever sent again.
 */
import { ContractRevert, TransactionError } from '../../chain/errors.ts'
import type { Receipt, Rpc } from '../../chain/rpc.ts'
import type { Account } from '../../chain/transactions.ts'
import type { Address, Hash, Hex } from '../../chain/types.ts'
import { parseVendorUri } from '../../protocol/vendor-uri.ts'
import type { Keyring } from './keyring.ts'
import { addPurchase, changeOrder, changePurchase, type KeyringOrder, type Purchase } from './keyring-content.ts'
import type { Market } from './market.ts'

/** Writes down that a purchase is about to be made, with the key it is for. */
export const intend = async (
  keyring: Keyring,
  order: Omit<KeyringOrder, 'purchases'>,
  purchase: Omit<Purchase, 'state' | 'transaction' | 'acknowledged'>,
): Promise<void> => {
  const intended = { ...purchase, state: 'intended', acknowledged: false } as const
  await keyring.update((content) => addPurchase(content, order, intended))
}

/** For `Account.send`: writes down the transaction before anyone sees it. */
export const persistSigned =
  (keyring: Keyring, orderId: Hash, purchaseId: string) =>
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
  orderId: Hash,
  purchaseId: string,
  deliver: () => Promise<Receipt>,
): Promise<Receipt> => {
  const become = (state: Purchase['state']) =>
    keyring.update((content) => changePurchase(content, orderId, purchaseId, (purchase) => ({ ...purchase, state })))
  try {
    const receipt = await deliver()
    await become('paid')
    return receipt
  } catch (error) {
    if (changedNothing(error)) await become('failed')
    throw error
  }
}

const changedNothing = (error: unknown): boolean =>
  error instanceof ContractRevert || (error instanceof TransactionError && !error.retryable)

/** Names a purchase by what is public of it. */
export interface PurchaseName {
  readonly orderId: Hash
  readonly transactionHash: Hash
}

/** Writes down that whoever bought knows what became of it. */
export const acknowledge = async (keyring: Keyring, { orderId, transactionHash }: PurchaseName): Promise<void> => {
  await keyring.update((content) =>
    changeOrder(content, orderId, (order) => ({
      ...order,
      purchases: order.purchases.map((purchase) =>
        purchase.transaction?.hash === transactionHash ? { ...purchase, acknowledged: true } : purchase,
      ),
    })),
  )
}

export interface ResumedPurchase {
  readonly orderId: Hash
  /** `failed`: it changed nothing. */
  readonly outcome: 'paid' | 'failed'
}

/**
 * Ends what earlier processes left open on this chain: sends signed transactions again, and looks whether paid ones are
 * still there. Nothing new is signed.
 * @returns the purchases of which something new is known
 * @throws ERR_TRANSACTION_PENDING when one is still on its way; ChainError
 */
export const resume = async (
  keyring: Keyring,
  { chainId, rpc }: Pick<Market, 'chainId' | 'rpc'>,
  accountOf: (address: Address) => Account,
  signal?: AbortSignal,
): Promise<ResumedPurchase[]> => {
  const { orders } = await keyring.read()
  const resumed: ResumedPurchase[] = []
  for (const { orderId, vendor, purchases } of orders) {
    // What another chain says of a purchase, that it can never be, is not true.
    if (parseVendorUri(vendor).chainId !== chainId) continue
    for (const { id, state, account, transaction } of purchases) {
      if (!transaction || state === 'failed' || state === 'final') continue
      if (state === 'paid' && (await stands(keyring, rpc, orderId, id, transaction.hash, signal))) continue
      try {
        await settle(keyring, orderId, id, () => accountOf(account).resend(transaction.raw, signal))
        resumed.push({ orderId, outcome: 'paid' })
      } catch (error) {
        if (!changedNothing(error)) throw error
        resumed.push({ orderId, outcome: 'failed' })
      }
    }
  }
  return resumed
}

/** Whether a paid purchase is still on chain; one that no reorg can undo is never looked at again. */
const stands = async (
  keyring: Keyring,
  rpc: Rpc,
  orderId: Hash,
  purchaseId: string,
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
