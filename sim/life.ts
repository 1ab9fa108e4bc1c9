/**
 * One incarnation of a host: from its start to its crash. Doors look here before they act: for a program that is
 * dead nothing ever happens again, so its pending promises stay pending and no error reaches it.
 */

export interface Life {
  isAlive(): boolean
  /** Runs a task at the crash, in the order of registration. @returns forgets the task */
  onEnd(task: () => void): () => void
  /** The crash. */
  end(): void
}

export const createLife = (): Life => {
  let alive = true
  const tasks = new Set<() => void>()
  return {
    isAlive: () => alive,
    onEnd: (task) => {
      tasks.add(task)
      return () => tasks.delete(task)
    },
    end: () => {
      if (!alive) return
      alive = false
      for (const task of tasks) task()
      tasks.clear()
    },
  }
}

/** What a dead program waits for. */
export const never = <T>(): Promise<T> => new Promise<T>(() => {})
