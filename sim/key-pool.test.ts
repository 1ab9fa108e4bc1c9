import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { keyIdOf } from '../protocol/keys.ts'
import { createKeyPool, poolKey, POOL_KEYS } from './key-pool.ts'
import { createSimJose, createSimNativeJose } from './jose.ts'
import { createLoop } from './loop.ts'
import { createSimRandom } from './random.ts'

describe('the pool of keys', () => {
  it('has a different valid key under each number', () => {
    const ids = new Set<string>()
    for (let index = 0; index < POOL_KEYS; index++)
      ids.add(Buffer.from(keyIdOf(poolKey(index).publicKey)).toString('hex'))
    assert.equal(ids.size, POOL_KEYS)
    assert.throws(() => poolKey(POOL_KEYS), RangeError)
  })

  it('gives nobody the key of another, and the same keys in every run', () => {
    const [first, second] = [createKeyPool(), createKeyPool()]
    const taken = Array.from({ length: 5 }, () => first.take())
    assert.equal(new Set(taken).size, 5)
    assert.deepEqual(
      Array.from({ length: 5 }, () => second.take()),
      taken,
    )
  })

  it('has keys that both schemes sign, verify, encrypt and decrypt with', async () => {
    const loop = createLoop()
    const keys = createKeyPool()
    const schemes = [createSimJose(loop, keys), createSimNativeJose(createSimRandom(1), keys)]
    const text = Uint8Array.of(1, 2, 3)
    const exchange = async () => {
      for (const from of schemes) {
        for (const to of schemes) {
          const { publicKey, privateKey } = await from.generateKeyPair()
          assert.deepEqual(await to.verify(await from.sign(text, privateKey), publicKey), text)
          assert.deepEqual(await to.decrypt(await from.encrypt(text, publicKey), privateKey), text)
        }
      }
    }
    await loop.runUntil(exchange(), 1_000)
  })
})
