/** When an endpoint is asked again, and what share of the time it was up. */
import { PROBE_BACKOFF_MS_MAX, PROBE_RETRY_MS, UPTIME_DAYS } from '../limits.ts'

/**
 * Time from one try to the next, milliseconds. A first failure is looked into soon, since a vendor's server follows
 * the chain some blocks behind the directory; after that each pause is twice the one before.
 * @param failures in a row, this try included
 * @param draw from 0 to 1, so that endpoints are not asked in step
 */
export const pauseAfter = (failures: number, intervalMs: number, draw: number): number => {
  const pauseMs = failures === 1 ? Math.min(PROBE_RETRY_MS, intervalMs) : intervalMs * 2 ** Math.max(0, failures - 2)
  return Math.round(Math.min(pauseMs, Math.max(PROBE_BACKOFF_MS_MAX, intervalMs)) * (1 + draw / 4))
}

/** Tries of one day, counted from the Unix epoch, and how many of them went well. */
type Day = readonly [day: number, tries: number, passed: number]

/** The last days on which something was tried, oldest first. */
export type Days = readonly Day[]

const SECONDS_PER_DAY = 86_400

/** Adds a try; days that are over, and days that a clock put into the future, are forgotten. */
export const addTry = (days: Days, atSeconds: number, passed: boolean): Days => {
  const today = Math.floor(atSeconds / SECONDS_PER_DAY)
  const [, tries = 0, well = 0] = days.find(([day]) => day === today) ?? []
  const before = days.filter(([day]) => day < today && day > today - UPTIME_DAYS)
  return [...before, [today, tries + 1, well + (passed ? 1 : 0)]]
}

/** Of uptimes as they are stored. */
export const UPTIME_WHOLE = 1_000_000

/**
 * Mean of the days' shares, in millionths. Every day counts the same: an endpoint that fails is asked less often, and
 * would look better if every try counted the same.
 */
export const uptimeOf = (days: Days): number => {
  if (days.length === 0) return 0
  const shares = days.map(([, tries, passed]) => passed / tries)
  return Math.round((shares.reduce((sum, share) => sum + share, 0) / days.length) * UPTIME_WHOLE)
}
