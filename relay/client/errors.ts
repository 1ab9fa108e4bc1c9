/** What can go wrong for those who send and receive through a relay. Codes are stable. */

export type RelayClientErrorCode =
  /** The connection broke, or ended without its authenticated end; what came before it is whole. */
  | 'ERR_STREAM_BROKEN'
  /** What arrived is not what the other end sent. */
  | 'ERR_STREAM_FORGED'

const passing: ReadonlySet<RelayClientErrorCode> = new Set(['ERR_STREAM_BROKEN'])

/** Its text is for the person at the terminal, and holds no address, code or key. */
export class RelayClientError extends Error {
  readonly code: RelayClientErrorCode
  /** Whether the same may succeed later. */
  readonly retryable: boolean
  constructor(code: RelayClientErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'RelayClientError'
    this.code = code
    this.retryable = passing.has(code)
  }
}
