/**
 * Keys of accounts that sign vouchers: RSA (JWS `RS256`, RFC 7518 §3.3) for accounts that are key ids, secp256k1 (JWS
 * `ES256K`, RFC 8812 §3.2) for payment channels. The JWS header brings the public key as `jwk`; whether that key may
 * speak for an account is for the rail to say.
 */
import { sha256 } from '@noble/hashes/sha2.js'
import { computeAddress, Signature, SigningKey } from 'ethers'
import { base64url, fromHex, toHex } from './bytes.ts'
import type { CompactJws } from './compact-jws.ts'
import { ProtocolError } from './errors.ts'
import { parsePublicKey, publicKeyOf, type RsaPrivateKey, type RsaPublicKey } from './keys.ts'
import type { VoucherSigner } from './voucher.ts'

const RSA = { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' } as const

/** Signs vouchers of the account that is this key's id. */
export const rsaVoucherSigner = (privateKey: RsaPrivateKey): VoucherSigner => {
  const { kty, n, e } = publicKeyOf(privateKey)
  const key = crypto.subtle.importKey('jwk', privateKey, RSA, false, ['sign'])
  key.catch(() => {})
  return {
    header: { alg: 'RS256', jwk: { kty, n, e } },
    sign: async (input) => new Uint8Array(await crypto.subtle.sign(RSA, await key, new Uint8Array(input))),
  }
}

/**
 * The RSA key that signed.
 * @throws ERR_JWS_INVALID | ERR_KEY_INVALID
 */
export const rsaSignerOf = async (jws: CompactJws): Promise<RsaPublicKey> => {
  if (jws.header.alg !== 'RS256') throw invalid('RS256')
  const { kty, n, e } = parsePublicKey(jws.header.jwk)
  const key = await crypto.subtle.importKey('jwk', { kty, n, e }, RSA, false, ['verify'])
  const holds = await crypto.subtle.verify(RSA, key, new Uint8Array(jws.signature), new Uint8Array(jws.signingInput))
  if (!holds) throw invalid('RS256')
  return parsePublicKey({ kty, n, e })
}

/** Signs vouchers of channels whose signer has this key. @param privateKey 32 bytes, secp256k1 */
export const channelVoucherSigner = (privateKey: Uint8Array): VoucherSigner => {
  const key = signingKey(privateKey)
  const point = fromHex(key.publicKey)
  const jwk = {
    kty: 'EC',
    crv: 'secp256k1',
    x: base64url.encode(point.subarray(1, 33)),
    y: base64url.encode(point.subarray(33)),
  }
  return {
    header: { alg: 'ES256K', jwk },
    sign: async (input) => {
      const { r, s } = key.sign(sha256(input))
      return fromHex(`${r}${s.slice(2)}`)
    },
  }
}

const signingKey = (privateKey: Uint8Array): SigningKey => {
  try {
    return new SigningKey(privateKey)
  } catch {
    // ethers puts the value that it refuses into its message; a key must not be there.
    throw new TypeError('a private key is 32 bytes that make a number below the order of secp256k1')
  }
}

const ORDER = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n

/**
 * The address of the secp256k1 key that signed, lower case.
 * @throws ERR_JWS_INVALID
 */
export const evmSignerOf = (jws: CompactJws): `0x${string}` => {
  const { alg, jwk } = jws.header
  const publicKey = uncompressed(jwk)
  if (alg !== 'ES256K' || publicKey === undefined || jws.signature.length !== 64) throw invalid('ES256K')
  const digest = sha256(jws.signingInput)
  const r = toHex(jws.signature.subarray(0, 32))
  const s = BigInt(toHex(jws.signature.subarray(32)))
  // RFC 8812 lets s lie in either half; what is recovered from takes the lower one.
  const low = s > ORDER / 2n ? ORDER - s : s
  const recovered = ([27, 28] as const).map((v) => recover(digest, r, low, v))
  if (!recovered.includes(publicKey)) throw invalid('ES256K')
  return computeAddress(publicKey).toLowerCase() as `0x${string}`
}

const recover = (digest: Uint8Array, r: string, s: bigint, v: 27 | 28): string | undefined => {
  try {
    const signature = Signature.from({ r, s: `0x${s.toString(16).padStart(64, '0')}`, v })
    return SigningKey.recoverPublicKey(digest, signature)
  } catch {
    return undefined
  }
}

/** `0x04` and both coordinates. */
const uncompressed = (jwk: unknown): string | undefined => {
  const { kty, crv, x, y } = (jwk ?? {}) as Record<string, unknown>
  if (kty !== 'EC' || crv !== 'secp256k1' || typeof x !== 'string' || typeof y !== 'string') return undefined
  if (x.length !== 43 || y.length !== 43) return undefined
  try {
    return `0x04${toHex(base64url.decode(x)).slice(2)}${toHex(base64url.decode(y)).slice(2)}`
  } catch {
    return undefined
  }
}

const invalid = (algorithm: string) =>
  new ProtocolError('ERR_JWS_INVALID', `signature is not a valid ${algorithm} by the key in its header`)
