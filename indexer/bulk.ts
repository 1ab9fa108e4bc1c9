/**
 * Statements about many rows, in few texts: each is made for a few fixed numbers of rows and then only executed, because
 * building and preparing a statement costs several times what its rows do.
 */
import type { CompiledQuery, Transaction } from 'kysely'
import { SQL_ROWS_PER_STATEMENT } from './limits.ts'
import type { Database } from './schema.ts'

export interface Bulk<Item> {
  /** Executes the statement for all items. @returns the rows it gives */
  (db: Transaction<Database>, items: readonly Item[]): Promise<unknown[]>
}

/**
 * @param build the statement for so many items, of which the values are placeholders
 * @param valuesOf what takes the places of one item's values
 */
export const createBulk = <Item>(
  build: (db: Transaction<Database>, some: readonly Item[]) => CompiledQuery,
  valuesOf: (item: Item) => readonly unknown[],
): Bulk<Item> => {
  const compiled = new Map<number, CompiledQuery>()
  return async (db, items) => {
    const rows: unknown[] = []
    for (let from = 0; from < items.length;) {
      const left = items.length - from
      const size = SQL_ROWS_PER_STATEMENT.find((each) => each <= left) ?? 1
      const some = items.slice(from, from + size)
      const query = compiled.get(size) ?? build(db, some)
      compiled.set(size, query)
      const answer = await db.executeQuery({ ...query, parameters: some.flatMap(valuesOf) })
      rows.push(...answer.rows)
      from += size
    }
    return rows
  }
}
