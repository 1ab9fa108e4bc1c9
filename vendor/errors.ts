/** What the vendor refuses, and how HTTP says it. */
import type { ProtocolErrorCode } from '../protocol/errors.ts'
import type { Problem } from '../protocol/problem.ts'

export type VendorErrorCode =
  | 'ERR_NOT_PAID'
  | 'ERR_ORDER_ENDED'
  | 'ERR_REPLAYED'
  | 'ERR_CODE_TOO_OLD'
  | 'ERR_CODE_MISSING'
  | 'ERR_TOO_LARGE'
  | 'ERR_BUSY'
  | 'ERR_STARTING'
  | 'ERR_NOT_FOUND'
  | 'ERR_METHOD'
  | 'ERR_INTERNAL'

/** A refusal by the vendor; its text is for the one who asked. */
export class VendorError extends Error {
  readonly code: VendorErrorCode
  readonly more: Readonly<Record<string, unknown>>
  constructor(code: VendorErrorCode, message: string, more: Readonly<Record<string, unknown>> = {}) {
    super(message)
    this.name = 'VendorError'
    this.code = code
    this.more = more
  }
}

export const vendorProblems = {
  ERR_NOT_PAID: { status: 402, title: 'No paid order for this key' },
  ERR_ORDER_ENDED: { status: 402, title: 'The order of this key has ended' },
  ERR_REPLAYED: { status: 409, title: 'This code was used before' },
  ERR_CODE_TOO_OLD: { status: 409, title: 'This code may have been used before' },
  ERR_CODE_MISSING: { status: 400, title: 'No code was sent' },
  ERR_TOO_LARGE: { status: 413, title: 'Request is too large' },
  ERR_BUSY: { status: 503, title: 'Too many requests at once' },
  ERR_STARTING: { status: 503, title: 'The vendor is starting' },
  ERR_NOT_FOUND: { status: 404, title: 'Nothing here' },
  ERR_METHOD: { status: 405, title: 'Method not allowed' },
  ERR_INTERNAL: { status: 500, title: 'The vendor failed' },
} as const satisfies Record<VendorErrorCode, Pick<Problem, 'status' | 'title'>>

/** Refusals that pass, and when another try makes sense. */
export const retryAfterSeconds: Partial<Record<VendorErrorCode, number>> = {
  ERR_NOT_PAID: 5,
  ERR_CODE_TOO_OLD: 1,
  ERR_BUSY: 1,
  ERR_STARTING: 2,
}

/** Wrong messages are all the sender's fault. */
export const protocolProblem = (code: ProtocolErrorCode, detail: string): Problem => ({
  status: 400,
  code,
  title: 'The request was not understood',
  detail,
})
