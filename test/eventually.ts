/** For tests of parts that run by themselves: waiting for a fact, and no longer than it may take. */
import { setTimeout as sleep } from 'node:timers/promises'

const POLL_MS = 50
/** Far beyond what any fact here takes on an idle machine; only a failing test waits so long. */
const WITHIN_MS = 30_000

/**
 * Asks until there is an answer.
 * @param fact in words, for the failure
 * @param ask gives undefined as long as the fact is none
 * @param withinMs longer than usual, for what takes long by itself
 * @throws Error when there is no answer in time
 */
export const eventually = async <T>(
  fact: string,
  ask: () => Promise<T | undefined>,
  withinMs = WITHIN_MS,
): Promise<T> => {
  const deadlineMs = performance.now() + withinMs
  for (;;) {
    const answer = await ask()
    if (answer !== undefined) return answer
    if (performance.now() > deadlineMs) throw new Error(`not within ${withinMs / 1000} s: ${fact}`)
    await sleep(POLL_MS)
  }
}
