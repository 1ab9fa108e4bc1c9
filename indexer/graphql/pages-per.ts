/** Pages of many lists in few statements: one list for each value of a column. */
import DataLoader from 'dataloader'
import type { Kysely } from 'kysely'
import type { Database } from '../schema.ts'
import type { Sorted } from './lists.ts'
import {
  type Connection,
  connection,
  countRowsPer,
  type PageArguments,
  pageRequest,
  type Part,
  readPages,
} from './page.ts'

/**
 * Loads, by value of the column, the page that these arguments mean.
 * @throws ERR_PAGE_ARGUMENTS | ERR_CURSOR_INVALID
 */
export const pagesPer = <Row extends object, Node>(
  db: Kysely<Database>,
  { list, sorting }: Sorted,
  args: PageArguments,
  column: string & keyof Row,
  toNode: (row: Row) => Node,
): DataLoader<string, Connection<Node>> => {
  const request = pageRequest(sorting, args)
  const counts = (part: Part) =>
    new DataLoader<string, number>(async (keys) => {
      const found = await countRowsPer(db, list, request, part, column, keys)
      return keys.map((key) => found.get(key) ?? 0)
    })
  const countsOf = { whole: counts('whole'), front: counts('front'), back: counts('back') }
  return new DataLoader(async (keys) => {
    const rows = await readPages<Row>(db, list, request, column, keys)
    const byValue = Map.groupBy(rows, (row) => row[column] as string)
    return keys.map((key) => connection(request, byValue.get(key) ?? [], toNode, (part) => countsOf[part].load(key)))
  })
}
