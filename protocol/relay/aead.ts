/**
 * AES-256-GCM as the record layer needs it. The portable one runs wherever JavaScript does; a program on Node hands in
 * the platform's own (`effects/aead-node.ts`), which is many times faster and speaks the same bytes.
 */
import { gcm } from '@noble/ciphers/aes.js'

export const AEAD_NONCE_BYTES = 12
export const AEAD_TAG_BYTES = 16

export interface Aead {
  /**
   * @param nonce 12 bytes, never the same twice for one key
   * @param header authenticated, not encrypted
   * @returns ciphertext, as long as the plaintext, and tag
   */
  seal(nonce: Uint8Array, header: Uint8Array, plaintext: Uint8Array): readonly [ciphertext: Uint8Array, tag: Uint8Array]
  /** @returns undefined when anything of it was changed */
  open(nonce: Uint8Array, header: Uint8Array, ciphertext: Uint8Array, tag: Uint8Array): Uint8Array | undefined
}

/** @param key 32 bytes; it is copied, so that the caller can wipe its own */
export type CreateAead = (key: Uint8Array) => Aead

export const createPortableAead: CreateAead = (given) => {
  const key = given.slice()
  return {
    seal(nonce, header, plaintext) {
      const sealed = gcm(key, nonce, header).encrypt(plaintext)
      return [sealed.subarray(0, plaintext.length), sealed.subarray(plaintext.length)]
    },
    open(nonce, header, ciphertext, tag) {
      const sealed = new Uint8Array(ciphertext.length + tag.length)
      sealed.set(ciphertext)
      sealed.set(tag, ciphertext.length)
      try {
        return gcm(key, nonce, header).decrypt(sealed)
      } catch {
        return undefined
      }
    },
  }
}
