/** What is forgotten, and when. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { createLru } from './lru.ts'

describe('an LRU map', () => {
  it('holds the most recently used that fit both bounds, and knows their size', () => {
    const action = fc.record({
      key: fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f'),
      set: fc.option(fc.integer({ min: 0, max: 12 })),
    })
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5 }), fc.array(action, { size: 'max', maxLength: 60 }), (max, actions) => {
        const lru = createLru<number>(max, 10)
        // Most recent last.
        let model: { key: string; value: number; size: number }[] = []
        const sum = () => model.reduce((total, { size }) => total + size, 0)
        for (const [index, { key, set }] of actions.entries()) {
          const entry = model.find((each) => each.key === key)
          if (set === null) {
            assert.equal(lru.get(key), entry?.value)
            if (entry) model = [...model.filter((each) => each !== entry), entry]
          } else {
            lru.set(key, index, set)
            model = model.filter((each) => each !== entry)
            if (set <= 10) model.push({ key, value: index, size: set })
            while (model.length > max || sum() > 10) model.shift()
          }
          assert.equal(lru.size(), sum())
        }
        for (const { key, value } of model) assert.equal(lru.get(key), value)
      }),
    )
  })
})
