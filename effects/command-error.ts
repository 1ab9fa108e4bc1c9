/** What can be wrong with how a command was called, and what every outcome's exit code is. */

export const EXIT_CODES = {
  /** Done. */
  ok: 0,
  /** Refused, and would be refused again: the message says what to change. */
  refused: 1,
  /** The command line or a setting is wrong. */
  usage: 2,
  /** A passing fault: the same command may succeed later. */
  passing: 3,
  /** A bug of Chrove. */
  bug: 70,
  /** Ctrl-C or a polite kill. */
  interrupted: 130,
} as const

export type CommandErrorCode =
  | 'ERR_USAGE'
  | 'ERR_SETTING_MISSING'
  | 'ERR_SETTINGS_INVALID'
  | 'ERR_PASSPHRASE_MISSING'
  | 'ERR_NOT_CONFIRMED'
  | 'ERR_INTERRUPTED'

/** A command is refused before or beside its work. Messages say what to do, and hold no secret. */
export class CommandError extends Error {
  readonly code: CommandErrorCode
  readonly retryable = false
  constructor(code: CommandErrorCode, message: string) {
    super(message)
    this.name = 'CommandError'
    this.code = code
  }
}

/** How a failure is told: to scripts by `code`, to the shell by `exitCode`. */
export interface Failure {
  readonly code: string
  readonly message: string
  readonly exitCode: number
}

/**
 * Sorts whatever was thrown. Errors with a code of ours are refusals or passing faults, the system's own (`ENOENT`)
 * are refusals, and all else is a bug.
 */
export const failureOf = (error: unknown): Failure => {
  const { code, retryable, message } = Object(error) as Partial<Record<string, unknown>>
  const text = typeof message === 'string' ? message : String(error)
  if (typeof code === 'string' && code.startsWith('ERR_') && typeof retryable === 'boolean') {
    if (code === 'ERR_INTERRUPTED') return { code, message: text, exitCode: EXIT_CODES.interrupted }
    if (code === 'ERR_USAGE' || code === 'ERR_SETTINGS_INVALID')
      return { code, message: text, exitCode: EXIT_CODES.usage }
    return { code, message: text, exitCode: retryable ? EXIT_CODES.passing : EXIT_CODES.refused }
  }
  if (typeof code === 'string' && /^E[A-Z0-9]+$/.test(code)) {
    return { code: `ERR_SYSTEM_${code}`, message: text, exitCode: EXIT_CODES.refused }
  }
  return { code: 'ERR_BUG', message: text, exitCode: EXIT_CODES.bug }
}
