/** Signatures of EVM accounts on vouchers: JWS `ES256K`, which is ECDSA on secp256k1 over SHA-256. @see RFC 8812 §3.2 */
import { sha256 } from '@noble/hashes/sha2.js'
import { recoverAddress, Signature } from 'ethers'
import type { Address } from '../../../chain/types.ts'
import { toHex } from '../../../protocol/bytes.ts'
import type { CompactJws } from '../../../protocol/compact-jws.ts'

/** Order of the group. @see SEC 2 §2.4.1 */
const ORDER = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n

/** Whether the plain key of this account signed. The key is found from the signature: a `jwk` in the header is not needed. */
export const isSignedBy = ({ header, signingInput, signature }: CompactJws, account: Address): boolean => {
  if (header.alg !== 'ES256K' || signature.length !== 64) return false
  const digest = toHex(sha256(signingInput))
  const r = toHex(signature.subarray(0, 32))
  // RFC 8812 asks for no lower half: both forms are one signature, and a voucher is known by its jti.
  const given = BigInt(toHex(signature.subarray(32)))
  const s = `0x${(given > ORDER / 2n ? ORDER - given : given).toString(16).padStart(64, '0')}`
  return ([27, 28] as const).some((v) => {
    try {
      return recoverAddress(digest, Signature.from({ r, s, v })).toLowerCase() === account
    } catch {
      return false
    }
  })
}
