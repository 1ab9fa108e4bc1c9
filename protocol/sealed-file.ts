/**
 * Secrets at rest: a JSON file that only its passphrase opens. scrypt (RFC 7914) makes each guess expensive,
 * XChaCha20-Poly1305 keeps the content secret and whole. Pure: salt and nonce come from the caller.
 */
import { xchacha20poly1305 } from '@noble/ciphers/chacha.js'
import { scrypt } from '@noble/hashes/scrypt.js'
import { z } from 'zod'
import { base64url, CANONICAL_BASE64URL, utf8 } from './bytes.ts'
import { ProtocolError } from './errors.ts'
import { canonicalJson, parseJson } from './json.ts'

/** Binary logarithm of scrypt's N; 17 takes about half a second and 128 MiB. */
const SCRYPT_LOG_N = 17
const SCRYPT_LOG_N_MIN = 10
const SCRYPT_LOG_N_MAX = 20
export const SEAL_SALT_BYTES = 32
export const SEAL_NONCE_BYTES = 24

const base64urlText = z.string().regex(CANONICAL_BASE64URL)

const headerShape = {
  format: z.literal('chrove-sealed-1'),
  kdf: z.literal('scrypt'),
  logN: z.int().min(SCRYPT_LOG_N_MIN).max(SCRYPT_LOG_N_MAX),
  salt: base64urlText,
  cipher: z.literal('xchacha20poly1305'),
}

const fileSchema = z.object({ ...headerShape, nonce: base64urlText, ciphertext: base64urlText })

/** A passphrase already made into a key: derive once, then seal and open at no cost. */
export interface SealingKey {
  readonly logN: number
  /** 32 bytes. */
  readonly salt: Uint8Array
  /** 32 bytes. */
  readonly key: Uint8Array
}

/** Derives the key; slow by design. */
export const deriveSealingKey = (passphrase: string, salt: Uint8Array, logN = SCRYPT_LOG_N): SealingKey => ({
  logN,
  salt,
  key: scrypt(utf8(passphrase.normalize('NFKC')), salt, { N: 2 ** logN, r: 8, p: 1, dkLen: 32 }),
})

const headerOf = ({ logN, salt }: SealingKey) =>
  ({
    format: 'chrove-sealed-1',
    kdf: 'scrypt',
    logN,
    salt: base64url.encode(salt),
    cipher: 'xchacha20poly1305',
  }) as const

/**
 * Encrypts a value that JSON can hold.
 * @param nonce 24 fresh random bytes
 * @returns the file's content; the header is authenticated with it
 */
export const seal = (value: unknown, sealing: SealingKey, nonce: Uint8Array): Uint8Array => {
  const header = headerOf(sealing)
  const ciphertext = xchacha20poly1305(sealing.key, nonce, canonicalJson(header)).encrypt(canonicalJson(value))
  const file = { ...header, nonce: base64url.encode(nonce), ciphertext: base64url.encode(ciphertext) }
  return utf8(`${JSON.stringify(file, undefined, 2)}\n`)
}

/**
 * Decrypts a file.
 * @returns the value, and the key to seal its next version with
 * @throws ERR_SEALED_FILE when it is no such file, was changed, or the passphrase is wrong
 */
export const unseal = (content: Uint8Array, passphrase: string): { value: unknown; sealing: SealingKey } => {
  const { logN, salt, nonce, ciphertext } = parseFile(content)
  const sealing = deriveSealingKey(passphrase, base64url.decode(salt), logN)
  try {
    const opener = xchacha20poly1305(sealing.key, base64url.decode(nonce), canonicalJson(headerOf(sealing)))
    return { value: parseJson(opener.decrypt(base64url.decode(ciphertext))), sealing }
  } catch {
    throw new ProtocolError('ERR_SEALED_FILE', 'wrong passphrase, or the file was damaged')
  }
}

const parseFile = (content: Uint8Array): z.infer<typeof fileSchema> => {
  try {
    return fileSchema.parse(parseJson(content))
  } catch {
    throw new ProtocolError('ERR_SEALED_FILE', 'this is not a sealed file of Chrove')
  }
}
