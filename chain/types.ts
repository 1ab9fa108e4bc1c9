/** What a chain is made of, as Chrove reads it: the same value always has the same spelling. */

/** `0x` and pairs of lower-case hex digits. */
export type Hex = `0x${string}`

declare const brand: unique symbol

/** Account or contract: `0x` and 40 digits, always lower case (no checksum case), so that `===` compares. */
export type Address = Hex & { readonly [brand]: 'Address' }

/** Hash of a block or transaction: `0x` and 64 lower-case digits. */
export type Hash = Hex & { readonly [brand]: 'Hash' }

/** For the native coin where a token is named, and for nobody where an account is. */
export const ZERO_ADDRESS = `0x${'0'.repeat(40)}` as Address

const ADDRESS = /^0x[0-9a-f]{40}$/
const HASH = /^0x[0-9a-f]{64}$/

/**
 * An address in any letter case, checksum case included (the checksum is not verified).
 * @returns undefined if it is none
 */
export const parseAddress = (text: string): Address | undefined => {
  const lower = text.toLowerCase()
  return ADDRESS.test(lower) ? (lower as Address) : undefined
}

/** @returns undefined unless the text is 32 bytes of hex */
export const parseHash = (text: string): Hash | undefined => {
  const lower = text.toLowerCase()
  return HASH.test(lower) ? (lower as Hash) : undefined
}

/** A place in a chain, and which chain that was. */
export interface BlockRef {
  readonly number: number
  readonly hash: Hash
}

/** Header of a block, the part that following needs. */
export interface Block extends BlockRef {
  readonly parentHash: Hash
  readonly timestampSeconds: number
}

/** Where on chain something is written. */
export interface Evidence {
  readonly blockNumber: number
  readonly blockHash: Hash
  readonly transactionHash: Hash
  readonly transactionIndex: number
  /** Position among all logs of the block. */
  readonly logIndex: number
}

/** What a contract wrote, as the node tells it. */
export interface ChroveLog {
  readonly address: Address
  readonly topics: readonly Hex[]
  readonly data: Hex
  readonly evidence: Evidence
}
