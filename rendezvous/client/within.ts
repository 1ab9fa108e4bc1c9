/** A bound in time for what is done with a connection. */
import type { Duplex } from 'node:stream'
import type { Clock } from '../../effects/clock.ts'

/** Destroys the connection if the work takes longer, which makes the work fail. */
export const within = async <Result>(
  clock: Clock,
  ms: number,
  connection: Duplex,
  work: Promise<Result>,
): Promise<Result> => {
  const done = new AbortController()
  clock.sleep(ms, done.signal).then(
    () => connection.destroy(),
    () => {},
  )
  return work.finally(() => done.abort())
}
