/**
 * RSA and AES-GCM by the platform's native library, for servers whose time goes into little else: a call costs about
 * what the arithmetic costs. RSA is done in batches. Keys are JWKs, already checked. OAEP draws its padding from the
 * library's own generator.
 */
import {
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
import { nextTick } from 'node:process'

/** A JWK with `kty` RSA. */
type Jwk = object

/** With all that follows from them they take about 40 ms, for which the rest of the process waits. */
const UNWRAPS_PER_TURN_MAX = 64
const GCM = 'aes-256-gcm'
const GCM_TAG_BYTES = 16
const GCM_OPTIONS = { authTagLength: GCM_TAG_BYTES } as const

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
  const parsed = new WeakMap<Jwk, KeyObject>()
  /** Parsing a key costs as much as using its public half. */
  const keyOf = (jwk: Jwk, parse: (jwk: Jwk) => KeyObject): KeyObject => {
    const known = parsed.get(jwk)
    if (known) return known
    const key = withoutTraces(() => parse(jwk))
    parsed.set(jwk, key)
    return key
  }
  // A request begins with unwrapping: that waits for others of the turn. What it asks for then is done before more
  // requests are read, so that those which began together stay together.
  const unwraps = createBatch(setImmediate, UNWRAPS_PER_TURN_MAX)
  const [verifies, signs, wraps] = [createBatch(nextTick), createBatch(nextTick), createBatch(nextTick)]
  return {
    sign: (data, jwk) => signs(() => sign('sha256', data, keyOf(jwk, privateKey))),
    verify: (data, signature, jwk) => verifies(() => verify('sha256', data, keyOf(jwk, publicKey), signature)),
    wrap: (secret, jwk) => wraps(() => publicEncrypt(keyOf(jwk, publicKey), secret)),
    unwrap: (wrapped, jwk) => unwraps(() => privateDecrypt(keyOf(jwk, privateKey), wrapped)),
    seal(plaintext, key, iv, aad) {
      const cipher = createCipheriv(GCM, createSecretKey(key), iv, GCM_OPTIONS).setAAD(aad)
      const ciphertext = cipher.update(plaintext)
      // GCM holds no bytes back: all that is left is the tag.
      cipher.final()
      return { ciphertext, tag: cipher.getAuthTag() }
    },
    open({ ciphertext, tag }, key, iv, aad) {
      const decipher = createDecipheriv(GCM, createSecretKey(key), iv, GCM_OPTIONS).setAAD(aad).setAuthTag(tag)
      const plaintext = decipher.update(ciphertext)
      decipher.final()
      return plaintext
    },
  }
}

/**
 * A key object carries the hash of its OAEP itself: options around a key would be taken for the key first. OAEP is the
 * default where the hash is looked at, and signatures do not look at it.
 */
const OAEP = { oaepHash: 'sha256' } as const

const publicKey = (jwk: Jwk): KeyObject =>
  Object.assign(createPublicKey({ key: jwk as JsonWebKey, format: 'jwk' }), OAEP)

const privateKey = (jwk: Jwk): KeyObject =>
  Object.assign(createPrivateKey({ key: jwk as JsonWebKey, format: 'jwk' }), OAEP)

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

/**
 * Runs what is asked for one after another: an RSA operation whose code is not in the processor's caches takes half as
 * long again.
 * @param schedule calls back when it is time to run
 * @param atOnceMax operations that run before anything else does
 */
const createBatch = (schedule: (run: () => void) => void, atOnceMax = Number.POSITIVE_INFINITY) => {
  const queue: (() => void)[] = []
  const run = (): void => {
    for (const operation of queue.splice(0, atOnceMax)) operation()
    if (queue.length > 0) schedule(run)
  }
  return <T>(operation: () => T): Promise<T> =>
    new Promise((resolve, reject) => {
      const length = queue.push(() => {
        try {
          resolve(operation())
        } catch (error) {
          reject(error as Error)
        }
      })
      if (length === 1) schedule(run)
    })
}
