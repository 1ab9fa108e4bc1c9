import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { PROOF_WINDOW } from '../protocol/payment-proof.ts'
import { createReplayWindow } from './replay-window.ts'

describe('the window of counters', () => {
  it('takes each number once, in whatever sequence, and none that is older than the window', () => {
    const counter = fc.oneof(
      fc.integer({ min: 1, max: 3 * PROOF_WINDOW }),
      fc.integer({ min: 2 ** 32 - PROOF_WINDOW, max: 2 ** 32 + PROOF_WINDOW }),
    )
    fc.assert(
      fc.property(fc.array(counter, { maxLength: 300, size: 'max' }), (counters) => {
        const window = createReplayWindow()
        const seen = new Set<number>()
        let highest = 0
        for (const each of counters) {
          const expected = !seen.has(each) && each > highest - PROOF_WINDOW
          assert.equal(window.admit(each), expected, String(each))
          if (expected) seen.add(each)
          highest = Math.max(highest, each)
        }
      }),
      { numRuns: 300 },
    )
  })

  it('takes all of a window that come in the opposite sequence', () => {
    const window = createReplayWindow()
    for (let each = PROOF_WINDOW; each >= 1; each--) assert.ok(window.admit(each))
    for (let each = 1; each <= PROOF_WINDOW; each++) assert.ok(!window.admit(each))
  })
})
