import assert from 'node:assert/strict'
import { once } from 'node:events'
import { duplexPair } from 'node:stream'
import { buffer, text } from 'node:stream/consumers'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { splice } from './splice.ts'

/** Two ends, spliced in the middle. */
const setUp = (onBytes?: Parameters<typeof splice>[2]) => {
  const [left, a] = duplexPair()
  const [right, b] = duplexPair()
  return { left, right, a, b, done: splice(a, b, onBytes) }
}

describe('spliced connections', () => {
  it('carry all bytes of both sides, and count them', async () => {
    const chunks = fc.array(fc.uint8Array({ minLength: 1, maxLength: 50 }), { maxLength: 20 })
    await fc.assert(
      fc.asyncProperty(chunks, chunks, async (fromLeft, fromRight) => {
        const counted = { a: 0, b: 0 }
        const { left, right, done } = setUp((from, length) => (counted[from] += length))
        for (const chunk of fromLeft) left.write(chunk)
        for (const chunk of fromRight) right.write(chunk)
        left.end()
        right.end()
        assert.deepEqual(await buffer(right), Buffer.concat(fromLeft))
        assert.deepEqual(await buffer(left), Buffer.concat(fromRight))
        assert.equal(await done, true)
        assert.deepEqual(counted, { a: Buffer.concat(fromLeft).length, b: Buffer.concat(fromRight).length })
      }),
    )
  })

  it('end each direction on its own', async () => {
    const { left, right, done } = setUp()
    left.end('question')
    assert.equal(await text(right), 'question')
    right.end('answer')
    assert.equal(await text(left), 'answer')
    assert.equal(await done, true)
  })

  it('break together, and say so', async () => {
    for (const broken of ['a', 'b'] as const) {
      const ends = setUp()
      ends[broken].destroy(new Error('reset'))
      assert.equal(await ends.done, false)
      assert.ok(ends.a.destroyed && ends.b.destroyed)
    }
  })

  it('break at once when one is closed already', async () => {
    const [, a] = duplexPair()
    const [, b] = duplexPair()
    a.destroy()
    await once(a, 'close')
    assert.equal(await splice(a, b), false)
    assert.ok(b.destroyed)
  })
})
