/** A lock between processes that the system takes back from one that dies: the lock of an empty SQLite database. */
import { setTimeout as sleep } from 'node:timers/promises'
import Database from 'better-sqlite3'

/** Between two looks at a lock that another process holds, milliseconds. */
const POLL_MS = 20

/**
 * Waits until this process holds the lock.
 * @param path of a file that serves as the lock alone; made if there is none
 * @returns lets go
 */
export const lockFile = async (path: string): Promise<() => void> => {
  for (;;) {
    const unlock = tryLockFile(path)
    if (unlock) return unlock
    await sleep(POLL_MS)
  }
}

/** As `lockFile`, without waiting. @returns undefined when another process holds the lock */
export const tryLockFile = (path: string): (() => void) | undefined => {
  const database = new Database(path, { timeout: 0 })
  try {
    database.exec('begin exclusive')
    return () => database.close()
  } catch (fault) {
    database.close()
    if ((fault as { code?: string }).code?.startsWith('SQLITE_BUSY')) return undefined
    throw fault
  }
}
