/**
 * Vouchers of Nano accounts: a JWS signed by the account's own key, the one that signs its blocks. RFC 8037's `EdDSA` is
 * another algorithm, and no registered one is this: its name is `Ed25519Blake2b`.
 *
 * A signature of a voucher can never pass for one of a block: what is signed here is text of two base64url parts with a
 * dot, and a block's hash, which is what the network signs, has 32 bytes.
 */
import type { CompactJws } from '../compact-jws.ts'
import type { VoucherSigner } from '../voucher.ts'
import { parseNanoAccount } from './account.ts'
import { nanoSign, nanoVerify } from './signature.ts'

export const NANO_ALGORITHM = 'Ed25519Blake2b'

/** @param secretKey the account's, 32 bytes; the account tells the public key, so the header has none */
export const nanoVoucherSigner = (secretKey: Uint8Array): VoucherSigner => ({
  header: { alg: NANO_ALGORITHM },
  sign: (signingInput) => Promise.resolve(nanoSign(signingInput, secretKey)),
})

/** Whether the account's key signed it, by this algorithm. */
export const nanoVoucherHolds = ({ header, signingInput, signature }: CompactJws, account: string): boolean => {
  const publicKey = parseNanoAccount(account)
  return publicKey !== undefined && header.alg === NANO_ALGORITHM && nanoVerify(signature, signingInput, publicKey)
}
