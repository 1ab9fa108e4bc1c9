/** The door to time. Nothing else in Chrove reads a clock or sets a timer. */

export interface Clock {
  /** Milliseconds since the Unix epoch; may jump, as a machine's clock may. */
  nowMs(): number
  /**
   * Waits.
   * @param ms milliseconds, at least 0
   * @throws the signal's reason as soon as it aborts
   */
  sleep(ms: number, signal?: AbortSignal): Promise<void>
}

/** Unix seconds, rounded down: the unit of the chain and of every signed time. */
export const nowSeconds = (clock: Clock): number => Math.floor(clock.nowMs() / 1000)

/** The machine's own clock. */
export const createClock = (): Clock => ({
  nowMs: () => Date.now(),
  sleep: (ms, signal) =>
    new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason as Error)
      const onAbort = () => {
        clearTimeout(timer)
        reject(signal?.reason as Error)
      }
      const timer = setTimeout(() => {
        signal?.removeEventListener('abort', onAbort)
        resolve()
      }, ms)
      signal?.addEventListener('abort', onAbort, { once: true })
    }),
})
