import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { createSimRandom } from './random.ts'

const sorted = (list: readonly number[]) => list.toSorted((a, b) => a - b)

describe('simulated randomness', () => {
  it('gives the same bytes for the same seed, and others for another', () => {
    fc.assert(
      fc.property(fc.integer(), fc.integer({ min: 8, max: 100 }), (seed, length) => {
        const draw = (from: number) => createSimRandom(from).bytes(length)
        assert.deepEqual(draw(seed), draw(seed))
        assert.notDeepEqual(draw(seed), draw(seed + 1))
        assert.equal(draw(seed).length, length)
      }),
    )
  })

  it('forks streams that no other stream can shift', () => {
    fc.assert(
      fc.property(fc.integer(), fc.string(), fc.nat(100), (seed, name, drawn) => {
        const untouched = createSimRandom(seed).fork(name)
        const parent = createSimRandom(seed)
        parent.bytes(drawn)
        parent.fork(`${name}'`).bytes(drawn)
        assert.deepEqual(parent.fork(name).bytes(16), untouched.bytes(16))
      }),
    )
  })

  it('tells forks of different names apart', () => {
    const random = createSimRandom(1)
    assert.notDeepEqual(random.fork('a').bytes(16), random.fork('b').bytes(16))
  })

  it('draws whole numbers evenly from a range that includes both ends', () => {
    const random = createSimRandom('die')
    const counts = new Map<number, number>()
    for (let at = 0; at < 6000; at++) {
      const face = random.int(1, 6)
      counts.set(face, (counts.get(face) ?? 0) + 1)
    }
    assert.deepEqual(new Set(counts.keys()), new Set([1, 2, 3, 4, 5, 6]))
    for (const count of counts.values()) assert.ok(Math.abs(count - 1000) < 150, `one face came ${count} times`)
  })

  it('keeps all elements when it shuffles, and moves them', () => {
    fc.assert(
      fc.property(fc.integer(), fc.array(fc.integer()), (seed, list) => {
        const shuffled = createSimRandom(seed).shuffle(list)
        assert.deepEqual(sorted(shuffled), sorted(list))
      }),
    )
    assert.notDeepEqual(createSimRandom(1).shuffle([...Array(20).keys()]), [...Array(20).keys()])
  })

  it('never takes a chance of 0 and always one of 1', () => {
    const random = createSimRandom(1)
    for (let at = 0; at < 1000; at++) {
      assert.equal(random.chance(0), false)
      assert.equal(random.chance(1), true)
    }
  })
})
