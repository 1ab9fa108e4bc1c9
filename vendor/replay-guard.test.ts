import assert from 'node:assert/strict'
import { it } from 'node:test'
import fc from 'fast-check'
import { createReplayGuard } from './replay-guard.ts'

const WINDOW = 300
const START = 1_000_000

/** Codes arriving one after another, each with a signed time within the window of its arrival. */
const arrivals = fc.array(
  fc.record({
    id: fc.integer({ min: 0, max: 20 }).map(String),
    waitSeconds: fc.integer({ min: 0, max: 200 }),
    skewSeconds: fc.integer({ min: -WINDOW, max: WINDOW }),
  }),
  { maxLength: 200, size: 'max' },
)

it('admits no code twice while its time is in the window, however little it may remember', () => {
  fc.assert(
    fc.property(arrivals, fc.integer({ min: 1, max: 10 }), (codes, entriesMax) => {
      const guard = createReplayGuard(START, WINDOW, entriesMax)
      /** A code is its id and its signed time: both are signed. */
      const admitted = new Map<string, number>()
      let now = START
      for (const { id, waitSeconds, skewSeconds } of codes) {
        now += waitSeconds
        // A code that was seen comes again with the time it had.
        const ts = admitted.get(id) ?? now + skewSeconds
        if (Math.abs(ts - now) > WINDOW) continue
        const verdict = guard.admit(id, ts, now)
        if (admitted.has(id)) assert.notEqual(verdict, 'fresh')
        if (verdict === 'fresh') admitted.set(id, ts)
      }
    }),
  )
})

it('admits every new code signed after the start when there is room to remember', () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.string(), { maxLength: 50 }), (ids) => {
      const guard = createReplayGuard(START, WINDOW, 100)
      for (const id of ids) assert.equal(guard.admit(id, START + 1, START + 1), 'fresh')
    }),
  )
})

it('refuses by time what an earlier process may have answered', () => {
  const guard = createReplayGuard(START, WINDOW, 100)
  assert.equal(guard.admit('before', START, START + 5), 'too-old-to-tell')
  assert.equal(guard.admit('after', START + 1, START + 5), 'fresh')
})

it('forgets what its time alone would refuse', () => {
  const guard = createReplayGuard(START, WINDOW, 2)
  guard.admit('a', START + 1, START + 1)
  guard.admit('b', START + 2, START + 2)
  // Both are out of the window, so there is room again and nothing newer is refused.
  assert.equal(guard.admit('c', START + 500, START + 500), 'fresh')
  assert.equal(guard.admit('d', START + 400, START + 500), 'fresh')
})
