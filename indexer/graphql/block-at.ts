/** The block that an answer is for. */
import { type Kysely, type RawBuilder, sql, type SqlBool } from 'kysely'
import type { Block } from '../../chain/types.ts'
import type { Database } from '../schema.ts'
import { queryError } from './errors.ts'

export interface At {
  readonly number: number
  readonly hash: string
  readonly timestampSeconds: number
}

/** The end of a block, of which nothing needs to be known but its number until its time is asked for. */
export type Moment = Pick<At, 'number'> & Partial<At>

/** Where headers come from. */
interface Headers {
  readonly db: Kysely<Database>
  readonly readHeader: (number: number) => Promise<Block | undefined>
}

/** Exactly one member is set; GraphQL has checked that. */
export interface BlockInput {
  readonly number?: number
  readonly hash?: string
  readonly numberGte?: number
}

const recorded = (db: Kysely<Database>) =>
  db.selectFrom('blocks').select(['number', 'hash', 'timestamp_seconds as timestampSeconds'])

/**
 * The block that an argument means. Headers of blocks that are final may be left out of the record: they are asked
 * of the chain, which can give but one answer.
 * @throws ERR_BLOCK_UNKNOWN | ERR_BLOCK_NOT_REACHED | ERR_BLOCK_UNAVAILABLE
 */
export const readBlock = async ({ db, readHeader }: Headers, head: At, input: BlockInput): Promise<At> => {
  if (input.hash !== undefined) {
    const block = await recorded(db).where('hash', '=', input.hash).executeTakeFirst()
    if (!block) throw queryError('ERR_BLOCK_UNKNOWN', 'no block of this hash is on record: not read, or replaced')
    return block
  }
  const number = input.number ?? input.numberGte ?? head.number
  if (number < 0) throw queryError('ERR_BLOCK_UNKNOWN', 'blocks are numbered from 0')
  if (number > head.number) throw queryError('ERR_BLOCK_NOT_REACHED', 'the directory has not read this block yet')
  if (input.number === undefined) return head
  const block = await recorded(db).where('number', '=', number).executeTakeFirst()
  if (block) return block
  const header = await readHeader(number).catch(() => undefined)
  if (!header) throw queryError('ERR_BLOCK_UNAVAILABLE', 'the header of this old block cannot be read now')
  return { number, hash: header.hash, timestampSeconds: header.timestampSeconds }
}

/** Whether a block that answers were made for is still part of the chain. */
export const isRecorded = async (db: Kysely<Database>, { number, hash }: At): Promise<boolean> => {
  const query = db.selectFrom('blocks').select('number').where('number', '=', number).where('hash', '=', hash)
  return (await query.executeTakeFirst()) !== undefined
}

const columns = new Map<string, RawBuilder<unknown>>()

/** A column by its name, which is part of the program; made once, since each query names many. */
export const column = (name: string): RawBuilder<unknown> => {
  const known = columns.get(name) ?? sql.ref(name)
  columns.set(name, known)
  return known
}

/** Holds of the versions that stand at the end of a block. */
export const standsAt = (table: string, { number }: Moment): RawBuilder<SqlBool> =>
  sql<SqlBool>`${column(`${table}.from_block`)} <= ${number} and ${column(`${table}.to_block`)} > ${number}`
