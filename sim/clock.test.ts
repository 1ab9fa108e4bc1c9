import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createSimClock } from './clock.ts'
import { createLife } from './life.ts'
import { createLoop, SIM_EPOCH_MS } from './loop.ts'

describe("a simulated host's clock", () => {
  it('is wrong by its skew, its drift and its jumps', async () => {
    const loop = createLoop()
    const clock = createSimClock(loop, createLife(), { skewMs: -5000, driftPpm: 1000 })
    assert.equal(clock.nowMs(), SIM_EPOCH_MS - 5000)
    await loop.run({ timeMs: SIM_EPOCH_MS + 100_000 })
    assert.equal(clock.nowMs(), SIM_EPOCH_MS - 5000 + 100_100)
    clock.jump(-60_000)
    assert.equal(clock.nowMs(), SIM_EPOCH_MS - 5000 + 40_100)
  })

  it('sleeps by its own pace, whatever it jumps meanwhile', async () => {
    const loop = createLoop()
    const clock = createSimClock(loop, createLife(), { driftPpm: 250_000 })
    const slept = clock.sleep(10_000)
    loop.schedule(100, () => clock.jump(1_000_000))
    await loop.runUntil(slept, 10_000)
    assert.equal(loop.nowMs(), SIM_EPOCH_MS + 8000)
  })

  it('wakes at once when the signal aborts, with its reason, and leaves nothing behind', async () => {
    const loop = createLoop()
    const clock = createSimClock(loop, createLife())
    const abort = new AbortController()
    const slept = clock.sleep(10_000, abort.signal)
    loop.schedule(3, () => abort.abort(new Error('enough')))
    await assert.rejects(loop.runUntil(slept, 10_000), /enough/)
    assert.equal(loop.nowMs(), SIM_EPOCH_MS + 3)
    await assert.rejects(clock.sleep(1, abort.signal), /enough/)
    await loop.run('idle')
    assert.equal(loop.nowMs(), SIM_EPOCH_MS + 3)
  })

  it('wakes nobody who is dead', async () => {
    const loop = createLoop()
    const life = createLife()
    const clock = createSimClock(loop, life)
    const abort = new AbortController()
    const outcomes: string[] = []
    const wake = (promise: Promise<void>) => void promise.finally(() => outcomes.push('woke'))
    wake(clock.sleep(10))
    wake(clock.sleep(10, abort.signal))
    loop.schedule(5, () => {
      life.end()
      abort.abort(new Error('enough'))
      wake(clock.sleep(1))
    })
    await loop.run('idle')
    assert.deepEqual(outcomes, [])
  })
})
