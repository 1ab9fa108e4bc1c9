/** Waiting until everything that can go on without the simulator's next event has gone on. */
import { SimulationError } from './errors.ts'

/** Turns after which a program that keeps queueing immediates is taken for one that never stops. */
const TURNS_MAX = 10_000

/**
 * Resolves when no microtask, no `process.nextTick` and no `setImmediate` is pending. Promises, Web streams, bodies of
 * requests, Node streams and Kysely over SQLite are made of these three; what real threads do is not waited for
 * (`Loop.external` is for that).
 * @throws ERR_SIM_NOT_QUIET
 */
export const quiet = async (): Promise<void> => {
  for (let turns = 0; turns < TURNS_MAX; turns++) {
    await new Promise<void>((resolve) => setImmediate(resolve))
    if (!process.getActiveResourcesInfo().includes('Immediate')) return
  }
  throw new SimulationError('ERR_SIM_NOT_QUIET', 'something queues setImmediate again and again')
}
