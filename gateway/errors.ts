/** What the gateway refuses, and how HTTP says it. */
import { ProtocolError, type ProtocolErrorCode } from '../protocol/errors.ts'
import type { PaymentProblemCode } from '../protocol/payment-problems.ts'

export interface GatewayErrorOptions extends ErrorOptions {
  /** Members of the problem document. */
  readonly more?: Readonly<Record<string, unknown>>
  /** The same may succeed later. */
  readonly retryable?: boolean
}

/** A refusal; its text is for the one who asked, and says what to do. */
export class GatewayError extends Error {
  readonly code: PaymentProblemCode
  readonly more: Readonly<Record<string, unknown>>
  readonly retryable: boolean
  constructor(code: PaymentProblemCode, message: string, options: GatewayErrorOptions = {}) {
    super(message, options)
    this.name = 'GatewayError'
    this.code = code
    this.more = options.more ?? {}
    this.retryable = options.retryable ?? false
  }
}

/** Wrong vouchers as `protocol/` names what is wrong with them. */
const ofProtocol: Partial<Record<ProtocolErrorCode, PaymentProblemCode>> = {
  ERR_JWE_INVALID: 'ERR_VOUCHER_ENCRYPTION',
  ERR_JWS_INVALID: 'ERR_VOUCHER_SHAPE',
  ERR_VOUCHER_SHAPE: 'ERR_VOUCHER_SHAPE',
  ERR_VOUCHER_PURPOSE: 'ERR_VOUCHER_PURPOSE',
  ERR_VOUCHER_HOST: 'ERR_VOUCHER_HOST',
  ERR_VOUCHER_EXPIRED: 'ERR_VOUCHER_EXPIRED',
  ERR_VOUCHER_TOO_LONG: 'ERR_VOUCHER_TOO_LONG',
  ERR_SIGNED_TIME: 'ERR_VOUCHER_EARLY',
}

/** An error as the gateway tells it; what nobody foresaw stays as it is. */
export const toGatewayError = (error: unknown): unknown => {
  if (!(error instanceof ProtocolError)) return error
  const code = ofProtocol[error.code]
  return code === undefined ? error : new GatewayError(code, error.message, { cause: error })
}

/** Whether an error says that the same may succeed later: ERR_BUSY, or what a database that is away throws. */
export const isPassing = (error: unknown): error is { readonly code?: string } =>
  (error as { retryable?: unknown } | undefined)?.retryable === true

/** Seconds after which the same may succeed. */
export const retryAfterSeconds: Partial<Record<PaymentProblemCode, number>> = {
  ERR_BUSY: 1,
  ERR_STARTING: 2,
  ERR_UPSTREAM: 2,
  ERR_IDEMPOTENCY_BUSY: 1,
}
