/**
 * Virtual time. Events run one after the other, in the order of (time, arrival); after each, everything it set off
 * settles before the next begins. Work that real threads finish runs as an event too, alone, so no completion order
 * depends on threads and time stands still meanwhile.
 */
import { SimulationError } from './errors.ts'
import { createEventQueue } from './event-queue.ts'
import { quiet } from './quiet.ts'

/** Where virtual time begins: 2030-01-01T00:00:00Z, milliseconds since the Unix epoch. */
export const SIM_EPOCH_MS = 1_893_456_000_000

export interface Loop {
  /** The true time of the simulated world; hosts' clocks may say otherwise. */
  nowMs(): number
  /**
   * Runs a task later.
   * @param delayMs milliseconds of virtual time, at least 0
   * @returns cancels the task
   */
  schedule(delayMs: number, task: () => void): () => void
  /**
   * Does work that real threads finish (WebCrypto, native addons), when it is its turn at the present virtual time.
   * @throws what the operation throws; ERR_SIM_NESTED when called from inside one
   */
  external<T>(operation: () => Promise<T>): Promise<T>
  /** Whether what runs now is the work of an external operation. */
  isInsideExternal(): boolean
  /**
   * Runs events until none is left, or up to and including a time, at which the clock then stands.
   * @throws ERR_SIM_FAILED when a task threw or a rejection was not handled
   */
  run(until: 'idle' | { readonly timeMs: number }): Promise<void>
  /**
   * Runs events until the promise settles.
   * @returns its value
   * @throws its reason; ERR_SIM_DEADLOCK when nothing is left that could settle it; ERR_SIM_DEADLINE when it is still
   * pending after `maxVirtualMs`; ERR_SIM_FAILED
   */
  runUntil<T>(promise: Promise<T>, maxVirtualMs: number): Promise<T>
  /** How many events have run. */
  eventsRun(): number
}

export const createLoop = (): Loop => {
  const queue = createEventQueue()
  let timeMs = SIM_EPOCH_MS
  let eventsRun = 0
  let running = false
  let insideExternal = false
  const failures: unknown[] = []
  const collect = (reason: unknown) => void failures.push(reason)

  const throwFailure = () => {
    if (failures.length === 0) return
    const [first] = failures.splice(0)
    const text = first instanceof Error ? first.message : String(first)
    throw new SimulationError('ERR_SIM_FAILED', `an error that no one handled: ${text}`, { cause: first })
  }

  const runExternal = async (operation: () => Promise<void>) => {
    insideExternal = true
    await operation()
  }

  /** Runs events until `done` or none is due by `endMs`. */
  const drive = async (endMs: number, done: () => boolean) => {
    if (running) throw new SimulationError('ERR_SIM_BUSY', 'the loop is already running')
    running = true
    process.on('unhandledRejection', collect)
    try {
      for (;;) {
        await quiet()
        throwFailure()
        if (done()) return
        const event = queue.takeUntil(endMs)
        if (event === undefined) return
        timeMs = event.timeMs
        eventsRun++
        if (event.external) await runExternal(event.external)
        else
          try {
            event.run?.()
          } catch (error) {
            collect(error)
          }
      }
    } finally {
      process.off('unhandledRejection', collect)
      running = false
    }
  }

  return {
    nowMs: () => timeMs,
    schedule: (delayMs, task) => queue.add(timeMs + Math.max(0, delayMs), task),
    external: (operation) => {
      if (insideExternal) {
        return Promise.reject(new SimulationError('ERR_SIM_NESTED', 'an external operation began another one'))
      }
      return new Promise((resolve, reject) => {
        queue.add(timeMs, undefined, async () => {
          const settle = await operation().then(
            (value) => () => resolve(value),
            (reason: unknown) => () => reject(reason as Error),
          )
          insideExternal = false
          settle()
        })
      })
    },
    isInsideExternal: () => insideExternal,
    run: async (until) => {
      const endMs = until === 'idle' ? Infinity : until.timeMs
      await drive(endMs, () => false)
      if (until !== 'idle') timeMs = Math.max(timeMs, endMs)
    },
    runUntil: async (promise, maxVirtualMs) => {
      const endMs = timeMs + maxVirtualMs
      let settled = false
      const settle = () => {
        settled = true
      }
      promise.then(settle, settle)
      await drive(endMs, () => settled)
      if (settled) return promise
      if (queue.size() > 0) {
        throw new SimulationError('ERR_SIM_DEADLINE', `still pending after ${maxVirtualMs} ms of virtual time`)
      }
      const resources = process.getActiveResourcesInfo().join(', ')
      throw new SimulationError(
        'ERR_SIM_DEADLOCK',
        `nothing is left to run and the promise is still pending; real resources in use: ${resources || 'none'}`,
      )
    },
    eventsRun: () => eventsRun,
  }
}

/**
 * The same object, with every method's work done as an external operation of the loop.
 * @param object its methods all return promises
 */
export const gate = <T extends { [K in keyof T]: (...parameters: never[]) => Promise<unknown> }>(
  loop: Loop,
  object: T,
): T =>
  new Proxy(object, {
    get(target, name, receiver) {
      const method: unknown = Reflect.get(target, name, receiver)
      if (typeof method !== 'function') return method
      return (...parameters: unknown[]) =>
        loop.external(async () => Reflect.apply(method, target, parameters) as unknown)
    },
  })
