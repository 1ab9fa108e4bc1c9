/**
 * Accounts of the Nano network: an Ed25519 public key, written as `nano_`, 52 characters of the key and 8 of a checksum.
 * @see https://docs.nano.org/integration-guides/the-basics/#account-public-address
 */
import { blake2b } from '@noble/hashes/blake2.js'
import { bytesToHex, hexToBytes } from '@noble/hashes/utils.js'

const ALPHABET = '13456789abcdefghijkmnopqrstuwxyz'
/** A key has 256 bits and 52 characters have 260: the first four are zero, so the first character is one of two. */
const ACCOUNT = /^(?:nano|xrb)_([13][13456789a-km-uw-z]{51})([13456789a-km-uw-z]{8})$/
const KEY_CHARACTERS = 52
const KEY_BYTES = 32
const CHECKSUM_CHARACTERS = 8
const CHECKSUM_BYTES = 5

const values = new Map([...ALPHABET].map((character, value) => [character, BigInt(value)]))

/** The account of a public key, in the one spelling that we use. */
export const formatNanoAccount = (publicKey: Uint8Array): string =>
  `nano_${encode(publicKey, KEY_CHARACTERS)}${checksumOf(publicKey)}`

/**
 * The public key of an account.
 * @param text with the prefix `nano_`, or `xrb_` as accounts were written before 2019 (SEED 004 writes them so)
 * @returns 32 bytes; undefined for what is no account
 */
export const parseNanoAccount = (text: string): Uint8Array | undefined => {
  const [, key, checksum] = ACCOUNT.exec(text) ?? []
  if (key === undefined) return undefined
  let value = 0n
  for (const character of key) value = (value << 5n) | (values.get(character) ?? 0n)
  const publicKey = hexToBytes(value.toString(16).padStart(2 * KEY_BYTES, '0'))
  return checksumOf(publicKey) === checksum ? publicKey : undefined
}

const checksumOf = (publicKey: Uint8Array): string =>
  encode(blake2b(publicKey, { dkLen: CHECKSUM_BYTES }).reverse(), CHECKSUM_CHARACTERS)

/** Bits are filled up at the front, which no common base 32 does. */
const encode = (bytes: Uint8Array, length: number): string => {
  const value = BigInt(`0x${bytesToHex(bytes)}`)
  const digit = (place: number) => Number((value >> BigInt(5 * place)) & 31n)
  return Array.from({ length }, (_, at) => ALPHABET[digit(length - 1 - at)]).join('')
}
