/** The files of one simulated host, as one incarnation sees them. */
import type { FileStore } from '../effects/store.ts'
import { never, type Life } from './life.ts'

/**
 * @param files what is on the disk
 * @param onWrite told of each file replaced, once that is durable
 */
export const createSimFiles = (
  files: Map<string, Uint8Array>,
  life: Life,
  onWrite: (name: string) => void,
): FileStore => {
  /** For each name the last of those who hold or wait for it. Dies with its holders. */
  const queues = new Map<string, Promise<unknown>>()
  return {
    read: async (name) => (life.isAlive() ? files.get(name)?.slice() : never()),
    write: async (name, content) => {
      if (!life.isAlive()) return never()
      files.set(name, content.slice())
      onWrite(name)
      if (!life.isAlive()) return never()
    },
    exclusively: async (name, work) => {
      if (!life.isAlive()) return never()
      const turn = (queues.get(name) ?? Promise.resolve()).then(work)
      queues.set(
        name,
        turn.catch(() => {}),
      )
      return turn
    },
  }
}
