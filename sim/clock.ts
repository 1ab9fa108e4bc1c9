/** The clock of one simulated host: wrong by a skew, faster or slower by a drift, and able to jump. */
import type { Clock } from '../effects/clock.ts'
import { never, type Life } from './life.ts'
import type { SimRandom } from './random.ts'
import type { Loop } from './loop.ts'

export interface ClockErrors {
  /** Ahead of true time at the start; milliseconds. */
  readonly skewMs?: number
  /** How much faster than true time; parts per million. */
  readonly driftPpm?: number
}

/** Hosts' clocks are wrong by up to this, either way; milliseconds. */
const SKEW_MS_MAX = 60_000
const DRIFT_PPM_MAX = 200

export const drawClockErrors = (random: SimRandom): ClockErrors => ({
  skewMs: random.int(-SKEW_MS_MAX, SKEW_MS_MAX),
  driftPpm: random.int(-DRIFT_PPM_MAX, DRIFT_PPM_MAX),
})

export interface SimClock extends Clock {
  /** Moves the time it tells, not the sleeps under way. */
  jump(ms: number): void
}

export const createSimClock = (loop: Loop, life: Life, errors: ClockErrors = {}): SimClock => {
  const startMs = loop.nowMs()
  const rate = 1 + (errors.driftPpm ?? 0) / 1e6
  let offsetMs = errors.skewMs ?? 0
  return {
    nowMs: () => Math.floor(startMs + (loop.nowMs() - startMs) * rate + offsetMs),
    jump: (ms) => {
      offsetMs += ms
    },
    sleep: (ms, signal) => {
      if (!life.isAlive()) return never()
      return new Promise((resolve, reject) => {
        if (signal?.aborted) return reject(signal.reason as Error)
        const onAbort = () => {
          cancel()
          if (life.isAlive()) reject(signal?.reason as Error)
        }
        const cancel = loop.schedule(ms / rate, () => {
          signal?.removeEventListener('abort', onAbort)
          if (life.isAlive()) resolve()
        })
        signal?.addEventListener('abort', onAbort, { once: true })
      })
    },
  }
}
