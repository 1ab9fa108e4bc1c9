/**
 * The door for what a program says about itself. An event is a fixed name with fields, never a sentence with values
 * in it. No address, key, voucher or credential is a field: callers do not pass them.
 */
import { pino, type Level } from 'pino'

export type LogFields = Readonly<Record<string, string | number | bigint | boolean | undefined>>

export interface Log {
  debug(event: string, fields?: LogFields): void
  info(event: string, fields?: LogFields): void
  warn(event: string, fields?: LogFields): void
  error(event: string, fields?: LogFields): void
}

/** One JSON object a line, on standard error: standard output belongs to results. */
export const createLog = (service: string, level: Level | 'silent' = 'info'): Log => {
  const logger = pino({ name: service, level, base: { service } }, pino.destination(2))
  const at = (line: Level) => (event: string, fields?: LogFields) => {
    const shown = Object.entries(fields ?? {}).map(([key, value]) => [
      key,
      typeof value === 'bigint' ? value.toString() : value,
    ])
    logger[line]({ event, ...Object.fromEntries(shown) })
  }
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
}

/** For callers that have nothing to say. */
export const silentLog: Log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }
