/** What can go wrong for those who look for each other through a rendezvous. Codes are stable. */

export type RendezvousClientErrorCode =
  /** The other client denied, did not answer, or is not there; which of these is not always told. */
  | 'ERR_DENIED'
  /** Nobody has registered this UUID. */
  | 'ERR_CLIENT_UNKNOWN'
  /** What is told of the other client, or in its name, is not what it signed. */
  | 'ERR_PEER_UNTRUSTED'
  /** Neither a direct way nor a relay leads to the other client. */
  | 'ERR_PEER_UNREACHABLE'
  | 'ERR_RENDEZVOUS_UNREACHABLE'
  /** It does not speak as a rendezvous does, or calls itself by another name. */
  | 'ERR_RENDEZVOUS_ANSWER'
  /** The rendezvous refuses for a reason that another try does not change. */
  | 'ERR_RENDEZVOUS_REFUSED'
  | 'ERR_RENDEZVOUS_BUSY'
  /** The same client has connected from somewhere else. */
  | 'ERR_REPLACED'
  /** Another key is registered for our UUID. */
  | 'ERR_TAKEN'

const passing: ReadonlySet<RendezvousClientErrorCode> = new Set([
  'ERR_DENIED',
  'ERR_PEER_UNREACHABLE',
  'ERR_RENDEZVOUS_UNREACHABLE',
  'ERR_RENDEZVOUS_BUSY',
])

/** Its text is for the person at the terminal, and holds no address and no key. */
export class RendezvousClientError extends Error {
  readonly code: RendezvousClientErrorCode
  /** Whether the same may succeed later. */
  readonly retryable: boolean
  constructor(code: RendezvousClientErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'RendezvousClientError'
    this.code = code
    this.retryable = passing.has(code)
  }
}
