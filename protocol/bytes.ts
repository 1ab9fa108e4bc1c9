/** Text forms of bytes, strict both ways, and the few byte operations every format needs. */
import { bytesToHex, hexToBytes } from '@noble/hashes/utils.js'
import { base58 as scureBase58, base64urlnopad } from '@scure/base'

export const base64url = base64urlnopad
export const base58 = scureBase58

/** Base64url that spells its bytes in the one way that `base64url` reads: no padding, no stray low bits. */
export const CANONICAL_BASE64URL = /^(?:[\w-]{4})*(?:[\w-][AQgw]|[\w-]{2}[AEIMQUYcgkosw048])?$/

/** `0x` and lower-case hex digits, as the chain's interfaces write bytes. */
export const toHex = (bytes: Uint8Array): `0x${string}` => `0x${bytesToHex(bytes)}`

/** @throws Error when the text is not `0x` and pairs of hex digits */
export const fromHex = (text: string): Uint8Array => {
  if (!text.startsWith('0x')) throw new Error('hex bytes start with 0x')
  return hexToBytes(text.slice(2))
}

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

export const utf8 = (text: string): Uint8Array<ArrayBuffer> => encoder.encode(text)

/**
 * UTF-8 with white space after it, up to the next multiple of so many bytes. For what JSON is written to, where white
 * space at the end means nothing.
 */
export const utf8Padded = (text: string, multiple: number): Uint8Array => {
  const roundUp = (length: number) => Math.ceil(length / multiple) * multiple
  // A unit of UTF-16 takes three bytes at most.
  const room = new Uint8Array(roundUp(3 * text.length))
  const { written } = encoder.encodeInto(text, room)
  return room.subarray(0, roundUp(written)).fill(0x20, written)
}

/** @throws TypeError when the bytes are not UTF-8 */
export const fromUtf8 = (bytes: Uint8Array): string => decoder.decode(bytes)

/** Compares in a time that depends on the lengths only. */
export const equalBytes = (a: Uint8Array, b: Uint8Array): boolean => {
  if (a.length !== b.length) return false
  let difference = 0
  for (let i = 0; i < a.length; i++) difference |= (a[i] ?? 0) ^ (b[i] ?? 0)
  return difference === 0
}
