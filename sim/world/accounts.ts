/** Whose account is whose. All of them have money of both kinds at the start. */
import { parseAddress, type Address } from '../../chain/types.ts'
import type { SimAccount } from '../edr.ts'

/** The first account of each kind; there is room for four. */
const first = {
  /** Who registers a vendor. */
  owner: 0,
  /** Who a vendor may hand itself over to, and back. */
  heir: 4,
  /** The hot keys that a vendor may use. */
  operator: 8,
  deputy: 12,
  buyer: 16,
  payer: 20,
  /** Signs a payer's vouchers; has never sent anything. */
  signer: 24,
  /** Sends what others have signed. */
  relayer: 28,
  adversary: 32,
} as const

export type Role = keyof typeof first

const FIRST_STRANGER = 36
const STRANGERS = 20

export const accountOf = (accounts: readonly SimAccount[], role: Role, index = 0): SimAccount =>
  existing(accounts[first[role] + index])

/** Somebody who comes by; after some others, the same ones again. */
export const strangerOf = (accounts: readonly SimAccount[], index: number): SimAccount =>
  existing(accounts[FIRST_STRANGER + (index % STRANGERS)])

export const addressOf = ({ address }: SimAccount): Address => parseAddress(address) as Address

/** Who puts the contracts on the chain. */
export const deployerOf = (accounts: readonly SimAccount[]): SimAccount => existing(accounts.at(-1))

const existing = (account: SimAccount | undefined): SimAccount => {
  if (!account) throw new Error('too few accounts')
  return account
}
