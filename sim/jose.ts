/**
 * The real schemes, made repeatable: keys come from a pool, and what real threads compute is done when it is its turn.
 * Ciphertexts still differ from run to run, plaintexts do not.
 */
import type { Random } from '../effects/random.ts'
import { createNativeRsa, type NativeRsa } from '../effects/rsa-node.ts'
import { createJose, type Jose } from '../protocol/jose.ts'
import { createNativeJose } from '../vendor/native-jose.ts'
import type { KeyPool } from './key-pool.ts'
import type { Loop } from './loop.ts'

/** Results kept at most: a run makes some hundreds. */
const REMEMBERED_MAX = 20_000

/** The native scheme; what gives the same for the same is computed once, since every seed is run twice. */
const createFrugalRsa = (): NativeRsa => {
  const rsa = createNativeRsa()
  const signatures = new Map<string, Promise<Uint8Array>>()
  const verdicts = new Map<string, Promise<boolean>>()
  const once = <T>(results: Map<string, T>, parts: readonly (Uint8Array | string)[], compute: () => T): T => {
    const name = parts.map((part) => (typeof part === 'string' ? part : Buffer.from(part).toString('latin1'))).join('|')
    const known = results.get(name)
    if (known !== undefined) return known
    if (results.size >= REMEMBERED_MAX) results.clear()
    const result = compute()
    results.set(name, result)
    return result
  }
  const modulus = (key: object) => (key as { readonly n: string }).n
  return {
    ...rsa,
    sign: (data, key) => once(signatures, [modulus(key), data], () => rsa.sign(data, key)),
    verify: (data, signature, key) =>
      once(verdicts, [modulus(key), data, signature], () => rsa.verify(data, signature, key)),
  }
}

const rsa = createFrugalRsa()
const portable = createJose()

/** As buyers compute it in life. */
export const createSimJose = (loop: Loop, keys: KeyPool): Jose => ({
  sign: (payload, key) => loop.external(() => portable.sign(payload, key)),
  verify: (jws, key) => loop.external(() => portable.verify(jws, key)),
  encrypt: (plaintext, key) => loop.external(() => portable.encrypt(plaintext, key)),
  decrypt: (jwe, key) => loop.external(() => portable.decrypt(jwe, key)),
  generateKeyPair: () => Promise.resolve(keys.take()),
})

/** As vendors compute it: at once, on the loop's own thread, which is also faster. */
export const createSimNativeJose = (random: Random, keys: KeyPool): Jose => ({
  ...createNativeJose(rsa, random),
  generateKeyPair: () => Promise.resolve(keys.take()),
})
