/** What can be refused to who pays for requests: stable codes, HTTP statuses and names, the same for both sides. */
import type { Problem } from './problem.ts'

export const paymentProblems = {
  // Money is missing. The body has the offers.
  ERR_PAYMENT_REQUIRED: { status: 402, title: 'This costs money' },
  ERR_BALANCE_SHORT: { status: 402, title: 'The balance of the account is too small' },
  ERR_VOUCHER_USED_UP: { status: 402, title: 'The voucher allows no more' },
  ERR_COST_ABOVE_AMOUNT: { status: 402, title: 'This costs more than was agreed to' },
  ERR_PAYMENT_INVALID: { status: 402, title: 'The payment is not good' },
  ERR_PAYMENT_FAILED: { status: 402, title: 'The payment could not be taken' },

  // The request is not understood.
  ERR_PAYMENT_HEADERS: { status: 400, title: 'The payment headers do not fit' },
  ERR_VOUCHER_ENCRYPTION: { status: 400, title: 'The voucher cannot be decrypted' },
  ERR_VOUCHER_SHAPE: { status: 400, title: 'The voucher is not understood' },
  ERR_VOUCHER_PURPOSE: { status: 400, title: 'The voucher is for something else' },
  ERR_PROOF_SHAPE: { status: 400, title: 'The proof of the request is not understood' },
  ERR_IDEMPOTENCY_KEY: { status: 400, title: 'The idempotency key is not understood' },
  ERR_BODY_DIGEST: { status: 400, title: 'The body is not the one that was announced' },
  ERR_PATH: { status: 400, title: 'The path can be read in several ways' },
  ERR_UPGRADE: { status: 400, title: 'Connections go on as WebSockets only' },
  ERR_DONATION: { status: 400, title: 'The amount to give is not understood' },
  ERR_REFUND_ADDRESS: { status: 400, title: 'Refunds cannot go to this address' },

  // The voucher does not give the right to this.
  ERR_VOUCHER_HOST: { status: 403, title: 'The voucher is for another host' },
  ERR_VOUCHER_EXPIRED: { status: 403, title: 'The voucher has expired' },
  ERR_VOUCHER_TOO_LONG: { status: 403, title: 'The voucher lives too long' },
  ERR_VOUCHER_EARLY: { status: 403, title: 'The voucher was made in the future' },
  ERR_VOUCHER_SIGNATURE: { status: 403, title: 'The voucher is not signed by the key of the account' },
  ERR_VOUCHER_ACCOUNT: { status: 403, title: 'The voucher is for another account' },
  ERR_PROOF_MISSING: { status: 403, title: 'The request is not proved' },
  ERR_PROOF_WRONG: { status: 403, title: 'The proof is not of this request' },
  ERR_ACCOUNT_SUSPENDED: { status: 403, title: 'The account is being closed' },

  // It was used, or something newer is known.
  ERR_VOUCHER_USED: { status: 409, title: 'The voucher was used' },
  ERR_VOUCHER_RESTARTED: { status: 409, title: 'The voucher may have been used' },
  ERR_VOUCHER_STALE: { status: 409, title: 'A newer voucher is known' },
  ERR_PROOF_REPLAYED: { status: 409, title: 'The request was made before' },
  ERR_IDEMPOTENCY_BUSY: { status: 409, title: 'The same request is under way' },
  ERR_IDEMPOTENCY_SPENT: { status: 409, title: 'The same request was answered too often' },
  ERR_REFUND_REPLAYED: { status: 409, title: 'The refund was asked for before' },
  ERR_REFUND_AMOUNT: { status: 409, title: 'There is not so much to give back' },
  ERR_IDEMPOTENCY_REUSED: { status: 422, title: 'The idempotency key belongs to another request' },

  // Not the payer's fault.
  ERR_NOT_FOUND: { status: 404, title: 'Nothing here' },
  ERR_METHOD: { status: 405, title: 'Method not allowed' },
  ERR_TOO_LARGE: { status: 413, title: 'Request is too large' },
  ERR_INTERNAL: { status: 500, title: 'The gateway failed' },
  ERR_UPSTREAM: { status: 502, title: 'The service does not answer' },
  ERR_BUSY: { status: 503, title: 'Too many requests at once' },
  ERR_STARTING: { status: 503, title: 'The gateway is starting' },
} as const satisfies Record<string, Pick<Problem, 'status' | 'title'>>

export type PaymentProblemCode = keyof typeof paymentProblems
