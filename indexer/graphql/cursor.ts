/** Places in a sorted list, as opaque text: the values that the row at the place is sorted by. */
import { base64url, fromUtf8, utf8 } from '../../protocol/bytes.ts'
import { queryError } from './errors.ts'

/** How a list is sorted: by columns that together are unique, all in one direction. */
export interface Sorting {
  /** Distinguishes this order from others of the same list; a cursor is good for one order only. */
  readonly name: string
  readonly columns: readonly string[]
  readonly descending: boolean
}

export type CursorValue = string | number

/** Sort columns hold digits, hex or safe integers; nothing else reaches the database. */
const isValue = (value: unknown): value is CursorValue =>
  typeof value === 'string'
    ? /^[0-9a-fx]{1,80}$/.test(value)
    : typeof value === 'number' && Number.isSafeInteger(value) && value >= 0

/** Longest cursor we make, with room: two values of 66 characters. */
const CURSOR_LENGTH_MAX = 400

export const encodeCursor = ({ name, columns }: Sorting, row: Readonly<Record<string, unknown>>): string =>
  base64url.encode(utf8(JSON.stringify([name, ...columns.map((column) => row[column])])))

/**
 * Reads a cursor back.
 * @returns one value per sort column
 * @throws ERR_CURSOR_INVALID for what is not a cursor, or one of another order
 */
export const decodeCursor = ({ name, columns }: Sorting, cursor: string): readonly CursorValue[] => {
  try {
    if (cursor.length > CURSOR_LENGTH_MAX) throw new RangeError('too long')
    const parsed: unknown = JSON.parse(fromUtf8(base64url.decode(cursor)))
    const [of, ...values] = Array.isArray(parsed) ? (parsed as unknown[]) : []
    if (of !== name || values.length !== columns.length) throw new RangeError('of another order')
    return values.map((value) => {
      if (!isValue(value)) throw new RangeError('no value of a sort column')
      return value
    })
  } catch {
    throw queryError('ERR_CURSOR_INVALID', 'cursor is not one of this list in this order')
  }
}
