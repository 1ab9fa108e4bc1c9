/**
 * How values lie in columns. SQLite's integers end at 63 bits and PostgreSQL's `numeric` comes back as text, so whole
 * numbers that may not fit a JavaScript number are stored as decimal text of fixed width: equality, `order by`, `min`
 * and `max` then mean the same in both databases and under every collation, since only digits are compared.
 */

/** Digits of 2^64 - 1. */
const UINT64_WIDTH = 20
/** Digits of 2^32 - 1. */
const UINT32_WIDTH = 10
/** Digits of 2^128 times seconds in a day, and of any sum of amounts that a chain can hold (2^192). */
const AMOUNT_WIDTH = 58

/** `to_block` of a row that still stands: no block has this number, and it is a safe integer everywhere. */
export const OPEN = Number.MAX_SAFE_INTEGER

const padded = (value: bigint | number, width: number): string => {
  const text = value.toString()
  if (text.length > width || text.startsWith('-')) throw new RangeError('value does not fit its column')
  return text.padStart(width, '0')
}

export const encodeAmount = (amount: bigint): string => padded(amount, AMOUNT_WIDTH)

export const decodeAmount = (text: string): bigint => BigInt(text)

/** Key of a vendor's rows. */
export const vendorKey = (vendorId: bigint): string => padded(vendorId, UINT64_WIDTH)

/** Key of a plan's rows: sorts by vendor, then by plan. */
export const planKey = (vendorId: bigint, planId: number): string =>
  `${vendorKey(vendorId)}${padded(planId, UINT32_WIDTH)}`

/** Key of what was paid in a token: of one vendor, or of all when none is given. */
export const volumeKey = (vendorId: bigint | undefined, token: string): string =>
  `${vendorId === undefined ? '' : vendorKey(vendorId)}/${token}`

export const encodeFlag = (flag: boolean): number => (flag ? 1 : 0)

/** Words of a controlled vocabulary in one column, each between bars, so that `like '%|proxy|%'` finds a whole word. */
export const encodeWords = (words: readonly string[]): string => (words.length === 0 ? '' : `|${words.join('|')}|`)

export const decodeWords = (text: string): string[] => text.split('|').filter((word) => word !== '')
