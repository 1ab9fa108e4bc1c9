/** Brings a signed transaction into a block, whatever the node forgets or claims. Only ever sends the same bytes. */
import type { Transaction } from 'ethers'
import { ChainError } from '../effects/chain.ts'
import type { Clock } from '../effects/clock.ts'
import { TransactionError } from './errors.ts'
import { REBROADCAST_MS, RECEIPT_POLL_MS, RECEIPT_TIMEOUT_MS } from './limits.ts'
import type { Receipt, Rpc } from './rpc.ts'
import { type Address, type Hash, type Hex, parseAddress } from './types.ts'

const hashOf = (signed: Transaction): Hash => signed.hash as Hash
const senderOf = (signed: Transaction): Address => parseAddress(signed.from ?? '') as Address

/**
 * Offers a signed transaction to the node. After a passing fault it is unknown whether the node has it, which is no
 * error here: `untilMined` offers it again.
 * @param usedAt where a used nonce counts
 * @throws ERR_TRANSACTION_REFUSED | ERR_TRANSACTION_REPLACED
 */
export const broadcast = async (
  rpc: Rpc,
  signed: Transaction,
  signal?: AbortSignal,
  usedAt: 'latest' | 'finalized' = 'latest',
): Promise<void> => {
  try {
    await rpc.sendRawTransaction(signed.serialized as Hex, signal)
  } catch (error) {
    if (!(error instanceof ChainError)) throw error
    if (error.code === 'ERR_CHAIN_REFUSED') await explainRefusal(rpc, signed, error, usedAt, signal)
  }
}

/** A node also refuses what it has already, in words of its own: so it is asked what it has. */
const explainRefusal = async (
  rpc: Rpc,
  signed: Transaction,
  cause: ChainError,
  usedAt: 'latest' | 'finalized',
  signal?: AbortSignal,
): Promise<void> => {
  let known: boolean
  let used: number
  try {
    used = await rpc.nonce(senderOf(signed), usedAt, signal)
    // Asked after the nonce: if this transaction used it, the node knows it by now.
    known = await rpc.knowsTransaction(hashOf(signed), signal)
  } catch (error) {
    if (error instanceof ChainError) return
    throw error
  }
  if (known) return
  throw used > signed.nonce
    ? new TransactionError('ERR_TRANSACTION_REPLACED', 'another transaction took its nonce', hashOf(signed), { cause })
    : new TransactionError('ERR_TRANSACTION_REFUSED', 'the node refused it', hashOf(signed), { cause })
}

/**
 * Waits for a transaction's receipt, offering it again now and then.
 * @throws ContractRevert | TransactionError
 */
export const untilMined = async (
  effects: { readonly clock: Clock },
  rpc: Rpc,
  signed: Transaction,
  signal?: AbortSignal,
): Promise<Receipt> => {
  // Looks are counted instead of reading the clock, which may jump.
  const looks = RECEIPT_TIMEOUT_MS / RECEIPT_POLL_MS
  for (let look = 1; look <= looks; look++) {
    const receipt = await rpc.receipt(hashOf(signed), signal).catch((error: unknown) => {
      if (error instanceof ChainError) return undefined
      throw error
    })
    if (receipt?.succeeded) return receipt
    if (receipt) throw await failure(rpc, signed, receipt, signal)
    await effects.clock.sleep(RECEIPT_POLL_MS, signal)
    if (look % (REBROADCAST_MS / RECEIPT_POLL_MS) === 0) await rebroadcast(rpc, signed, signal)
  }
  throw new TransactionError('ERR_TRANSACTION_PENDING', 'it was not mined in time and may still be', hashOf(signed))
}

/**
 * Brings in a transaction that may have been sent before.
 * @throws ContractRevert | TransactionError
 */
export const redeliver = async (
  effects: { readonly clock: Clock },
  rpc: Rpc,
  signed: Transaction,
  signal?: AbortSignal,
): Promise<Receipt> => {
  await rebroadcast(rpc, signed, signal)
  try {
    return await untilMined(effects, rpc, signed, signal)
  } catch (error) {
    // Whoever refuses it after all this time did not just lag.
    if (error instanceof TransactionError && error.retryable) await broadcast(rpc, signed, signal)
    throw error
  }
}

/**
 * A node that refuses now, perhaps for its fee, may take it later: only a lost nonce ends the waiting. Nodes behind one
 * address lag behind each other, and one may know that the nonce is used while another does not know by what; what used
 * it in a finalized block they all know.
 */
const rebroadcast = async (rpc: Rpc, signed: Transaction, signal?: AbortSignal): Promise<void> => {
  try {
    await broadcast(rpc, signed, signal, 'finalized')
  } catch (error) {
    if (!(error instanceof TransactionError && error.code === 'ERR_TRANSACTION_REFUSED')) throw error
  }
}

/** Why a mined transaction changed nothing: the reason it gives when tried on the block before. */
const failure = async (rpc: Rpc, signed: Transaction, receipt: Receipt, signal?: AbortSignal): Promise<unknown> => {
  const call = {
    from: senderOf(signed),
    to: parseAddress(signed.to ?? '') as Address,
    data: signed.data as Hex,
    valueWei: signed.value,
  }
  try {
    await rpc.call(call, receipt.blockNumber - 1, signal)
  } catch (error) {
    if (!(error instanceof ChainError)) return error
  }
  return new TransactionError('ERR_TRANSACTION_FAILED', 'it was mined and changed nothing', hashOf(signed))
}
