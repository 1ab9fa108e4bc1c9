/** RSA keys as they travel, and the two names a key has: Chrove's keyId and the RFC 7638 thumbprint (DESIGN 5). */
import { sha256 } from '@noble/hashes/sha2.js'
import { z } from 'zod'
import { base58, base64url, CANONICAL_BASE64URL, utf8 } from './bytes.ts'
import { ProtocolError } from './errors.ts'
import { RSA_BITS_MAX, RSA_BITS_MIN } from './limits.ts'

declare const validated: unique symbol

/** Public RSA key with modulus of 2048 to 4096 bits and exponent 65537; only `parsePublicKey` makes one. */
export interface RsaPublicKey {
  readonly kty: 'RSA'
  readonly n: string
  readonly e: 'AQAB'
  readonly [validated]: true
}

/** Private RSA key as a JWK; comes from our own key generation and keyrings, never from a peer. */
export type RsaPrivateKey = Readonly<Record<'n' | 'd' | 'p' | 'q' | 'dp' | 'dq' | 'qi', string>> & {
  readonly kty: 'RSA'
  readonly e: 'AQAB'
}

export interface RsaKeyPair {
  readonly publicKey: RsaPublicKey
  readonly privateKey: RsaPrivateKey
}

const base64urlText = z.base64url().min(1)

/** Length of a modulus written without padding, leading zero bytes or stray low bits; undefined if it is not. */
const modulusBits = (text: string): number | undefined => {
  if (!CANONICAL_BASE64URL.test(text)) return undefined
  const first = base64url.decode(text.slice(0, 4))[0]
  const last = base64url.decode(text.slice(-(text.length % 4 || 4))).at(-1)
  // One key must have one keyId, so other spellings of the same number are refused. An even number is no modulus.
  if (!first || !last || (last & 1) === 0) return undefined
  return Math.floor((text.length * 6) / 8) * 8 - Math.clz32(first) + 24
}

const MODULUS_TEXT_MAX = Math.ceil((RSA_BITS_MAX / 8) * (4 / 3)) + 2

const modulus = z
  .string()
  .max(MODULUS_TEXT_MAX, { abort: true })
  .refine((text) => {
    const bits = modulusBits(text)
    return bits !== undefined && bits >= RSA_BITS_MIN && bits <= RSA_BITS_MAX
  }, `modulus must have ${RSA_BITS_MIN} to ${RSA_BITS_MAX} bits, in canonical base64url`)

/** Shape of a public RSA JWK; members other than `kty`, `n` and `e` are dropped, so a private key loses its secret. */
const publicKeySchema = z.object({ kty: z.literal('RSA'), n: modulus, e: z.literal('AQAB') })

const privateKeySchema = publicKeySchema.extend({
  d: base64urlText,
  p: base64urlText,
  q: base64urlText,
  dp: base64urlText,
  dq: base64urlText,
  qi: base64urlText,
})

/**
 * Accepts a JWK as a public key, dropping all else it carries.
 * @throws ERR_KEY_INVALID
 */
export const parsePublicKey = (jwk: unknown): RsaPublicKey => {
  const parsed = publicKeySchema.safeParse(jwk)
  if (!parsed.success) {
    const text = `key must be an RSA JWK of ${RSA_BITS_MIN} to ${RSA_BITS_MAX} bits with exponent 65537`
    throw new ProtocolError('ERR_KEY_INVALID', text, { cause: parsed.error })
  }
  return parsed.data as RsaPublicKey
}

/**
 * Reads a private key back from one of our own files.
 * @throws ERR_KEY_INVALID
 */
export const parsePrivateKey = (jwk: unknown): RsaPrivateKey => {
  const parsed = privateKeySchema.safeParse(jwk)
  if (!parsed.success) throw new ProtocolError('ERR_KEY_INVALID', 'stored private key is damaged or not an RSA JWK')
  return parsed.data
}

/** The public half of a private key. */
export const publicKeyOf = (key: RsaPrivateKey): RsaPublicKey => parsePublicKey(key)

/** Chrove's id of a key: SHA-256(SHA-256(ASCII of `n`)), 32 bytes; `keyHash` on chain. */
export const keyIdOf = (key: { readonly n: string }): Uint8Array => sha256(sha256(utf8(key.n)))

/** keyId as the field `kid` and the query `?kid=` write it. */
export const formatKeyId = (keyId: Uint8Array): string => base58.encode(keyId)

/** @throws ERR_KEY_ID_INVALID unless the text is base58 of 32 bytes */
export const parseKeyId = (text: string): Uint8Array => {
  let bytes: Uint8Array | undefined
  // Base58 takes quadratic time: 32 bytes need at most 44 digits.
  if (text.length <= 44) {
    try {
      bytes = base58.decode(text)
    } catch {
      // Reported below, together with every other way of being wrong.
    }
  }
  if (bytes?.length !== 32) throw new ProtocolError('ERR_KEY_ID_INVALID', 'key id must be base58 of 32 bytes')
  return bytes
}

/** SHA-256 over the required members in lexicographic order, 32 bytes. @see RFC 7638 §3 */
export const thumbprintOf = (key: { readonly n: string; readonly e: string }): Uint8Array =>
  sha256(utf8(`{"e":"${key.e}","kty":"RSA","n":"${key.n}"}`))
