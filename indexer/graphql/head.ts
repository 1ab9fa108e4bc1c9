/**
 * The newest block, known without asking the database: whoever writes blocks does so through a projection that is
 * watched here. Answers are remembered for as long as this block, and what else they rest on, stays as it was.
 */
import type { Kysely } from 'kysely'
import type { Projection } from '../../chain/projection.ts'
import type { Database } from '../schema.ts'
import type { At } from './block-at.ts'
import { queryError } from './errors.ts'

/** The newest block on record. */
export interface Head extends At {
  /** Newest block that is never undone. */
  readonly finalizedNumber: number
}

/** Something that answers rest on and that changes while the directory runs. */
export interface Changing {
  /** The same as before as long as nothing has changed; undefined while that is not known. */
  revision(): string | number | undefined
}

export interface HeadWatch {
  /** @throws ERR_NOT_READY while there is no block */
  read(): Promise<Head>
  /** The same, if it is known without reading. */
  known(): Head | undefined
  /** Odd while blocks are being undone, and larger after each time: the same even number twice means none was. */
  reorgs(): number
  /** Which block is the newest, by hash. */
  readonly block: Changing
  /** Which block is the newest that is final. It may change and the newest block be as before: after a reorg. */
  readonly finality: Changing
}

const readHead = async (db: Kysely<Database>): Promise<Head> => {
  const row = await db
    .selectFrom('blocks')
    .innerJoin('checkpoint', (join) => join.onTrue())
    .select(['number', 'hash', 'timestamp_seconds', 'finalized_number'])
    .orderBy('number', 'desc')
    .limit(1)
    .executeTakeFirst()
  if (!row) throw queryError('ERR_NOT_READY', 'the directory has not read its first block yet')
  const { number, hash, timestamp_seconds: timestampSeconds, finalized_number: finalizedNumber } = row
  return { number, hash, timestampSeconds, finalizedNumber }
}

/**
 * Watches the one that writes.
 * @returns the projection to write through, and what it has written
 */
export const watchHead = (
  db: Kysely<Database>,
  writing: Projection,
): { readonly projection: Projection; readonly head: HeadWatch } => {
  let known: Head | undefined
  let reading: Promise<Head> | undefined
  let writes = 0
  let reorgs = 0

  /** Until the write has ended the head is the one before, as it is for every reader of the database. */
  const thenForget = async <Result>(write: Promise<Result>): Promise<Result> => {
    try {
      return await write
    } finally {
      writes++
      known = undefined
      reading = undefined
    }
  }

  const read = async (): Promise<Head> => {
    const before = writes
    const head = await readHead(db)
    // What was written meanwhile may be newer than this.
    if (writes === before) known = head
    return head
  }

  return {
    projection: {
      recorded: () => writing.recorded(),
      apply: (batch) => thenForget(writing.apply(batch)),
      rollBack: async (to) => {
        reorgs++
        await thenForget(writing.rollBack(to)).finally(() => reorgs++)
      },
    },
    head: {
      known: () => known,
      read: async () => known ?? (reading ??= read().finally(() => (reading = undefined))),
      reorgs: () => reorgs,
      block: { revision: () => known?.hash },
      finality: { revision: () => known?.finalizedNumber },
    },
  }
}
