/**
 * Ed25519 with BLAKE2b-512 where RFC 8032 has SHA-512: how the Nano network signs. Everything else is Ed25519, so the
 * keys of one are not the keys of the other.
 * @see https://docs.nano.org/protocol-design/signing-hashing-and-key-derivation/
 */
import { eddsa } from '@noble/curves/abstract/edwards.js'
import { ed25519 } from '@noble/curves/ed25519.js'
import { blake2b } from '@noble/hashes/blake2.js'

/** RFC 8032 §5.1.5 step 2. */
const adjustScalarBytes = (bytes: Uint8Array): Uint8Array => {
  bytes[0] = (bytes[0] ?? 0) & 0xf8
  bytes[31] = ((bytes[31] ?? 0) & 0x7f) | 0x40
  return bytes
}

// As RFC 8032 §5.1.7 has it: one signature has one spelling, and keys of small order sign nothing.
const scheme = eddsa(ed25519.Point, blake2b, { adjustScalarBytes, zip215: false })

/** @param secretKey 32 bytes */
export const nanoPublicKeyOf = (secretKey: Uint8Array): Uint8Array => scheme.getPublicKey(secretKey)

/** The same message and key give the same signature, 64 bytes. */
export const nanoSign = (message: Uint8Array, secretKey: Uint8Array): Uint8Array => scheme.sign(message, secretKey)

/** Whether the signature is good; false for a key or a signature that is none. */
export const nanoVerify = (signature: Uint8Array, message: Uint8Array, publicKey: Uint8Array): boolean => {
  try {
    return scheme.verify(signature, message, publicKey)
  } catch {
    return false
  }
}
