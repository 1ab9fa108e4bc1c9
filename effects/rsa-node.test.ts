import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { rsaKeyPair } from '../sim/rsa-keys.ts'
import { createNativeRsa } from './rsa-node.ts'

const { privateKey, publicKey } = rsaKeyPair(0)
const turn = () => new Promise<void>((resolve) => setImmediate(resolve))

describe('the order in which RSA is done', () => {
  it('what an unwrapping leads to comes before anything else of the turn', async () => {
    const rsa = createNativeRsa()
    const wrapped = await rsa.wrap(Buffer.from('secret'), publicKey)
    const order: string[] = []
    const answer = async () => {
      const secret = await rsa.unwrap(wrapped, privateKey)
      order.push('unwrapped')
      const signature = await rsa.sign(secret, privateKey)
      order.push((await rsa.verify(secret, signature, publicKey)) ? 'verified' : 'forged')
    }
    const answers = Promise.all([answer(), answer()])
    await turn().then(() => order.push('turned'))
    await answers
    assert.deepEqual(order, ['unwrapped', 'unwrapped', 'verified', 'verified', 'turned'])
  })

  it('one turn has only so many unwrappings, and none is lost', async () => {
    const rsa = createNativeRsa()
    const wrapped = await rsa.wrap(Buffer.from('secret'), publicKey)
    let done = 0
    const all = Promise.all(Array.from({ length: 150 }, () => rsa.unwrap(wrapped, privateKey).then(() => done++)))
    const after: number[] = []
    for (let turns = 0; turns < 3; turns++) {
      await turn()
      after.push(done)
    }
    await all
    assert.deepEqual(after, [64, 128, 150])
  })

  it('one that fails keeps none of the others from being done', async () => {
    const rsa = createNativeRsa()
    const wrapped = await rsa.wrap(Buffer.from('secret'), publicKey)
    const asked = [wrapped, wrapped.map((byte) => byte ^ 1), wrapped].map((each) => rsa.unwrap(each, privateKey))
    const ends = await Promise.allSettled(asked)
    assert.deepEqual(
      ends.map(({ status }) => status),
      ['fulfilled', 'rejected', 'fulfilled'],
    )
  })
})
