/** What came of a run. */
import { SimulationError } from './errors.ts'
import type { Trace } from './trace.ts'
import type { Reached } from './world/reached.ts'
import type { Breach, World } from './world/world.ts'

export interface Outcome {
  readonly breach: Breach | undefined
  readonly story: readonly string[]
  readonly trace: Trace
  readonly reached: Reached
  readonly commands: number
  readonly virtualSeconds: number
  readonly events: number
}

/** An error that ended a run, as the property that it breaks. @throws any that is not the simulator's */
export const breachOf = (error: unknown): Breach => {
  if (!(error instanceof SimulationError)) throw error
  const { code, message, cause } = error
  if (code === 'ERR_SIM_FAILED') {
    const where = cause instanceof Error ? (cause.stack ?? '').split('\n').slice(1, 4).join(' <') : ''
    return { property: 'no program fails', message: `${message} ${where.replaceAll(/\s+/g, ' ')}` }
  }
  return { property: 'the world goes on', message: `${code}: ${message}` }
}

/** @param commands that were carried out */
export const outcomeOf = (world: World | undefined, fault: Breach | undefined, commands: number): Outcome => {
  if (!world) throw new Error(`the world did not open: ${fault?.message}`)
  const { story, trace, reached, loop } = world
  const breach = world.breached() ?? fault
  const virtualSeconds = Math.round(world.elapsedMs() / 1000)
  return { breach, story, trace, reached, commands, virtualSeconds, events: loop.eventsRun() }
}
