/**
 * What one program is told of new blocks of the simulated chain, over a connection that is broken now and then: some are
 * told late or not at all, and some are made up.
 */
import type { Heads } from '../effects/heads.ts'
import type { ChainDoorParts } from './chain-door.ts'
import { SLOW_MS_MAX } from './faults.ts'
import type { Life } from './life.ts'

/** Milliseconds, both ends included. */
const DELAY_MS_MIN = 1
const DELAY_MS_MAX = 60

/** A node that lies tells of so many blocks more, at most. */
const MADE_UP_MAX = 3

export interface Announcements {
  /** Runs the task at each new block. @returns stops */
  subscribe(task: () => void): () => void
  announce(): void
}

export const createAnnouncements = (): Announcements => {
  const tasks = new Set<() => void>()
  return {
    subscribe: (task) => {
      tasks.add(task)
      return () => tasks.delete(task)
    },
    announce: () => {
      for (const task of tasks) task()
    },
  }
}

export const headsDoor = (parts: ChainDoorParts, news: Announcements, host: string, life: Life): Heads => {
  const { loop, faults, trace } = parts
  const random = parts.random.fork(`heads ${host}`)
  return {
    listen(tell, signal) {
      if (signal.aborted || !life.isAlive()) return
      const arrive = () => {
        if (signal.aborted || !life.isAlive()) return
        trace.add('head', host)
        tell()
      }
      const onBlock = () => {
        const lost = random.chance(faults.rate('rpc-loss'))
        const slowMs = random.chance(faults.rate('rpc-slow')) ? random.int(0, SLOW_MS_MAX) : 0
        const madeUp = random.chance(faults.rate('rpc-stale')) ? random.int(1, MADE_UP_MAX) : 0
        const delayMs = random.int(DELAY_MS_MIN, DELAY_MS_MAX) + slowMs
        for (let copy = lost ? 1 : 0; copy <= madeUp; copy++) loop.schedule(delayMs, arrive)
      }
      const stop = news.subscribe(onBlock)
      signal.addEventListener('abort', stop, { once: true })
      life.onEnd(stop)
    },
  }
}
