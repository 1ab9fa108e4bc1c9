/** Places up to which a row of bytes is known by a digest, few enough for one message however long the row grows. */
import { TRANSFER_PREFIXES_MAX } from '../limits.ts'
import type { Prefix } from './messages.ts'

/** Between two of them at first, bytes. */
const STEP_BYTES = 1024 * 1024

export interface Prefixes {
  /** Whether a prefix as long as this is worth its digest. */
  wants(length: number): boolean
  add(prefix: Prefix): void
  /** From the shortest to the longest. */
  list(): readonly Prefix[]
  /** Forgets those that are longer. */
  cut(length: number): void
}

export const createPrefixes = (): Prefixes => {
  let kept: Prefix[] = []
  let step = STEP_BYTES
  const last = () => kept.at(-1)?.length ?? 0
  return {
    wants: (length) => length >= last() + step,
    add(prefix) {
      kept.push(prefix)
      if (kept.length < TRANSFER_PREFIXES_MAX) return
      kept = kept.filter((_each, at) => at % 2 === 1)
      step *= 2
    },
    list: () => kept,
    cut(length) {
      kept = kept.filter((each) => each.length <= length)
    },
  }
}
