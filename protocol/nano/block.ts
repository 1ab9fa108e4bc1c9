/**
 * State blocks: one account's balance after one payment. Each names the block before it, so an account's blocks are a
 * chain, and the amount paid is the difference between the balances of two of them.
 * @see https://docs.nano.org/integration-guides/the-basics/#blocks-specifications
 */
import { blake2b } from '@noble/hashes/blake2.js'
import { bytesToHex, hexToBytes } from '@noble/hashes/utils.js'
import { parseNanoAccount } from './account.ts'
import { nanoSign, nanoVerify } from './signature.ts'

export interface StateBlock {
  /** Whose chain it is in: nano_… */
  readonly account: string
  /** Hash of the block before it, 64 upper-case hex digits; zeros in the first one. */
  readonly previous: string
  /** The account that votes with this balance: nano_… */
  readonly representative: string
  /** Afterwards, raw. */
  readonly balance: bigint
  /** Public key of who a send goes to, or hash of the send that is received; 64 upper-case hex digits. */
  readonly link: string
}

export interface SignedBlock extends StateBlock {
  /** 128 upper-case hex digits. */
  readonly signature: string
}

/** A block as it is published. Work is not part of what is hashed: it may be replaced. */
export interface WorkedBlock extends SignedBlock {
  /** 16 lower-case hex digits. */
  readonly work: string
}

export const ZERO_HASH = '0'.repeat(64)

/** A block's preamble tells its type, which is 6 for state blocks. */
const STATE_PREAMBLE = 6
const BALANCE_BYTES = 16

/** As the network writes hashes, keys and signatures. */
export const upperHex = (bytes: Uint8Array): string => bytesToHex(bytes).toUpperCase()

/** @throws TypeError when an account is none, RangeError when the balance does not fit 128 bits */
export const nanoBlockHash = (block: StateBlock): string => upperHex(digestOf(block))

export const nanoSignBlock = (block: StateBlock, secretKey: Uint8Array): SignedBlock => ({
  ...block,
  signature: upperHex(nanoSign(digestOf(block), secretKey)),
})

/** Whether the account's own key signed it. */
export const nanoBlockIsSigned = (block: SignedBlock): boolean =>
  nanoVerify(hexToBytes(block.signature), digestOf(block), keyOf(block.account))

/** What the work of a block is computed for: the block before it, or the account where there is none. */
export const nanoRootOf = ({ account, previous }: Pick<StateBlock, 'account' | 'previous'>): string =>
  previous === ZERO_HASH ? upperHex(keyOf(account)) : previous

const digestOf = ({ account, previous, representative, balance, link }: StateBlock): Uint8Array => {
  const preamble = new Uint8Array(32)
  preamble[31] = STATE_PREAMBLE
  const parts = [preamble, keyOf(account), hexToBytes(previous), keyOf(representative), balanceBytes(balance)]
  const hash = blake2b.create({ dkLen: 32 })
  for (const part of [...parts, hexToBytes(link)]) hash.update(part)
  return hash.digest()
}

const balanceBytes = (balance: bigint): Uint8Array => {
  if (balance < 0n || balance >> 128n !== 0n) throw new RangeError('a balance has 128 bits')
  return hexToBytes(balance.toString(16).padStart(2 * BALANCE_BYTES, '0'))
}

const keyOf = (account: string): Uint8Array => {
  const key = parseNanoAccount(account)
  if (!key) throw new TypeError('not a Nano account')
  return key
}
