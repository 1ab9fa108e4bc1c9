/** What the relay refuses, and how HTTP says it. */
import type { ProtocolErrorCode } from '../protocol/errors.ts'
import type { Problem } from '../protocol/problem.ts'
import type { ChannelRefusal } from '../protocol/relay/channel.ts'

export type RelayErrorCode =
  | ChannelRefusal
  | 'ERR_CHANNEL_UNKNOWN'
  | 'ERR_NOT_A_PARTY'
  | 'ERR_ROLE'
  | 'ERR_CURVE'
  | 'ERR_REQUEST_SHAPE'
  | 'ERR_TOO_LARGE'
  | 'ERR_TOO_MANY'
  | 'ERR_TOO_MANY_WRONG_CODES'
  | 'ERR_BUSY'
  | 'ERR_DRAINING'
  | 'ERR_NOT_FOUND'
  | 'ERR_METHOD'
  | 'ERR_INTERNAL'

/** A refusal by the relay; its text is for the one who asked. */
export class RelayError extends Error {
  readonly code: RelayErrorCode
  constructor(code: RelayErrorCode, message: string) {
    super(message)
    this.name = 'RelayError'
    this.code = code
  }
}

export const relayProblems = {
  ERR_CHANNEL_OCCUPIED: { status: 409, title: 'The channel has a sender already' },
  ERR_CHANNEL_FULL: { status: 409, title: 'The channel is full' },
  ERR_TOO_EARLY: { status: 409, title: 'What this builds on is not there yet' },
  ERR_WRITTEN: { status: 409, title: 'This was written before' },
  ERR_NOT_PROVEN: { status: 409, title: 'The proof has not been opened' },
  ERR_CHANNEL_OVER: { status: 410, title: 'The channel is over' },
  ERR_CHANNEL_UNKNOWN: { status: 404, title: 'There is no such channel' },
  ERR_NOT_A_PARTY: { status: 403, title: 'Not a party of this channel' },
  ERR_ROLE: { status: 403, title: 'This is for the other role to write' },
  ERR_CURVE: { status: 400, title: 'The relay does not offer this curve' },
  ERR_REQUEST_SHAPE: { status: 400, title: 'The request was not understood' },
  ERR_TOO_LARGE: { status: 413, title: 'Request is too large' },
  ERR_TOO_MANY: { status: 429, title: 'Too many requests' },
  ERR_TOO_MANY_WRONG_CODES: { status: 429, title: 'Too many wrong codes' },
  ERR_BUSY: { status: 503, title: 'The relay is full' },
  ERR_DRAINING: { status: 503, title: 'The relay is about to stop' },
  ERR_NOT_FOUND: { status: 404, title: 'Nothing here' },
  ERR_METHOD: { status: 405, title: 'Method not allowed' },
  ERR_INTERNAL: { status: 500, title: 'The relay failed' },
} as const satisfies Record<RelayErrorCode, Pick<Problem, 'status' | 'title'>>

/** Refusals that pass, and when another try makes sense. */
export const retryAfterSeconds: Partial<Record<RelayErrorCode, number>> = {
  ERR_TOO_MANY: 5,
  ERR_TOO_MANY_WRONG_CODES: 600,
  ERR_BUSY: 10,
  ERR_DRAINING: 30,
}

/** Wrong messages are all the sender's fault. */
export const protocolProblem = (code: ProtocolErrorCode, detail: string): Problem => ({
  status: 400,
  code,
  title: relayProblems.ERR_REQUEST_SHAPE.title,
  detail,
})
