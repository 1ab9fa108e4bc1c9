/**
 * Finding vendors by words: the index says where to look, by the rarest word, and the rows say whether it is so at the
 * block that is answered for. Only comparisons that mean the same in every database are used.
 */
import { type Kysely, type RawBuilder, sql } from 'kysely'
import { utf8 } from '../../protocol/bytes.ts'
import { phrasesOf, SEARCH_BOUNDS } from '../../protocol/words.ts'
import { WORD_COUNT_MAX } from '../limits.ts'
import type { Database } from '../schema.ts'
import { type Moment, standsAt } from './block-at.ts'
import { queryError } from './errors.ts'

/** A search, ready to become part of a query. */
export interface Search {
  readonly phrases: readonly (readonly string[])[]
  /** Parts of the index that all name what is found: the smallest first. */
  readonly parts: readonly RawBuilder<unknown>[]
  /** Whether so many vendors may be found that putting the best first would mean reading very many. */
  readonly isCommon: boolean
}

/** No byte of UTF-8, and greater than all of them. */
const AFTER_UTF8 = 0xff

const begins = (word: string): RawBuilder<unknown> => {
  const from = utf8(word)
  return sql`word >= ${from} and word < ${new Uint8Array([...from, AFTER_UTF8])}`
}

/**
 * @returns undefined for a search that asks for nothing
 * @throws ERR_SEARCH_INVALID
 */
export const readSearch = async (
  db: Kysely<Database>,
  search: string | null | undefined,
): Promise<Search | undefined> => {
  if (search == null) return undefined
  const phrases = phrasesOf(search)
  if (!phrases) throw queryError('ERR_SEARCH_INVALID', SEARCH_BOUNDS)
  if (phrases.length === 0) return undefined
  if (phrases.some((words) => words.length === 0)) return { phrases: [], parts: [sql`1 = 0`], isCommon: false }
  const ranges = phrases.flatMap((words) =>
    words.map((word, index) => (index === words.length - 1 ? begins(word) : sql`word = ${utf8(word)}`)),
  )
  const counts = await Promise.all(ranges.map((range) => countUpTo(db, range)))
  const fewest = Math.min(...counts)
  const isCommon = fewest >= WORD_COUNT_MAX
  const sorted = ranges.toSorted((a, b) => (counts[ranges.indexOf(a)] ?? 0) - (counts[ranges.indexOf(b)] ?? 0))
  // Few rows are read faster than more of the index.
  return { phrases, parts: isCommon ? sorted : sorted.slice(0, 1), isCommon }
}

const countUpTo = async (db: Kysely<Database>, range: RawBuilder<unknown>): Promise<number> => {
  const query = sql<{ total: number | string }>`
    select count(*) as total from (select 1 from words where ${range} limit ${WORD_COUNT_MAX}) as counted`
  return Number((await query.execute(db)).rows[0]?.total ?? 0)
}

/** Words have no character that means something in a pattern. */
const holds = (column: string, words: readonly string[], end = ''): RawBuilder<unknown> =>
  sql`${sql.ref(column)} like ${`% ${words.join(' ')}${end}%`}`

/** Holds of the vendors in `listed` that have every phrase, in their own words or in those of a plan on sale. */
export const foundBy = (
  { phrases, parts: [first = sql`1 = 1`, ...others] }: Search,
  at: Moment,
): RawBuilder<unknown> => {
  const named = (id: string, part: RawBuilder<unknown>) =>
    sql`${sql.raw(id)} in (select vendor_id from words where ${part})`
  const everywhere = phrases.map(
    (words) => sql`(${holds('listed.search_text', words)} or exists (
      select 1 from plans where plans.vendor_id = listed.id and ${standsAt('plans', at)} and plans.on_sale = 1
        and ${holds('plans.search_text', words)}))`,
  )
  // What is no plain column keeps SQLite from beginning with another part than the smallest.
  const indexed = [named('listed.id', first), ...others.map((part) => named(`(listed.id || '')`, part))]
  return sql.join([...indexed, ...everywhere], sql` and `)
}

/** How far the vendors' titles are from the search: for each phrase 0 if it is there, 1 if it begins there, else 2. */
export const distanceOf = ({ phrases }: Search): RawBuilder<unknown> => {
  const distances = phrases.map(
    (words) => sql`case when ${holds('vendors.search_title', words, ' ')} then 0
      when ${holds('vendors.search_title', words)} then 1 else 2 end`,
  )
  return sql.join([sql`0`, ...distances], sql` + `)
}
