/** One piece of work that several wait for: it runs while at least one of them does. */

/**
 * @param work runs until its signal aborts
 * @returns joins the work, or begins it; resolves when the signal aborts, and rejects for all when the work does
 */
export const createShared = (
  work: (signal: AbortSignal) => Promise<void>,
): ((signal: AbortSignal) => Promise<void>) => {
  let running: { readonly ended: Promise<void>; readonly stop: AbortController; waiting: number } | undefined

  return async (signal) => {
    if (signal.aborted) return
    if (!running) {
      const stop = new AbortController()
      running = { ended: work(stop.signal), stop, waiting: 0 }
    }
    const joined = running
    joined.waiting++
    const leaving = Promise.withResolvers<void>()
    const leave = () => leaving.resolve()
    signal.addEventListener('abort', leave, { once: true })
    try {
      await Promise.race([joined.ended, leaving.promise])
      if (--joined.waiting > 0) return
      if (running === joined) running = undefined
      joined.stop.abort()
      await joined.ended
    } catch (error) {
      if (running === joined) running = undefined
      throw error
    } finally {
      signal.removeEventListener('abort', leave)
    }
  }
}
