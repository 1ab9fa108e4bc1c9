/**
 * The real schemes, made repeatable: keys come from a pool, and what real threads compute is done when it is its turn.
 * Ciphertexts still differ from run to run, plaintexts do not.
 */
import type { Random } from '../effects/random.ts'
import { createNativeRsa } from '../effects/rsa-node.ts'
import { createJose, type Jose } from '../protocol/jose.ts'
import { createNativeJose } from '../vendor/native-jose.ts'
import type { KeyPool } from './key-pool.ts'
import type { Loop } from './loop.ts'

const rsa = createNativeRsa()
const portable = createJose()

/** As buyers compute it. */
export const createSimJose = (loop: Loop, keys: KeyPool): Jose => ({
  sign: (payload, key) => loop.external(() => portable.sign(payload, key)),
  verify: (jws, key) => loop.external(() => portable.verify(jws, key)),
  encrypt: (plaintext, key) => loop.external(() => portable.encrypt(plaintext, key)),
  decrypt: (jwe, key) => loop.external(() => portable.decrypt(jwe, key)),
  generateKeyPair: () => Promise.resolve(keys.take()),
})

/** As vendors compute it: at once, on the loop's own thread. */
export const createSimNativeJose = (random: Random, keys: KeyPool): Jose => ({
  ...createNativeJose(rsa, random),
  generateKeyPair: () => Promise.resolve(keys.take()),
})
