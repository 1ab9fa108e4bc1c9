/**
 * One set-up at a time. The lock is a folder with one file for each process at work, named `<pid>-<start time>`; it
 * counts only while one of them lives. So a killed set-up locks nobody out, unless the npm it started still writes.
 */
import { mkdirSync, readdirSync, readFileSync, renameSync, rmdirSync, rmSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'

const RETRY_MS = 200

/** The start tells a process from a later one with the same pid; where the system does not say, the pid must do. */
const startOf = (pid) => {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // Field 22; the second one is the program's name in parentheses and may hold spaces.
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]
  } catch {
    return '0'
  }
}

const nameOf = (pid) => `${pid}-${startOf(pid)}`

const isAlive = (name) => {
  const pid = Number(name.split('-')[0])
  try {
    process.kill(pid, 0)
  } catch (error) {
    if (error.code === 'ESRCH') return false
  }
  return nameOf(pid) === name
}

const entriesOf = (path) => {
  try {
    return readdirSync(path)
  } catch {
    return []
  }
}

const removeIfEmpty = (path) => {
  try {
    rmdirSync(path)
  } catch {
    // Someone else's by now, or gone.
  }
}

/**
 * Waits until no living process holds the lock, and takes it.
 * @param path of the lock's folder
 * @param onWait called once, when there is somebody to wait for
 * @returns `add(pid)` keeps the lock while that process lives, too; `release()` gives it up
 */
export const acquireLock = async (path, onWait) => {
  const own = nameOf(process.pid)
  removePreparedByDead(path)
  const prepared = `${path}.${own}`
  mkdirSync(prepared, { recursive: true })
  writeFileSync(join(prepared, own), '')
  // Moving a folder onto another works only while that one is empty: whoever moves first has the lock, owner and all.
  for (let waited = false; !tryRename(prepared, path);) {
    const entries = entriesOf(path)
    if (entries.some(isAlive)) {
      if (!waited) onWait()
      waited = true
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS))
    } else {
      // Only the names that were seen dead: a new owner's would be another.
      for (const name of entries) rmSync(join(path, name), { force: true })
      removeIfEmpty(path)
    }
  }
  return {
    add: (pid) => writeFileSync(join(path, nameOf(pid)), ''),
    release: () => {
      for (const name of entriesOf(path)) rmSync(join(path, name), { force: true })
      removeIfEmpty(path)
    },
  }
}

/** What those left who were killed while they waited. */
const removePreparedByDead = (path) => {
  const prefix = `${basename(path)}.`
  for (const name of entriesOf(dirname(path))) {
    if (name.startsWith(prefix) && !isAlive(name.slice(prefix.length))) {
      rmSync(join(dirname(path), name), { recursive: true, force: true })
    }
  }
}

const tryRename = (from, to) => {
  try {
    renameSync(from, to)
    return true
  } catch (error) {
    if (['ENOTEMPTY', 'EEXIST', 'EPERM'].includes(error.code)) return false
    throw error
  }
}
