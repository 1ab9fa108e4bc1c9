/**
 * Everything observable that a run did, as lines and as one running hash, so that two runs of a seed can be compared.
 * Lines hold plaintext facts only: ciphertexts and signatures differ from run to run by nature.
 */
import { createHash } from 'node:crypto'
import type { Loop } from './loop.ts'

/** Lines kept for showing; all lines are hashed. */
export const TRACE_LINES_MAX = 100_000

export interface Trace {
  /** Records that something happened now. */
  add(kind: string, ...facts: readonly (string | number | bigint | boolean)[]): void
  /** SHA-256 of all lines so far, hex. */
  hash(): string
  /** The first `TRACE_LINES_MAX` lines: a difference shows where it begins. */
  lines(): readonly string[]
  /** How many lines there were. */
  count(): number
}

export const createTrace = (loop: Pick<Loop, 'nowMs'>): Trace => {
  const digest = createHash('sha256')
  const kept: string[] = []
  let count = 0
  return {
    add: (kind, ...facts) => {
      const line = `${loop.nowMs()} ${kind} ${facts.join(' ')}`
      digest.update(`${line}\n`)
      count++
      if (kept.length < TRACE_LINES_MAX) kept.push(line)
    },
    hash: () => digest.copy().digest('hex'),
    lines: () => kept,
    count: () => count,
  }
}

/** The first line in which two traces differ, as text for a person; undefined when they are equal. */
export const firstDifference = (left: Trace, right: Trace): string | undefined => {
  if (left.hash() === right.hash()) return undefined
  const lines = [left.lines(), right.lines()] as const
  const shorter = Math.min(lines[0].length, lines[1].length)
  let at = 0
  while (at < shorter && lines[0][at] === lines[1][at]) at++
  if (at === TRACE_LINES_MAX) return `the traces differ after line ${at}`
  return `line ${at + 1}:\n  ${lines[0][at] ?? '(end)'}\n  ${lines[1][at] ?? '(end)'}`
}
