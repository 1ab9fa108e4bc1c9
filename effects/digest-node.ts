/** Digests by the platform's native library, for servers that take many: ten times as fast as the portable ones. */
import { createHash, createHmac, hash } from 'node:crypto'

/** @returns 32 bytes */
export const sha256 = (bytes: Uint8Array): Uint8Array => hash('sha256', bytes, 'buffer')

/** HMAC-SHA-256 of text in ASCII. @returns base64url */
export const hmacSha256 = (key: Uint8Array, text: string): string =>
  createHmac('sha256', key).update(text, 'latin1').digest('base64url')

/** base64url of UTF-8 text. */
export const base64urlOfText = (text: string): string => Buffer.from(text).toString('base64url')

/** A SHA-256 of what comes in pieces. */
export interface Sha256 {
  update(bytes: Uint8Array): void
  /** Ends it. @returns base64url */
  digest(): string
}

export const createSha256 = (): Sha256 => {
  const hashing = createHash('sha256')
  return { update: (bytes) => void hashing.update(bytes), digest: () => hashing.digest('base64url') }
}
