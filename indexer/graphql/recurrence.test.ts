/** What is noticed of keys that come. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { createRecurrence } from './recurrence.ts'

describe('recurrence', () => {
  it('knows the latest keys for certain, and of older ones at most as many again', () => {
    const keys = fc.array(fc.integer({ min: 0, max: 20 }), { size: 'max', maxLength: 200 })
    fc.assert(
      fc.property(keys, fc.integer({ min: 1, max: 8 }), (all, remembered) => {
        const recurrence = createRecurrence(remembered)
        for (const [index, key] of all.entries()) {
          const recurs = recurrence.recurs(`key ${key}`)
          const others = new Set<number>()
          let at = index - 1
          while (at >= 0 && all[at] !== key) others.add(all[at--] ?? -1)
          if (at < 0 || others.size > 2 * remembered) assert.equal(recurs, false)
          else if (others.size < remembered) assert.equal(recurs, true)
        }
      }),
    )
  })
})
