/**
 * Signatures and encryption as Chrove uses them: JWS RS256 flattened, JWE RSA-OAEP-256 with A256GCM compact, no
 * compression (DESIGN 5). Algorithms are fixed here and never taken from a message. An interface, because the
 * library draws its own keys and IVs: the simulator orders its calls, and can put an ideal scheme in its place.
 */
import {
  CompactEncrypt,
  compactDecrypt,
  exportJWK,
  FlattenedSign,
  flattenedVerify,
  generateKeyPair,
  importJWK,
  type JWK,
} from 'jose'
import { z } from 'zod'
import { CANONICAL_BASE64URL } from './bytes.ts'
import { ProtocolError } from './errors.ts'
import { parsePrivateKey, publicKeyOf, type RsaKeyPair, type RsaPrivateKey, type RsaPublicKey } from './keys.ts'

// Canonical, so that one signature has one text: legacy codes are remembered by it.
const base64urlText = z.string().regex(CANONICAL_BASE64URL)

/** @see RFC 7515 §7.2.2 */
export const flattenedJwsSchema = z.object({
  payload: base64urlText,
  protected: base64urlText.min(1),
  signature: base64urlText.min(1),
})

export type FlattenedJws = z.infer<typeof flattenedJwsSchema>

export interface Jose {
  /** A fresh RSA key pair of 2048 bits. */
  generateKeyPair(): Promise<RsaKeyPair>
  /** Signs with RS256; the same payload and key give the same signature. */
  sign(payload: Uint8Array, key: RsaPrivateKey): Promise<FlattenedJws>
  /**
   * Checks a signature.
   * @returns the signed payload
   * @throws ERR_JWS_INVALID
   */
  verify(jws: FlattenedJws, key: RsaPublicKey): Promise<Uint8Array>
  /** Encrypts to a key; compact serialization. */
  encrypt(plaintext: Uint8Array, key: RsaPublicKey): Promise<string>
  /**
   * Decrypts a compact serialization.
   * @throws ERR_JWE_INVALID, the same for every reason, so that it is no oracle
   */
  decrypt(jwe: string, key: RsaPrivateKey): Promise<Uint8Array>
}

const JWS_ALGORITHM = 'RS256'
const JWE_ALGORITHM = 'RSA-OAEP-256'
const JWE_ENCRYPTION = 'A256GCM'

/** The real scheme. Imported keys are remembered for as long as the key objects live. */
export const createJose = (): Jose => {
  const imported = new WeakMap<object, Map<string, Promise<CryptoKey>>>()
  const importKey = (key: RsaPublicKey | RsaPrivateKey, algorithm: string): Promise<CryptoKey> => {
    const forms = imported.get(key) ?? new Map<string, Promise<CryptoKey>>()
    imported.set(key, forms)
    const form = forms.get(algorithm) ?? (importJWK(key as JWK, algorithm) as Promise<CryptoKey>)
    forms.set(algorithm, form)
    return form
  }

  return {
    async generateKeyPair() {
      const pair = await generateKeyPair(JWS_ALGORITHM, { modulusLength: 2048, extractable: true })
      const privateKey = parsePrivateKey(await exportJWK(pair.privateKey))
      return { privateKey, publicKey: publicKeyOf(privateKey) }
    },

    async sign(payload, key) {
      const signer = new FlattenedSign(payload).setProtectedHeader({ alg: JWS_ALGORITHM })
      return flattenedJwsSchema.parse(await signer.sign(await importKey(key, JWS_ALGORITHM)))
    },

    async verify(jws, key) {
      try {
        // Only what is signed: an unprotected `header` decides nothing.
        const { payload, protected: header, signature } = jws
        const signed = { payload, protected: header, signature }
        const options = { algorithms: [JWS_ALGORITHM] }
        const verified = await flattenedVerify(signed, await importKey(key, JWS_ALGORITHM), options)
        return verified.payload
      } catch (cause) {
        throw new ProtocolError('ERR_JWS_INVALID', `signature is not a valid ${JWS_ALGORITHM} by this key`, { cause })
      }
    },

    async encrypt(plaintext, key) {
      const encrypter = new CompactEncrypt(plaintext).setProtectedHeader({ alg: JWE_ALGORITHM, enc: JWE_ENCRYPTION })
      return encrypter.encrypt(await importKey(key, JWE_ALGORITHM))
    },

    async decrypt(jwe, key) {
      try {
        const decrypted = await compactDecrypt(jwe, await importKey(key, JWE_ALGORITHM), {
          keyManagementAlgorithms: [JWE_ALGORITHM],
          contentEncryptionAlgorithms: [JWE_ENCRYPTION],
          // Nothing is ever decompressed.
          maxDecompressedLength: 0,
        })
        return decrypted.plaintext
      } catch {
        throw new ProtocolError('ERR_JWE_INVALID', `not a ${JWE_ALGORITHM} and ${JWE_ENCRYPTION} message to this key`)
      }
    },
  }
}
