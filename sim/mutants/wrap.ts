/** Ways to put something between a service and its doors. */
import type { CompiledQuery, DatabaseConnection, Dialect, Driver, QueryResult } from 'kysely'
import { entryOf, selectorOf } from '../../chain/abi-encode.ts'
import { paymentsAbi } from '../../protocol/abi/payments.ts'
import type { Chain } from '../../effects/chain.ts'
import type { SqlStore } from '../../effects/store.ts'

interface Log {
  readonly topics: readonly string[]
}

/** A node that leaves out some logs. */
export const withoutLogs = (chain: Chain, isLeftOut: (log: Log) => boolean): Chain => ({
  request: async (method, params, signal) => {
    const answer = await chain.request(method, params, signal)
    return method === 'eth_getLogs' ? (answer as readonly Log[]).filter((log) => !isLeftOut(log)) : answer
  },
})

/** A node whose answers to one view of Payments pass by someone else, who may ask for another block. */
export const whenViewing = (
  chain: Chain,
  view: 'channels',
  answer: (ask: (at?: string) => Promise<unknown>) => Promise<unknown>,
): Chain => {
  const selector = selectorOf(entryOf(paymentsAbi, 'function', view))
  return {
    request: async (method, params, signal) => {
      const [call, block] = params as [{ readonly data?: string } | undefined, unknown]
      if (method !== 'eth_call' || !call?.data?.startsWith(selector)) return chain.request(method, params, signal)
      return answer((at) => chain.request(method, [call, at ?? block], signal))
    },
  }
}

/** Answers a query, or lets it be answered. */
export type Answering = (
  query: CompiledQuery,
  honest: (query: CompiledQuery) => Promise<QueryResult<unknown>>,
) => Promise<QueryResult<unknown>>

/** A database whose queries pass by someone else. */
export const interceptSql = (store: SqlStore, answer: Answering): SqlStore => ({
  dialect: (name) => {
    const dialect = store.dialect(name)
    return {
      createDriver: () => interceptDriver(dialect.createDriver(), answer),
      createAdapter: () => dialect.createAdapter(),
      createQueryCompiler: () => dialect.createQueryCompiler(),
      createIntrospector: (db) => dialect.createIntrospector(db),
    } satisfies Dialect
  },
})

const interceptDriver = (driver: Driver, answer: Answering): Driver => {
  const originals = new WeakMap<DatabaseConnection, DatabaseConnection>()
  const original = (connection: DatabaseConnection) => originals.get(connection) ?? connection
  return new Proxy(driver, {
    get: (target, name) => {
      const method: unknown = Reflect.get(target, name)
      if (typeof method !== 'function') return method
      if (name !== 'acquireConnection')
        return (first: unknown, ...rest: unknown[]) =>
          Reflect.apply(method, target, [
            typeof first === 'object' && first !== null ? original(first as DatabaseConnection) : first,
            ...rest,
          ]) as unknown
      return async () => {
        const connection = await target.acquireConnection()
        const wrapped: DatabaseConnection = {
          executeQuery: async <R>(query: CompiledQuery) =>
            (await answer(query, (asked) => connection.executeQuery(asked))) as QueryResult<R>,
          streamQuery: (...parameters) => connection.streamQuery(...parameters),
        }
        originals.set(wrapped, connection)
        return wrapped
      }
    },
  })
}

/** An answer without rows, as of a statement that did nothing. */
export const NO_ROWS: QueryResult<unknown> = { rows: [], numAffectedRows: 0n }
