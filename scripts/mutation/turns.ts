/** One at a time, in the order of the calls. */

/** @returns the same function; each call waits for those before it to end, well or badly */
export const takingTurns = <A extends readonly unknown[], R>(
  act: (...parameters: A) => Promise<R>,
): ((...parameters: A) => Promise<R>) => {
  let last: Promise<unknown> = Promise.resolve()
  return (...parameters) => {
    const result = last.then(() => act(...parameters))
    last = result.catch(() => undefined)
    return result
  }
}
