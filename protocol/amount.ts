/** Amounts of money as people write them; everywhere else they are bigint in the smallest unit. */

/** `1500000000000000000n` with 18 decimals is `1.5`. Exact, without trailing zeros. */
export const formatAmount = (smallestUnits: bigint, decimals: number): string => {
  const digits = smallestUnits.toString().padStart(decimals + 1, '0')
  const whole = digits.slice(0, digits.length - decimals)
  const fraction = digits.slice(digits.length - decimals).replace(/0+$/, '')
  return fraction === '' ? whole : `${whole}.${fraction}`
}

/**
 * `1.5` with 18 decimals is `1500000000000000000n`.
 * @returns undefined unless the text is a plain decimal number with at most that many decimals
 */
export const parseAmount = (text: string, decimals: number): bigint | undefined => {
  const [, whole, fraction = ''] = /^(\d{1,78})(?:\.(\d{1,78}))?$/.exec(text) ?? []
  if (whole === undefined || fraction.length > decimals) return undefined
  return BigInt(whole + fraction.padEnd(decimals, '0'))
}

/** Decimals of every EVM chain's native coin. */
export const NATIVE_DECIMALS = 18

const UNITS = [
  ['Year', 31_536_000],
  ['Week', 604_800],
  ['Day', 86_400],
  ['Hour', 3600],
  ['Minute', 60],
  ['Second', 1],
] as const

/** A period in words, as `Price.unit` has it: `Day`, `30 Day`, `90 Minute`. */
export const formatPeriod = (seconds: number): string => {
  const [name, length] = UNITS.find(([, unit]) => seconds % unit === 0) ?? UNITS[5]
  return seconds === length ? name : `${seconds / length} ${name}`
}

const SECONDS_PER_DAY = 86_400n

/**
 * Price of a day, for comparing plans of different periods; rounded up, for rounded down a plan could seem free.
 * @param price of one period, smallest units
 */
export const pricePerDay = (price: bigint, periodSeconds: number): bigint => {
  const period = BigInt(Math.max(periodSeconds, 1))
  return (price * SECONDS_PER_DAY + period - 1n) / period
}
