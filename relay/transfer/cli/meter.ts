/** How fast a transfer is, and the line that shows it. */
import type { Progress } from '../progress.ts'
import { durationText, sizeText } from './sizes.ts'

/** Speed is that of so much time, milliseconds: steady enough to read, and quick enough to tell a change. */
const SPAN_MS = 10_000
const BAR_WIDTH = 20

export interface Meter {
  /** @returns the line that tells how far it is, of fewer than 80 columns */
  show(progress: Progress, nowMs: number): string
  /** A new connection: what lies before it is no measure of speed. */
  restart(): void
}

export const createMeter = (): Meter => {
  let points: { readonly ms: number; readonly length: number }[] = []
  let phase: Progress['phase'] | undefined
  const rateOf = (length: number, nowMs: number): number => {
    points.push({ ms: nowMs, length })
    // One that is older stays, so that there is always a span to measure.
    while ((points[1]?.ms ?? nowMs) < nowMs - SPAN_MS) points.shift()
    const first = points[0]
    return first && nowMs > first.ms ? ((length - first.length) / (nowMs - first.ms)) * 1000 : 0
  }
  return {
    show(progress, nowMs) {
      const { length, total } = progress
      if (phase !== progress.phase) points = []
      phase = progress.phase
      const rate = rateOf(length, nowMs)
      const share = total === 0 ? 1 : Math.min(length / total, 1)
      const done = Math.floor(share * BAR_WIDTH)
      const bar = progress.phase === 'checking' ? 'comparing' : `${'#'.repeat(done)}${'-'.repeat(BAR_WIDTH - done)}`
      const left = `${sizeText(rate)}/s  ${durationText((total - length) / rate)} left`
      const speed = rate > 0 && length < total ? `  ${left}` : ''
      return `${bar} ${Math.floor(share * 100)}%  ${sizeText(length)} of ${sizeText(total)}${speed}`
    },
    restart() {
      points = []
    },
  }
}
