/**
 * What the service's account has to do and has done: sends to receive and refunds to send, one block each, and which of
 * them is next. Pure decisions; `store.ts` keeps what they are made of, `writer.ts` carries them out.
 */
import { parseNanoAccount } from '../../../protocol/nano/account.ts'
import { type StateBlock, upperHex } from '../../../protocol/nano/block.ts'

/** One block that is to be in the service's chain, once. */
export interface Payment {
  /** `receive:` and the send's hash, or `refund:` and the refund's id. */
  readonly id: string
  readonly kind: 'receive' | 'send'
  /** Of the block: the send's hash, or the public key of who gets it. */
  readonly link: string
  /** Raw. */
  readonly amount: bigint
  /** Of the payer that it is about. */
  readonly account: string
}

/** Where the service's chain ends, as far as it is confirmed. */
export interface Tip {
  /** Zeros while the account has no block. */
  readonly hash: string
  readonly balance: bigint
  readonly representative: string
}

/** A confirmed send to the service that nothing was done about yet. */
export interface OpenDeposit {
  readonly hash: string
  readonly account: string
  readonly amount: bigint
}

export const receiveOf = ({ hash, account, amount }: OpenDeposit): Payment => ({
  id: `receive:${hash}`,
  kind: 'receive',
  link: hash,
  amount,
  account,
})

/** @param to an account that `parseNanoAccount` reads */
export const refundOf = (id: string, account: string, amount: bigint, to: string): Payment => ({
  id: `refund:${id}`,
  kind: 'send',
  link: upperHex(parseNanoAccount(to) ?? new Uint8Array()),
  amount,
  account,
})

/** Whose refunds wait for money: none while there is one that can be made. */
export const waitingPayers = (wanted: readonly Payment[], balance: bigint): readonly string[] => {
  const refunds = wanted.filter(({ kind }) => kind === 'send')
  return refunds.some(({ amount }) => amount <= balance) ? [] : [...new Set(refunds.map(({ account }) => account))]
}

/**
 * The payment to be made next. Somebody waits for a refund, so refunds come first; one that there is no money for has the
 * sends of its own payer received before.
 * @param possible the oldest first: what is wanted, and receiving the open deposits of waiting payers
 * @returns undefined when nothing can be done
 */
export const nextPayment = (possible: readonly Payment[], balance: bigint): Payment | undefined => {
  const affordable = possible.find(({ kind, amount }) => kind === 'send' && amount <= balance)
  if (affordable) return affordable
  const payers = new Set(waitingPayers(possible, balance))
  const receives = possible.filter(({ kind }) => kind === 'receive')
  return receives.find(({ account }) => payers.has(account)) ?? receives[0]
}

/** The block that makes a payment at the end of the chain. @param representative for the first block of the account */
export const blockOf = (
  { kind, link, amount }: Payment,
  account: string,
  { hash: previous, balance, representative }: Tip,
): StateBlock => ({
  account,
  previous,
  representative,
  balance: kind === 'send' ? balance - amount : balance + amount,
  link,
})
