/** Looks after machines that crashed: each is started again some time later. */
import type { SimHost } from '../host.ts'
import type { World } from './world.ts'

interface Kept {
  readonly host: SimHost
  start(): void
}

const ROUND_MS = 3_000
const DOWN_MS_MAX = 60_000

export interface Caretaker {
  /** Turns everything off and on again: what went wrong with clocks or in memory is over. */
  restartAll(): void
}

/** @param onDown told of each machine found down, once */
export const hireCaretaker = (world: World, kept: readonly Kept[], onDown: (host: SimHost) => void): Caretaker => {
  const random = world.random.fork('caretaker')
  const dueMs = new Map<Kept, number>()
  const round = () => {
    for (const each of kept) {
      const { host } = each
      if (host.isRunning()) continue
      const due = dueMs.get(each)
      if (due === undefined) {
        onDown(host)
        dueMs.set(each, world.loop.nowMs() + random.int(0, DOWN_MS_MAX))
      } else if (world.loop.nowMs() >= due) {
        dueMs.delete(each)
        world.tell(`${host.name} starts again`)
        each.start()
      }
    }
    world.loop.schedule(ROUND_MS, round)
  }
  world.loop.schedule(ROUND_MS, round)
  return {
    restartAll: () => {
      dueMs.clear()
      for (const each of kept) {
        each.host.crash()
        each.start()
      }
    },
  }
}
