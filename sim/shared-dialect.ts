/** A Kysely dialect of a database that several have open: what one does in a transaction no other sees half done. */
import type { Dialect, Driver } from 'kysely'

/** Who is at work on a database, one after the other. */
export interface Turns {
  /** Resolves when it is one's turn. @returns ends it */
  take(): Promise<() => void>
}

export const createTurns = (): Turns => {
  let last: Promise<void> = Promise.resolve()
  return {
    take: async () => {
      const before = last
      const { promise, resolve } = Promise.withResolvers<void>()
      last = promise
      await before
      return resolve
    },
  }
}

/** @param turns of all who have this database open */
export const sharedDialect = (dialect: Dialect, turns: Turns): Dialect => {
  const sharedDriver = (driver: Driver): Driver => {
    let done = () => {}
    return new Proxy(driver, {
      get: (target, name) => {
        if (name === 'acquireConnection')
          return async () => {
            const end = await turns.take()
            done = end
            return target.acquireConnection()
          }
        if (name === 'releaseConnection')
          return async (...parameters: Parameters<Driver['releaseConnection']>) => {
            await target.releaseConnection(...parameters)
            done()
          }
        const method: unknown = Reflect.get(target, name)
        return typeof method === 'function' ? (method.bind(target) as unknown) : method
      },
    })
  }
  return {
    createDriver: () => sharedDriver(dialect.createDriver()),
    createQueryCompiler: () => dialect.createQueryCompiler(),
    createAdapter: () => dialect.createAdapter(),
    createIntrospector: (db) => dialect.createIntrospector(db),
  }
}
