import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import fc from 'fast-check'
import { ChainError } from '../effects/chain.ts'
import type { Heads } from '../effects/heads.ts'
import { silentLog } from '../effects/log.ts'
import { createTestTime } from '../effects/testing.ts'
import { STEP_PAUSE_MS_MIN } from './limits.ts'
import { runSteps, type Step } from './run-steps.ts'

const POLL_MS = 60_000

/** Follows with steps that find nothing new, unless others are given. */
const following = (
  t: TestContext | undefined,
  step: (signal: AbortSignal) => Promise<Step> = async () => ({ did: 'wait' }),
) => {
  const time = createTestTime()
  const stop = new AbortController()
  let steps = 0
  let tell = () => {}
  let listening: AbortSignal | undefined
  const heads: Heads = {
    listen(told, signal) {
      tell = told
      listening = signal
    },
  }
  const effects = { clock: time.clock, heads, log: silentLog, random: { bytes: () => Uint8Array.of(255) } }
  const counted = (signal: AbortSignal) => {
    steps++
    return step(signal)
  }
  const running = runSteps(effects, counted, POLL_MS, stop.signal)
  t?.after(() => stop.abort())
  return {
    ...time,
    running,
    stop: () => stop.abort(),
    steps: () => steps,
    tell: () => tell(),
    isListening: () => listening?.aborted === false,
  }
}

describe('a head that is told', () => {
  it('is looked at without waiting for the poll', async (t) => {
    const { steps, tell, pass } = following(t)
    await pass(STEP_PAUSE_MS_MIN)
    assert.equal(steps(), 1)
    tell()
    await pass(0)
    assert.equal(steps(), 2)
  })

  it('is looked at after the step under way, which may have been too early for it', async (t) => {
    const ending = Promise.withResolvers<Step>()
    const { steps, tell, pass } = following(t, () => ending.promise)
    await pass(0)
    tell()
    ending.resolve({ did: 'wait' })
    await pass(STEP_PAUSE_MS_MIN)
    assert.equal(steps(), 2)
    await pass(POLL_MS - 1)
    assert.equal(steps(), 2)
  })

  it('begins the wait for the next poll anew', async (t) => {
    const { steps, tell, pass } = following(t)
    await pass(1000)
    tell()
    await pass(POLL_MS - 1)
    assert.equal(steps(), 2)
    await pass(1)
    assert.equal(steps(), 3)
  })

  it('leaves nothing of the wait that it ended', async (t) => {
    const { tell, pass, waiting } = following(t)
    for (let i = 0; i < 3; i++) {
      await pass(STEP_PAUSE_MS_MIN)
      tell()
    }
    await pass(0)
    assert.equal(waiting(), 1)
  })

  it('does not shorten the pause after a fault', async (t) => {
    const { steps, tell, pass, sleeps } = following(t, () =>
      Promise.reject(new ChainError('ERR_CHAIN_UNREACHABLE', 'test')),
    )
    await pass(0)
    for (let i = 0; i < 10; i++) tell()
    const [pauseMs = 0] = sleeps
    await pass(pauseMs - 1)
    assert.equal(steps(), 1)
    await pass(1)
    assert.equal(steps(), 2)
  })

  it('comes soon enough when the clock is put back meanwhile', async (t) => {
    const { steps, tell, pass, jump } = following(t)
    await pass(1000)
    jump(-3_600_000)
    tell()
    await pass(STEP_PAUSE_MS_MIN)
    assert.equal(steps(), 2)
  })

  it('however many there are, makes at most one step each, and few in a time; polling goes on', async () => {
    const moments = fc.array(fc.record({ heads: fc.nat({ max: 5 }), waitMs: fc.nat({ max: 2 * POLL_MS }) }), {
      maxLength: 20,
    })
    const often = fc.array(fc.record({ heads: fc.nat({ max: 5 }), waitMs: fc.nat({ max: 50 }) }), { maxLength: 60 })
    await fc.assert(
      fc.asyncProperty(fc.oneof(moments, often), async (story) => {
        const { steps, tell, pass, stop, running } = following(undefined)
        let told = 0
        let nowMs = 0
        for (const { heads, waitMs } of story) {
          for (let i = 0; i < heads; i++) tell()
          await pass(waitMs)
          told += heads
          nowMs += waitMs
          const polls = Math.floor(nowMs / POLL_MS)
          assert.ok(steps() <= 1 + told + polls)
          assert.ok(steps() <= 1 + nowMs / STEP_PAUSE_MS_MIN)
          assert.ok(steps() >= polls)
        }
        stop()
        await running
      }),
      { numRuns: 100 },
    )
  })
})

describe('listening for heads', () => {
  it('ends when following is told to end, and no sleep goes on', async () => {
    const { running, stop, isListening, pass, waiting } = following(undefined)
    await pass(0)
    assert.ok(isListening())
    stop()
    await running
    assert.ok(!isListening())
    assert.equal(waiting(), 0)
  })

  it('ends when following fails', async () => {
    const { running, isListening } = following(undefined, () => Promise.reject(new Error('a bug')))
    await assert.rejects(running, /a bug/)
    assert.ok(!isListening())
  })
})
