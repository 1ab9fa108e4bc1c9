/** Whether the directory's process takes more and more memory. */
import { SAMPLE_MS } from './directory.ts'

/** Shorter lives say nothing. */
const SAMPLES_MIN = 12
/** What fills up in time: answers that are kept, pages that SQLite keeps, and what garbage collection leaves for later. */
const GROWTH_MIB_MAX = 64 + 64 + 32

/** Of one life, medians of a quarter of it, MiB. */
interface LifeMemory {
  readonly seconds: number
  readonly secondQuarter: number
  readonly lastQuarter: number
}

export interface Memory {
  readonly peak: number
  /** Those that were long enough. */
  readonly lives: readonly LifeMemory[]
}

/** @param samples of each life, MiB */
export const memoryOf = (samples: readonly (readonly number[])[]): Memory => ({
  peak: Math.max(0, ...samples.flat()),
  lives: samples
    .filter((taken) => taken.length >= SAMPLES_MIN)
    .map((taken) => {
      const quarter = Math.floor(taken.length / 4)
      return {
        seconds: (taken.length * SAMPLE_MS) / 1000,
        secondQuarter: median(taken.slice(quarter, 2 * quarter)),
        lastQuarter: median(taken.slice(-quarter)),
      }
    }),
})

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0

/** What is wrong about it. */
export const growth = ({ lives }: Memory): string[] =>
  lives
    .filter(({ secondQuarter, lastQuarter }) => lastQuarter - secondQuarter > GROWTH_MIB_MAX)
    .map(({ secondQuarter, lastQuarter }) => `memory grew from ${secondQuarter} to ${lastQuarter} MiB in one life`)
