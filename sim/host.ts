/** A simulated machine: what a service on it is given at each start, and its crash. */
import type { Clock } from '../effects/clock.ts'
import type { Log } from '../effects/log.ts'
import type { FileStore, SqlStore } from '../effects/store.ts'
import { createSimClock, type ClockErrors, type SimClock } from './clock.ts'
import { SimulationError } from './errors.ts'
import { createLife, type Life } from './life.ts'
import { createSimLog } from './log.ts'
import type { Loop } from './loop.ts'
import type { HostNetwork, SimNetwork } from './network.ts'
import type { SimRandom } from './random.ts'
import { createDisk } from './store.ts'
import type { Trace } from './trace.ts'

/** All doors of one incarnation. */
export interface HostEffects {
  readonly life: Life
  readonly clock: Clock
  readonly random: SimRandom
  readonly network: HostNetwork
  readonly files: FileStore
  readonly sql: SqlStore
  readonly log: Log
}

export interface SimHost {
  readonly name: string
  /** Starts the machine. @throws ERR_SIM_HOST when it runs already */
  boot(): HostEffects
  /** kill -9 and power loss in one: keeps what is durable, and nothing else happens in the old incarnation. */
  crash(): void
  isRunning(): boolean
  /** @see Disk.crashAfterWrites */
  crashAfterWrites(count: number): void
  /** Moves the host's clock. */
  jumpClock(ms: number): void
  /** @see Disk.states */
  states(): number
  /** @see Disk.restore */
  restore(state: number): void
  /** @see Disk.inspect */
  inspect(database: string, sql: string): readonly unknown[]
}

export interface HostParts {
  readonly loop: Loop
  readonly network: SimNetwork
  readonly random: SimRandom
  readonly trace: Trace
}

export const createSimHost = (parts: HostParts, name: string, clockErrors: ClockErrors = {}): SimHost => {
  const { loop, network, trace } = parts
  const disk = createDisk(name, trace)
  let incarnations = 0
  let jumpedMs = 0
  let life: Life | undefined
  let clock: SimClock | undefined
  return {
    name,
    boot: () => {
      if (life?.isAlive()) throw new SimulationError('ERR_SIM_HOST', `${name} already runs`)
      life = createLife()
      life.onEnd(() => trace.add('crash', name))
      incarnations++
      trace.add('boot', name, incarnations)
      clock = createSimClock(loop, life, { ...clockErrors, skewMs: (clockErrors.skewMs ?? 0) + jumpedMs })
      return {
        life,
        clock,
        random: parts.random.fork(`${name}#${incarnations}`),
        network: network.host(name, life),
        log: createSimLog(trace, name, life),
        ...disk.mount(life),
      }
    },
    crash: () => life?.end(),
    isRunning: () => life?.isAlive() ?? false,
    crashAfterWrites: (count) => disk.crashAfterWrites(count),
    jumpClock: (ms) => {
      jumpedMs += ms
      clock?.jump(ms)
    },
    states: () => disk.states(),
    restore: (state) => disk.restore(state),
    inspect: (database, sql) => disk.inspect(database, sql),
  }
}
