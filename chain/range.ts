/** How many blocks to ask for at once. Nodes have limits they do not tell: on blocks, logs, bytes or time. */
import { LOGS_PER_BATCH, RANGE_BLOCKS_MAX, RANGE_BLOCKS_START, RANGE_RETRY_AFTER } from './limits.ts'

export interface Range {
  /** Blocks to ask for next. */
  readonly length: number
  /** Shortest length known to fail. */
  readonly failedAt: number
  /** Successes since the last failure. */
  readonly successes: number
}

export const initialRange: Range = { length: RANGE_BLOCKS_START, failedAt: Infinity, successes: 0 }

/** After any error: half of what was asked, and a limit to remember. */
export const shrink = (asked: number): Range => ({
  length: Math.max(1, Math.floor(asked / 2)),
  failedAt: asked,
  successes: 0,
})

/**
 * After an answer: twice as long, up to what is known to fail, which is forgotten after many successes; but no longer
 * than what makes a batch, if the next blocks hold as many logs as these.
 * @param asked blocks of the answer
 * @param logs how many they held
 */
export const grow = (range: Range, asked: number, logs: number): Range => {
  const successes = range.successes + 1
  const failedAt = successes % RANGE_RETRY_AFTER === 0 ? Infinity : range.failedAt
  const longer = Math.min(range.length * 2, RANGE_BLOCKS_MAX)
  const full = Math.max(1, Math.floor((asked * LOGS_PER_BATCH) / Math.max(logs, 1)))
  return { length: Math.min(longer < failedAt ? longer : range.length, full), failedAt, successes }
}
