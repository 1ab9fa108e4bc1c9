/** What can go wrong for those who send and receive through a relay. Codes are stable. */

export type RelayClientErrorCode =
  /** The connection broke, or ended without its authenticated end; what came before it is whole. */
  | 'ERR_STREAM_BROKEN'
  /** What arrived is not what the other end sent. */
  | 'ERR_STREAM_FORGED'
  /** The code has not the form of one, or a word that is in no code; nothing was sent. */
  | 'ERR_CODE_INVALID'
  /** The two ends had not the same words, or somebody between them pretended; the channel is burned. */
  | 'ERR_WRONG_CODE'
  | 'ERR_CHANNEL_FULL'
  | 'ERR_CHANNEL_UNKNOWN'
  /** Closed by the other end, or forgotten by the relay. */
  | 'ERR_CHANNEL_OVER'
  | 'ERR_RELAY_UNREACHABLE'
  | 'ERR_RELAY_BUSY'
  /** It does not speak as a relay does. */
  | 'ERR_RELAY_ANSWER'
  /** The relay refuses for a reason that another try does not change. */
  | 'ERR_RELAY_REFUSED'
  /** The other end did not come to the connections in time. */
  | 'ERR_PEER_ABSENT'

const passing: ReadonlySet<RelayClientErrorCode> = new Set([
  'ERR_STREAM_BROKEN',
  'ERR_RELAY_UNREACHABLE',
  'ERR_RELAY_BUSY',
  'ERR_PEER_ABSENT',
])

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
