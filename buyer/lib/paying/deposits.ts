/**
 * The journal of deposits into accounts: what is known is written before what follows from it is done. Only one
 * transaction is ever signed for a deposit, and only its stored bytes are ever sent again.
 */
import type { Receipt } from '../../../chain/rpc.ts'
import type { Account } from '../../../chain/transactions.ts'
import type { Hash, Hex } from '../../../chain/types.ts'
import { nowSeconds } from '../../../effects/clock.ts'
import { base64url } from '../../../protocol/bytes.ts'
import { changedNothing } from '../journal.ts'
import { changeDeposit, changePayer, payerOf, type Deposit } from './book.ts'
import { readBook, updateBook, type PayingKit } from './kit.ts'

/**
 * Makes a deposit: writes it down, sends it, waits until it is mined.
 * @param marks of what somebody asked for by itself
 * @param send gives the transaction to `persist` before anybody sees it
 * @returns its id
 * @throws what `send` throws; after a passing fault `resumeDeposits` ends it
 */
export const makeDeposit = async (
  kit: PayingKit,
  account: string,
  amount: bigint,
  marks: { readonly untold?: true },
  send: (persist: (raw: Hex, hash: Hash) => Promise<void>) => Promise<Receipt>,
): Promise<string> => {
  const { random, clock } = kit.effects
  const id = base64url.encode(random.bytes(16))
  const deposit: Deposit = { id, state: 'intended', amount, intendedAtSeconds: nowSeconds(clock), ...marks }
  await updateBook(kit, (book) =>
    changePayer(book, account, (payer) => ({ ...payer, deposits: [...payer.deposits, deposit] })),
  )
  await settle(kit, account, id, () =>
    send(async (raw, hash) => {
      await become(kit, account, id, (before) => ({ ...before, state: 'signed', sent: { raw, hash } }))
    }),
  )
  return id
}

/** Writes down that whoever wanted a deposit knows of it: to want the same is another wish from now on. */
export const tellDeposit = async (kit: PayingKit, account: string, id: string): Promise<void> => {
  await become(kit, account, id, ({ untold: _told, ...deposit }) => deposit)
}

/**
 * Ends what earlier processes left open, and looks whether what was paid is still on chain. Nothing new is signed.
 * @throws ERR_TRANSACTION_PENDING when one is still on its way; ChainError
 */
export const resumeDeposits = async (kit: PayingKit, account: string, from: Account, signal?: AbortSignal) => {
  for (const { id, state, sent } of payerOf(await readBook(kit), account).deposits) {
    if (state === 'failed' || state === 'final') continue
    if (!sent) {
      // Its process ended before it signed, or wrote down what it had.
      await become(kit, account, id, (deposit) => ({ ...deposit, state: 'failed' }))
      continue
    }
    if (state === 'paid' && (await stands(kit, account, id, sent.hash as Hash, signal))) continue
    try {
      await settle(kit, account, id, () => from.resend(sent.raw as Hex, signal))
    } catch (error) {
      if (!changedNothing(error)) throw error
    }
  }
}

const become = (kit: PayingKit, account: string, id: string, change: (deposit: Deposit) => Deposit) =>
  updateBook(kit, (book) => changeDeposit(book, account, id, change))

const settle = async (kit: PayingKit, account: string, id: string, deliver: () => Promise<Receipt>): Promise<void> => {
  try {
    await deliver()
  } catch (error) {
    if (changedNothing(error)) await become(kit, account, id, (deposit) => ({ ...deposit, state: 'failed' }))
    throw error
  }
  await become(kit, account, id, (deposit) => ({ ...deposit, state: 'paid' }))
}

const stands = async (
  kit: PayingKit,
  account: string,
  id: string,
  hash: Hash,
  signal?: AbortSignal,
): Promise<boolean> => {
  const { rpc } = kit.market
  const receipt = await rpc.receipt(hash, signal)
  if (!receipt?.succeeded) return false
  const finalized = await rpc.block('finalized', signal)
  if (finalized && receipt.blockNumber <= finalized.number) {
    await become(kit, account, id, (deposit) => ({ ...deposit, state: 'final' }))
  }
  return true
}
