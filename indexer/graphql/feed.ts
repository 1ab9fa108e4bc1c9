/**
 * The feed as subscribers follow it. Whoever writes says so; then what is new is read once for all who wait. A
 * subscriber is a place in the feed: what it has not been told yet is kept in the database, not for it in memory.
 */
import type { Kysely } from 'kysely'
import type { Projection } from '../../chain/projection.ts'
import { FEED_LAG_MAX, FEED_PAGE_ROWS, FEED_TAIL_ROWS, SUBSCRIBERS_MAX } from '../limits.ts'
import type { Database, FeedRow } from '../schema.ts'
import { queryError } from './errors.ts'

export interface Feed {
  /** The projection to write through, so that subscribers hear of it. */
  through(projection: Projection): Projection
  /**
   * Events that match, from a place on.
   * @param after the id of the event told last; undefined for what comes from now on
   * @throws ERR_TOO_MANY_SUBSCRIBERS | ERR_RESUME_INVALID | ERR_RESUME_TOO_OLD; while it runs ERR_SUBSCRIBER_TOO_SLOW,
   *   ERR_RESUME_TOO_OLD
   */
  follow(after: string | undefined, matches: (event: FeedRow) => boolean): Promise<AsyncIterableIterator<FeedRow>>
  /** Ends all subscriptions, and takes no more. */
  close(): void
}

/** Of what was told last, 16 digits of its block's hash show that an id is of this feed and no other. */
const ID = /^(\d{1,15})-([0-9a-f]{16})$/
const NO_HASH = '0'.repeat(16)

const mark = (blockHash: string | null | undefined): string => blockHash?.slice(2, 18) ?? NO_HASH

/** Names an event, and the place after it. */
export const resumeId = ({ seq, block_hash }: Pick<FeedRow, 'seq' | 'block_hash'>): string =>
  `${seq}-${mark(block_hash)}`

const readState = async (db: Kysely<Database>) => {
  const state = await db
    .selectFrom('feed_state')
    .leftJoin('feed', 'feed.seq', 'feed_state.newest')
    .select(['feed_state.newest', 'feed_state.floor', 'feed.block_hash'])
    .executeTakeFirst()
  return state ?? { newest: 0, floor: 0, block_hash: null }
}

/** The place after all that was told so far. */
export const newestId = async (db: Kysely<Database>): Promise<string> => {
  const { newest, block_hash } = await readState(db)
  return `${newest}-${mark(block_hash)}`
}

const unknownId = () => queryError('ERR_RESUME_INVALID', 'this is no id that this directory gave')

const tooOld = () =>
  queryError(
    'ERR_RESUME_TOO_OLD',
    'events after this id are not kept any more: query what you need, and subscribe anew',
  )

export const createFeed = (db: Kysely<Database>): Feed => {
  /** Those who wait for what is written next. */
  const waiting = new Set<() => void>()
  const running = new Set<AsyncIterableIterator<FeedRow>>()
  let subscribers = 0
  let closed = false
  let writes = 0
  /** The newest rows, without holes. */
  let tail: FeedRow[] = []
  let newest = 0
  let readAt = -1
  let reading: Promise<void> | undefined

  const wake = (): void => {
    writes++
    for (const go of waiting) go()
    waiting.clear()
  }

  /** Brings the tail to what is written; all who ask meanwhile share it. */
  const isStale = () => readAt !== writes
  const refresh = async (): Promise<void> => {
    while (isStale()) {
      reading ??= readTail().finally(() => (reading = undefined))
      await reading
    }
  }
  const readTail = async (): Promise<void> => {
    const reads = writes
    const last = tail.at(-1)?.seq
    const state = await readState(db)
    const from = Math.max(last ?? 0, state.floor, state.newest - FEED_TAIL_ROWS)
    const rows = await readRows(from)
    tail = (from === last ? [...tail, ...rows] : rows).slice(-FEED_TAIL_ROWS)
    newest = Math.max(state.newest, rows.at(-1)?.seq ?? 0)
    readAt = reads
  }

  const readRows = (after: number) =>
    db.selectFrom('feed').selectAll().where('seq', '>', after).orderBy('seq').limit(FEED_TAIL_ROWS).execute()

  /** What follows on a place, some of it; empty at the end. */
  const next = async (after: number): Promise<readonly FeedRow[]> => {
    await refresh()
    if (after >= newest) return []
    const first = tail[0]?.seq
    if (first !== undefined && after >= first - 1)
      return tail.slice(after - first + 1, after - first + 1 + FEED_PAGE_ROWS)
    const rows = await readRows(after)
    // Rows go away from the old end on, and numbers have no holes.
    if (rows[0]?.seq !== after + 1) throw tooOld()
    return rows.slice(0, FEED_PAGE_ROWS)
  }

  const placeOf = async (id: string | undefined): Promise<number> => {
    if (id === undefined) return (await readState(db)).newest
    const [, digits, marked] = ID.exec(id) ?? []
    if (digits === undefined) throw unknownId()
    const seq = Number(digits)
    const state = await readState(db)
    const row = await db.selectFrom('feed').select('block_hash').where('seq', '=', seq).executeTakeFirst()
    const isHere = row ? mark(row.block_hash) === marked : seq <= state.floor
    if (!isHere) throw unknownId()
    if (seq < state.floor) throw tooOld()
    return seq
  }

  const subscription = (start: number, matches: (event: FeedRow) => boolean): AsyncIterableIterator<FeedRow> => {
    let place = start
    let page: readonly FeedRow[] = []
    let taken = 0
    let wasAtEnd = false
    let ended = false
    const goesOn = () => !ended
    let stopWaiting: (() => void) | undefined

    const end = () => {
      if (ended) return
      ended = true
      subscribers--
      running.delete(iterator)
      stopWaiting?.()
    }
    const untilWritten = (seen: number) =>
      new Promise<void>((resolve) => {
        if (writes !== seen || ended) return resolve()
        stopWaiting = () => {
          waiting.delete(resolve)
          resolve()
        }
        waiting.add(resolve)
      })
    const find = async (): Promise<IteratorResult<FeedRow, undefined>> => {
      while (goesOn()) {
        const row = page[taken++]
        if (row) {
          place = row.seq
          if (matches(row)) return { done: false, value: row }
          continue
        }
        const seen = writes
        page = await next(place)
        taken = 0
        if (page.length > 0) {
          // Who resumes from far behind may take its time; who was at the end and fell back cannot keep up.
          if (wasAtEnd && newest - place > FEED_LAG_MAX) {
            throw queryError('ERR_SUBSCRIBER_TOO_SLOW', `more than ${FEED_LAG_MAX} events wait to be told`)
          }
          continue
        }
        wasAtEnd = true
        await untilWritten(seen)
      }
      return { done: true, value: undefined }
    }
    const iterator: AsyncIterableIterator<FeedRow> = {
      next: () =>
        find().catch((error: unknown) => {
          end()
          throw error
        }),
      return: async () => {
        end()
        return { done: true, value: undefined }
      },
      [Symbol.asyncIterator]: () => iterator,
    }
    running.add(iterator)
    return iterator
  }

  return {
    through: (projection) => ({
      recorded: () => projection.recorded(),
      apply: (batch) => projection.apply(batch).finally(wake),
      rollBack: (to) => projection.rollBack(to).finally(wake),
    }),
    async follow(after, matches) {
      if (closed || subscribers >= SUBSCRIBERS_MAX) {
        throw queryError('ERR_TOO_MANY_SUBSCRIBERS', 'no more subscribers are taken now: try again later')
      }
      subscribers++
      try {
        return subscription(await placeOf(after), matches)
      } catch (error) {
        subscribers--
        throw error
      }
    },
    close() {
      closed = true
      for (const iterator of running) void iterator.return?.()
    },
  }
}
