/** Pages of a list by keyset: a page is found by the values of the row beside it, never by counting rows. */
import { type Kysely, type RawBuilder, sql } from 'kysely'
import { PAGE_ROWS_DEFAULT, PAGE_ROWS_MAX } from '../limits.ts'
import type { Database } from '../schema.ts'
import { column } from './block-at.ts'
import { type CursorValue, decodeCursor, encodeCursor, type Sorting } from './cursor.ts'
import { queryError } from './errors.ts'

/** Rows to choose from: what stands in `from`, under the name `listed`, and what must hold of each. */
export interface List {
  readonly source: RawBuilder<unknown>
  readonly conditions: readonly RawBuilder<unknown>[]
  /** A list of as many rows that is faster to count. */
  readonly counted?: List
}

export interface PageArguments {
  readonly first?: number | null
  readonly after?: string | null
  readonly last?: number | null
  readonly before?: string | null
}

/** A page as asked for, checked. */
export interface PageRequest {
  readonly sorting: Sorting
  readonly rows: number
  /** From the end of the list, as `last` asks. */
  readonly backward: boolean
  readonly after: readonly CursorValue[] | undefined
  readonly before: readonly CursorValue[] | undefined
}

export interface Connection<Node> {
  readonly edges: () => readonly { readonly cursor: string | undefined; readonly node: Node | undefined }[]
  readonly nodes: readonly Node[]
  readonly pageInfo: {
    readonly hasNextPage: () => Promise<boolean>
    readonly hasPreviousPage: () => Promise<boolean>
    readonly startCursor: () => string | undefined
    readonly endCursor: () => string | undefined
  }
  readonly totalCount: () => Promise<number>
}

const isPageSize = (rows: number): boolean => Number.isInteger(rows) && rows >= 1 && rows <= PAGE_ROWS_MAX

/** @throws ERR_PAGE_ARGUMENTS | ERR_CURSOR_INVALID */
export const pageRequest = (sorting: Sorting, { first, after, last, before }: PageArguments): PageRequest => {
  const given = first ?? last
  if (first != null && last != null) throw queryError('ERR_PAGE_ARGUMENTS', 'give `first` or `last`, not both')
  if (given != null && !isPageSize(given)) {
    throw queryError('ERR_PAGE_ARGUMENTS', `a page has 1 to ${PAGE_ROWS_MAX} rows`)
  }
  return {
    sorting,
    rows: given ?? PAGE_ROWS_DEFAULT,
    backward: last != null,
    after: after == null ? undefined : decodeCursor(sorting, after),
    before: before == null ? undefined : decodeCursor(sorting, before),
  }
}

const all = (conditions: readonly RawBuilder<unknown>[]): RawBuilder<unknown> =>
  conditions.length === 0 ? sql`1 = 1` : sql.join(conditions, sql` and `)

const columnsOf = ({ columns }: Sorting): RawBuilder<unknown> =>
  sql.join(columns.map((name) => column(`listed.${name}`)))

type Side = 'beyond' | 'upto'

/** Rows that come after a place in the list, or at and before it. */
const side = (sorting: Sorting, place: readonly CursorValue[], which: Side): RawBuilder<unknown> => {
  const larger = (which === 'beyond') !== sorting.descending
  const operator = sql.raw(which === 'beyond' ? (larger ? '>' : '<') : larger ? '>=' : '<=')
  return sql`(${columnsOf(sorting)}) ${operator} (${sql.join(place)})`
}

/** Rows between the cursors. */
const between = ({ sorting, after, before }: PageRequest): RawBuilder<unknown>[] => {
  const reversed = { ...sorting, descending: !sorting.descending }
  return [...(after ? [side(sorting, after, 'beyond')] : []), ...(before ? [side(reversed, before, 'beyond')] : [])]
}

const order = ({ sorting, backward }: PageRequest): RawBuilder<unknown> => {
  const direction = sql.raw(sorting.descending === backward ? 'asc' : 'desc')
  return sql.join(sorting.columns.map((name) => sql`${column(`listed.${name}`)} ${direction}`))
}

/** The rows of a page in the order they were read, one more than asked for if there is more that way. */
export const readPage = async <Row>(db: Kysely<Database>, list: List, request: PageRequest): Promise<Row[]> => {
  const conditions = all([...list.conditions, ...between(request)])
  const query = sql<Row>`
    select listed.* from ${list.source} as listed where ${conditions}
    order by ${order(request)} limit ${request.rows + 1}`
  return (await query.execute(db)).rows
}

/** The same for many lists at once: one for each value of a column. */
export const readPages = async <Row>(
  db: Kysely<Database>,
  list: List,
  request: PageRequest,
  by: string,
  values: readonly string[],
): Promise<Row[]> => {
  const of = column(`listed.${by}`)
  const conditions = all([sql`${of} in (${sql.join(values)})`, ...list.conditions, ...between(request)])
  const query = sql<Row>`
    select ranked.* from (
      select listed.*, row_number() over (partition by ${of} order by ${order(request)}) as place
      from ${list.source} as listed where ${conditions}
    ) as ranked where place <= ${request.rows + 1} order by place`
  return (await query.execute(db)).rows
}

/** The whole list, or what lies before the cursor `after`, or what lies behind the cursor `before`. */
export type Part = 'whole' | 'front' | 'back'

const partOf = ({ conditions }: List, { sorting, after, before }: PageRequest, part: Part): RawBuilder<unknown> => {
  if (part === 'front' && after) return all([...conditions, side(sorting, after, 'upto')])
  const reversed = { ...sorting, descending: !sorting.descending }
  return part === 'back' && before ? all([...conditions, side(reversed, before, 'upto')]) : all(conditions)
}

/** How many rows the whole list has; of a part, 1 if it has any. */
export const countRows = async (
  db: Kysely<Database>,
  list: List,
  request: PageRequest,
  part: Part,
): Promise<number> => {
  const { source, conditions } = part === 'whole' ? (list.counted ?? list) : list
  const found = partOf({ source, conditions }, request, part)
  const query =
    part === 'whole'
      ? sql<{ total: number | string }>`select count(*) as total from ${source} as listed where ${found}`
      : sql<{ total: number | string }>`
          select count(*) as total from (select 1 from ${source} as listed where ${found} limit 1) as counted`
  return Number((await query.execute(db)).rows[0]?.total ?? 0)
}

/** The same per value of a column; values without rows are absent. */
export const countRowsPer = async (
  db: Kysely<Database>,
  list: List,
  request: PageRequest,
  part: Part,
  by: string,
  values: readonly string[],
): Promise<Map<string, number>> => {
  const of = column(`listed.${by}`)
  const query = sql<{ value: string; total: number | string }>`
    select ${of} as value, count(*) as total from ${list.source} as listed
    where ${of} in (${sql.join(values)}) and ${partOf(list, request, part)} group by ${of}`
  return new Map((await query.execute(db)).rows.map(({ value, total }) => [value, Number(total)]))
}

/**
 * Makes the connection of rows that `readPage` gave.
 * @param count is asked only if the query wants to know
 */
export const connection = <Row extends object, Node>(
  request: PageRequest,
  read: readonly Row[],
  toNode: (row: Row) => Node,
  count: (part: Part) => Promise<number>,
): Connection<Node> => {
  const { sorting, backward, after, before, rows } = request
  const page = read.slice(0, rows)
  const inOrder = backward ? page.toReversed() : page
  const nodes = inOrder.map(toNode)
  const cursorOf = (row: Row | undefined) => row && encodeCursor(sorting, row as Readonly<Record<string, unknown>>)
  const more = read.length > rows
  return {
    // Few queries ask for each row's place.
    edges: () => inOrder.map((row, index) => ({ cursor: cursorOf(row), node: nodes[index] })),
    nodes,
    pageInfo: {
      hasNextPage: async () => (backward ? before !== undefined && (await count('back')) > 0 : more),
      hasPreviousPage: async () => (backward ? more : after !== undefined && (await count('front')) > 0),
      startCursor: () => cursorOf(inOrder[0]),
      endCursor: () => cursorOf(inOrder.at(-1)),
    },
    totalCount: () => count('whole'),
  }
}
