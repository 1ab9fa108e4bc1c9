/** What outlives the process, as files of one folder. Nothing is made before it is first written to. */
import { randomUUID } from 'node:crypto'
import { closeSync, constants, mkdirSync, openSync } from 'node:fs'
import { mkdir, open, readFile, rename, unlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import Database from 'better-sqlite3'
import { SqliteDialect, type SqliteDatabase, type SqliteStatement } from 'kysely'
import { lockFile } from './file-lock.ts'
import { AsideDialect } from './store-aside.ts'
import type { FileStore, SqlStore } from './store.ts'

const OWNER_ONLY_FILE = 0o600
const OWNER_ONLY_FOLDER = 0o700
/** Another process, such as a backup, may hold a database's lock for so long, milliseconds. */
const BUSY_TIMEOUT_MS = 5_000
/** Pages in memory, KiB: the indexes of a million rows are written all over, and each page read again costs a copy. */
const CACHE_KIB = 64 * 1024
/** Pages that the write-ahead log may hold before they are moved into the database: 32 MiB, of a few commits in bulk. */
const CHECKPOINT_PAGES = 8_000
/** More than any part of Chrove has; lists of varying length make some more, and the oldest give way to them. */
const STATEMENTS_KEPT = 256

/** @param directory made, readable by its owner only, when it is first written to */
export const createFileStore = (directory: string): FileStore => {
  let lastWrite: Promise<unknown> = Promise.resolve()
  /** For each name the last of those in this process that hold or wait for it. */
  const turns = new Map<string, Promise<unknown>>()
  return {
    async read(name) {
      const content = await readFile(pathOf(directory, name)).catch((fault: NodeJS.ErrnoException) => {
        if (fault.code === 'ENOENT') return undefined
        throw fault
      })
      return content && new Uint8Array(content)
    },
    async write(name, content) {
      const path = pathOf(directory, name)
      const copy = content.slice()
      // One after the other, so that of two writes the later call stays.
      const write = lastWrite.then(() => replaceFile(path, copy))
      lastWrite = write.catch(() => {})
      return write
    },
    async exclusively(name, work) {
      const lock = pathOf(directory, name, '.lock')
      const turn = (turns.get(name) ?? Promise.resolve()).then(async () => {
        await makeFolder(directory)
        const unlock = await lockFile(lock)
        return work().finally(unlock)
      })
      turns.set(
        name,
        turn.catch(() => {}),
      )
      return turn
    },
  }
}

/**
 * SQLite databases, durable at each commit. Integers are read as numbers, so columns hold none beyond 2^53; amounts
 * are text or blobs.
 * @param directory made, readable by its owner only, when a database is first used
 */
export const createSqlStore = (directory: string): SqlStore => ({
  dialect(name) {
    const path = pathOf(directory, name, '.sqlite')
    return new SqliteDialect({ database: () => Promise.resolve(rememberStatements(openDatabase(path))) })
  },
})

/**
 * The same for who commits all the time: durable at each commit too, while the process goes on.
 * @see effects/store-aside.ts
 */
export const createAsideSqlStore = (directory: string): SqlStore => ({
  dialect(name) {
    const path = pathOf(directory, name, '.sqlite')
    return new AsideDialect(() => {
      const database = openDatabase(path)
      return { database, statements: rememberStatements(database), path }
    })
  },
})

const makeFolder = (directory: string) => mkdir(directory, { recursive: true, mode: OWNER_ONLY_FOLDER })

/** Names are part of the program: one that could leave the folder, or collide where case is ignored, is a bug. */
const pathOf = (directory: string, name: string, suffix = ''): string => {
  if (!/^[a-z0-9]+([._-][a-z0-9]+)*$/.test(name) || name.length > 100)
    throw new TypeError('not the name of a stored file')
  return join(directory, name + suffix)
}

/** The new content is on the disk before the name points to it, and the name before this resolves. */
const replaceFile = async (path: string, content: Uint8Array): Promise<void> => {
  const directory = dirname(path)
  await makeFolder(directory)
  const temporary = join(directory, `.${randomUUID()}.tmp`)
  try {
    await withFile(temporary, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, async (file) => {
      await file.writeFile(content)
      await file.sync()
    })
    await rename(temporary, path)
  } catch (fault) {
    await unlink(temporary).catch(() => {})
    throw fault
  }
  await withFile(directory, constants.O_RDONLY, (folder) => folder.sync())
}

const withFile = async (
  path: string,
  flags: number,
  use: (file: Awaited<ReturnType<typeof open>>) => Promise<void>,
): Promise<void> => {
  const file = await open(path, flags, OWNER_ONLY_FILE)
  try {
    await use(file)
  } finally {
    await file.close()
  }
}

const openDatabase = (path: string): Database.Database => {
  mkdirSync(dirname(path), { recursive: true, mode: OWNER_ONLY_FOLDER })
  // SQLite gives its journals the permissions that the database file has.
  closeSync(openSync(path, 'a', OWNER_ONLY_FILE))
  const database = new Database(path, { timeout: BUSY_TIMEOUT_MS })
  database.pragma('journal_mode = WAL')
  database.pragma('synchronous = FULL')
  database.pragma('foreign_keys = ON')
  database.pragma(`cache_size = -${CACHE_KIB}`)
  database.pragma(`wal_autocheckpoint = ${CHECKPOINT_PAGES}`)
  return database
}

/** Prepares each text once: for a small query SQLite's parser costs more than the query. */
const rememberStatements = (database: Database.Database): SqliteDatabase => {
  const statements = new Map<string, SqliteStatement>()
  return {
    prepare(sql) {
      // Taken out and put back, so that the first of the map is the one longest unused.
      const statement = statements.get(sql) ?? database.prepare(sql)
      statements.delete(sql)
      statements.set(sql, statement)
      for (const oldest of statements.keys()) {
        if (statements.size <= STATEMENTS_KEPT) break
        statements.delete(oldest)
      }
      return statement
    },
    close: () => database.close(),
  }
}
