/**
 * The disk of one simulated host: SQL databases and files that outlive its crashes with exactly what was durable. A
 * crash can be set to follow any write, inside a transaction or right after a commit.
 */
import Sqlite from 'better-sqlite3'
import { SqliteDialect } from 'kysely'
import type { FileStore, SqlStore } from '../effects/store.ts'
import { SimulationError } from './errors.ts'
import { createSimFiles } from './files.ts'
import type { Life } from './life.ts'
import { mortalDialect } from './mortal-dialect.ts'
import { createTurns, sharedDialect, type Turns } from './shared-dialect.ts'
import type { Trace } from './trace.ts'

export interface Disk {
  /** The doors for one incarnation; its predecessor must be dead. */
  mount(life: Life): { readonly files: FileStore; readonly sql: SqlStore }
  /**
   * The host dies right after so many more writes; 0 means at once. A write is a file replaced, an SQL statement that
   * changes data, or a COMMIT.
   */
  crashAfterWrites(count: number): void
  /** Writes so far. */
  writes(): number
  /** How many states the files have been in, the first one empty. */
  states(): number
  /**
   * Puts the files back to one of those states, as who restores a backup does.
   * @throws ERR_SIM_HOST while the host runs
   */
  restore(state: number): void
  /** Rows that a query finds in a database as it stands, for checkers; none when there is no such database. */
  inspect(database: string, sql: string): readonly unknown[]
}

export const createDisk = (host: string, trace: Trace): Disk => {
  const files = new Map<string, Uint8Array>()
  /** What a database holds while nobody has it open. */
  const images = new Map<string, Buffer>()
  const opened = new Map<string, { readonly database: Sqlite.Database; users: number }>()
  const states: ReadonlyMap<string, Uint8Array>[] = [new Map()]
  let writes = 0
  let crashAt = Infinity
  let life: Life | undefined

  const wrote = () => {
    writes++
    if (writes >= crashAt) life?.end()
  }

  /** Opens a database for an incarnation, until all that opened it have closed it, or it dies. */
  const open = (name: string, mounted: Life) => {
    const known = opened.get(name)
    if (known) known.users++
    const entry = known ?? { database: new Sqlite(images.get(name) ?? ':memory:'), users: 1 }
    const { database } = entry
    const save = () => {
      if (opened.get(name) !== entry) return
      opened.delete(name)
      if (database.inTransaction) database.exec('rollback')
      images.set(name, database.serialize())
      database.close()
    }
    if (!known) {
      opened.set(name, entry)
      database.pragma('foreign_keys = ON')
      mounted.onEnd(save)
    }
    const onWrite = (durable: boolean) => {
      if (durable) trace.add('sql', host, name, writes)
      wrote()
    }
    return watch(database, onWrite, () => {
      if (--entry.users === 0) save()
    })
  }

  return {
    mount: (mounted) => {
      if (life?.isAlive()) throw new SimulationError('ERR_SIM_HOST', `${host} already runs`)
      life = mounted
      crashAt = Infinity
      const turns = new Map<string, Turns>()
      return {
        files: createSimFiles(files, mounted, (name) => {
          trace.add('file', host, name)
          states.push(new Map(files))
          wrote()
        }),
        sql: {
          dialect: (name) => {
            const dialect = new SqliteDialect({ database: async () => open(name, mounted) })
            const ofName = turns.get(name) ?? createTurns()
            turns.set(name, ofName)
            return mortalDialect(sharedDialect(dialect, ofName), mounted)
          },
        },
      }
    },
    crashAfterWrites: (count) => {
      crashAt = writes + count
      if (count <= 0) life?.end()
    },
    writes: () => writes,
    states: () => states.length,
    restore: (state) => {
      if (life?.isAlive()) throw new SimulationError('ERR_SIM_HOST', `${host} runs`)
      files.clear()
      for (const [name, content] of states[state] ?? []) files.set(name, content)
      states.push(new Map(files))
      trace.add('restore', host, state)
    },
    inspect: (name, sql) => {
      const running = opened.get(name)?.database
      if (running) return running.prepare(sql).all()
      const image = images.get(name)
      if (!image) return []
      const database = new Sqlite(image)
      const rows = database.prepare(sql).all()
      database.close()
      return rows
    },
  }
}

/** The part of a database that Kysely uses, telling of each write and whether it is durable already. */
const watch = (database: Sqlite.Database, onWrite: (durable: boolean) => void, close: () => void) => ({
  close,
  prepare: (sql: string) => {
    const statement = database.prepare(sql)
    const isWrite = !statement.readonly || /^\s*(commit|end)\b/i.test(sql)
    const run = <T>(work: () => T): T => {
      const result = work()
      if (isWrite) onWrite(!database.inTransaction)
      return result
    }
    return {
      reader: statement.reader,
      all: (parameters: readonly unknown[]) => run(() => statement.all(...parameters)),
      run: (parameters: readonly unknown[]) => run(() => statement.run(...parameters)),
      // All rows at once: an open cursor would keep the database from closing in a crash.
      iterate: (parameters: readonly unknown[]) => run(() => statement.all(...parameters)[Symbol.iterator]()),
    }
  },
})
