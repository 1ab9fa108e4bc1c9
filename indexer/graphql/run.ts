/** What holds for every run of a query, however it is run: it ends in time, and its answer is of one block. */
import type { GraphQLError } from 'graphql'
import type { Clock } from '../../effects/clock.ts'
import { QUERY_TIME_MS_MAX } from '../limits.ts'
import type { RequestContext } from './context.ts'
import { runError } from './errors.ts'

/** Ends the wait for a limit that was not reached. */
const reached = new Error('the query ended in time')

/**
 * Runs a query.
 * @returns what the work gives
 * @throws ERR_QUERY_TIMEOUT | ERR_BLOCK_REPLACED; what the work throws
 */
export const runQuery = async <Result>(
  clock: Clock,
  context: RequestContext,
  work: () => Result | Promise<Result>,
): Promise<Result> => {
  const ended = new AbortController()
  try {
    const limit = clock.sleep(QUERY_TIME_MS_MAX, ended.signal).then(() => {
      throw late()
    })
    const result = await Promise.race([work(), limit])
    if (await context.wasReplaced()) {
      throw runError('ERR_BLOCK_REPLACED', 'the chain changed while this was answered: ask again')
    }
    return result
  } finally {
    ended.abort(reached)
  }
}

/** Why a query is stopped that takes longer than it may. */
export const late = (): GraphQLError => runError('ERR_QUERY_TIMEOUT', 'this took too long: ask for less')
