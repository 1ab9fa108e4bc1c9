/** What goes wrong between the rail and the network. Codes are stable. */

export type NanoErrorCode =
  /** The node cannot be reached, or does not answer in time. */
  | 'ERR_NANO_UNREACHABLE'
  /** It answers something that no node does. */
  | 'ERR_NANO_MALFORMED'
  /** It refuses, for a reason that is its own; `words` has it. */
  | 'ERR_NANO_REFUSED'
  /** It knows less than we do: it was restarted, or has not caught up. */
  | 'ERR_NANO_BEHIND'
  /** A block that we did not write stands unconfirmed in the service's chain. */
  | 'ERR_NANO_UNCONFIRMED'
  /** A refund is under way and not confirmed; it is brought about all the same. */
  | 'ERR_NANO_PENDING'
  /** The work that was found is not good enough. */
  | 'ERR_NANO_WORK'

/** All of them pass, or need a person: what was under way is tried again. No account or hash is in the text. */
export class NanoError extends Error {
  readonly code: NanoErrorCode
  readonly retryable = true
  /** Of a refusal: what the node says. */
  readonly words: string
  constructor(code: NanoErrorCode, message: string, options: ErrorOptions & { readonly words?: string } = {}) {
    super(message, options)
    this.name = 'NanoError'
    this.code = code
    this.words = options.words ?? ''
  }
}
