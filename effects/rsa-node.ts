/**
 * RSA and AES-GCM by the platform's native library, for servers whose time goes into little else: a call costs about
 * what the arithmetic costs. RSA is done in batches, at the end of the event loop's turn. Keys are JWKs, already checked. OAEP draws its padding from the library's own generator.
 */
import {
  constants,
  createCipheriv,
  createDecipheriv,
  createPrivateKey,
  createPublicKey,
  createSecretKey,
  type JsonWebKey,
  type KeyObject,
  privateDecrypt,
  publicEncrypt,
  sign,
  verify,
} from 'node:crypto'

/** A JWK with `kty` RSA. */
type Jwk = object

const OAEP_SHA256 = { padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha256' } as const
const GCM_TAG_BYTES = 16

export interface Sealed {
  readonly ciphertext: Uint8Array
  /** 16 bytes. */
  readonly tag: Uint8Array
}

export interface NativeRsa {
  /** RSASSA-PKCS1-v1_5 with SHA-256. */
  sign(data: Uint8Array, privateKey: Jwk): Promise<Uint8Array>
  verify(data: Uint8Array, signature: Uint8Array, publicKey: Jwk): Promise<boolean>
  /** RSAES-OAEP with SHA-256. */
  wrap(secret: Uint8Array, publicKey: Jwk): Promise<Uint8Array>
  /** @throws Error when it does not decrypt */
  unwrap(wrapped: Uint8Array, privateKey: Jwk): Promise<Uint8Array>
  /** AES-256-GCM. @param iv 12 bytes, never used twice with a key */
  seal(plaintext: Uint8Array, key: Uint8Array, iv: Uint8Array, aad: Uint8Array): Sealed
  /** @throws Error when anything was changed */
  open(sealed: Sealed, key: Uint8Array, iv: Uint8Array, aad: Uint8Array): Uint8Array
}

export const createNativeRsa = (): NativeRsa => {
  // Parsing a key costs as much as using its public half.
  const parsed = new WeakMap<Jwk, KeyObject>()
  const keyOf = (jwk: Jwk, parse: typeof createPublicKey | typeof createPrivateKey): KeyObject => {
    const key = parsed.get(jwk) ?? withoutTraces(() => parse({ key: jwk as JsonWebKey, format: 'jwk' }))
    parsed.set(jwk, key)
    return key
  }
  // A key that carries its padding itself is not mistaken for options; `sign` needs it without.
  const carrying = new WeakMap<Jwk, KeyObject>()
  const oaepKeyOf = (jwk: Jwk): KeyObject => {
    const key = carrying.get(jwk) ?? createPrivateKey({ key: jwk as JsonWebKey, format: 'jwk' })
    if (!carrying.has(jwk)) carrying.set(jwk, Object.assign(key, OAEP_SHA256))
    return key
  }
  const together = createBatches()
  return {
    sign: (data, privateKey) => together('sign', () => sign('sha256', data, keyOf(privateKey, createPrivateKey))),
    verify: (data, signature, publicKey) =>
      together('verify', () => verify('sha256', data, keyOf(publicKey, createPublicKey), signature)),
    wrap(secret, publicKey) {
      const key = keyOf(publicKey, createPublicKey)
      return together('wrap', () => publicEncrypt({ key, ...OAEP_SHA256 }, secret))
    },
    unwrap: (wrapped, privateKey) => together('unwrap', () => privateDecrypt(oaepKeyOf(privateKey), wrapped)),
    seal(plaintext, key, iv, aad) {
      const cipher = createCipheriv('aes-256-gcm', createSecretKey(key), iv, { authTagLength: GCM_TAG_BYTES }).setAAD(
        aad,
      )
      const ciphertext = Buffer.concat([cipher.update(plaintext), cipher.final()])
      return { ciphertext, tag: cipher.getAuthTag() }
    },
    open({ ciphertext, tag }, key, iv, aad) {
      const decipher = createDecipheriv('aes-256-gcm', createSecretKey(key), iv, { authTagLength: GCM_TAG_BYTES })
      decipher.setAAD(aad).setAuthTag(tag)
      return Buffer.concat([decipher.update(ciphertext), decipher.final()])
    },
  }
}

/**
 * Node finds out that options are not a key by catching an error of its own, several times a call. Writing the stack
 * trace of each costs more than parsing a key.
 */
const withoutTraces = <T>(call: () => T): T => {
  const limit = Error.stackTraceLimit
  Error.stackTraceLimit = 0
  try {
    return call()
  } finally {
    Error.stackTraceLimit = limit
  }
}

type Kind = 'unwrap' | 'verify' | 'sign' | 'wrap'

/**
 * Runs what is asked for within one turn of the event loop one after another, kind by kind: an RSA operation whose code
 * is not in the processor's caches takes half as long again.
 */
const createBatches = () => {
  const queues: Record<Kind, (() => void)[]> = { unwrap: [], verify: [], sign: [], wrap: [] }
  let isScheduled = false
  const flush = (): void => {
    isScheduled = false
    const batches = Object.values(queues).map((queue) => queue.splice(0))
    for (const batch of batches) for (const operation of batch) operation()
  }
  return <T>(kind: Kind, operation: () => T): Promise<T> =>
    new Promise((resolve, reject) => {
      queues[kind].push(() => {
        try {
          resolve(withoutTraces(operation))
        } catch (error) {
          reject(error as Error)
        }
      })
      if (isScheduled) return
      isScheduled = true
      setImmediate(flush)
    })
}
