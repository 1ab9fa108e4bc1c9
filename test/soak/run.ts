/** What the parts of a soak share: one seed, one end, and one list of what was wrong. */
import type { SimRandom } from '../../sim/random.ts'

/** So many kinds of wrong are told; a soak that has found more is broken anyway. */
const WRONG_MAX = 50
const WRONG_CHARACTERS_MAX = 1_000

export interface Counts {
  transactions: number
  reorgs: number
  restarts: number
  queries: number
  events: number
  /** Moments at which nothing moved and everything was compared. */
  comparisons: number
}

export interface Run {
  readonly random: SimRandom
  /** Aborts at the end; what fails from then on is no fault. */
  readonly signal: AbortSignal
  readonly counts: Counts
  /** How often which code or log line came. */
  readonly seen: ReadonlyMap<string, number>
  readonly wrong: readonly string[]
  /** Memory of each life of the directory's process, MiB, every ten seconds. */
  readonly rssMiB: number[][]
  see(what: string): void
  isWrong(what: string): void
}

export const createRun = (random: SimRandom, signal: AbortSignal): Run => {
  const seen = new Map<string, number>()
  const wrong: string[] = []
  return {
    random,
    signal,
    counts: { transactions: 0, reorgs: 0, restarts: 0, queries: 0, events: 0, comparisons: 0 },
    seen,
    wrong,
    rssMiB: [],
    see: (what) => void seen.set(what, (seen.get(what) ?? 0) + 1),
    isWrong(what) {
      const text = what.slice(0, WRONG_CHARACTERS_MAX)
      if (!signal.aborted && wrong.length < WRONG_MAX && !wrong.includes(text)) wrong.push(text)
    },
  }
}
