/** AES-256-GCM by the platform's native library, for those who move gigabytes. */
import { createCipheriv, createDecipheriv, createSecretKey } from 'node:crypto'

const GCM = 'aes-256-gcm'
const OPTIONS = { authTagLength: 16 } as const

/** @param bytes 32; copied */
export const createNativeAead = (bytes: Uint8Array) => {
  const key = createSecretKey(bytes)
  return {
    seal(nonce: Uint8Array, header: Uint8Array, plaintext: Uint8Array): readonly [Uint8Array, Uint8Array] {
      const cipher = createCipheriv(GCM, key, nonce, OPTIONS).setAAD(header)
      const ciphertext = cipher.update(plaintext)
      cipher.final()
      return [ciphertext, cipher.getAuthTag()]
    },
    open(nonce: Uint8Array, header: Uint8Array, ciphertext: Uint8Array, tag: Uint8Array): Uint8Array | undefined {
      const decipher = createDecipheriv(GCM, key, nonce, OPTIONS).setAAD(header).setAuthTag(tag)
      const plaintext = decipher.update(ciphertext)
      try {
        decipher.final()
      } catch {
        return undefined
      }
      return plaintext
    },
  }
}
