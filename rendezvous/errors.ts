/** What the rendezvous refuses over HTTP, and how HTTP says it. */
import type { ProtocolErrorCode } from '../protocol/errors.ts'
import type { Problem } from '../protocol/problem.ts'

export type RendezvousErrorCode =
  | 'ERR_REGISTRATION_SHAPE'
  | 'ERR_REGISTRATION_OTHER'
  | 'ERR_TAKEN'
  | 'ERR_VERSION'
  | 'ERR_VERSIONS_FULL'
  | 'ERR_CLIENT_UNKNOWN'
  | 'ERR_TOO_LARGE'
  | 'ERR_TOO_MANY'
  | 'ERR_FULL'
  | 'ERR_NOT_FOUND'
  | 'ERR_METHOD'
  | 'ERR_INTERNAL'

/** A refusal by the rendezvous; its text is for the one who asked. */
export class RendezvousError extends Error {
  readonly code: RendezvousErrorCode
  readonly more: Readonly<Record<string, unknown>>
  constructor(code: RendezvousErrorCode, message: string, more: Readonly<Record<string, unknown>> = {}) {
    super(message)
    this.name = 'RendezvousError'
    this.code = code
    this.more = more
  }
}

export const rendezvousProblems = {
  ERR_REGISTRATION_SHAPE: { status: 400, title: 'Not a registration' },
  ERR_REGISTRATION_OTHER: { status: 400, title: 'The registration is for something else' },
  ERR_TAKEN: { status: 409, title: 'This UUID is registered already' },
  ERR_VERSION: { status: 409, title: 'A newer key is registered' },
  ERR_VERSIONS_FULL: { status: 409, title: 'This client has had too many keys' },
  ERR_CLIENT_UNKNOWN: { status: 404, title: 'No such client' },
  ERR_TOO_LARGE: { status: 413, title: 'Request is too large' },
  ERR_TOO_MANY: { status: 429, title: 'Too many requests from this address' },
  ERR_FULL: { status: 503, title: 'No room for more clients' },
  ERR_NOT_FOUND: { status: 404, title: 'Nothing here' },
  ERR_METHOD: { status: 405, title: 'Method not allowed' },
  ERR_INTERNAL: { status: 500, title: 'The rendezvous failed' },
} as const satisfies Record<RendezvousErrorCode, Pick<Problem, 'status' | 'title'>>

/** Refusals that pass, and when another try makes sense. */
export const retryAfterSeconds: Partial<Record<RendezvousErrorCode, number>> = { ERR_TOO_MANY: 10, ERR_FULL: 600 }

/** Wrong messages are all the sender's fault; a signature that does not hold is one that may not. */
export const protocolProblem = (code: ProtocolErrorCode, detail: string): Problem =>
  code === 'ERR_JWS_INVALID'
    ? { status: 403, code, title: 'The signature does not hold', detail }
    : { status: 400, code, title: 'The request was not understood', detail }
