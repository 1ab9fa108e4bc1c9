/** Every bound on what clients can make the gateway keep or do, with its unit and its reason. */

/** Accounts in memory, about 500 bytes each; others are read again when they are used. */
export const ACCOUNTS_MAX = 50_000

/** Vouchers in memory, about 4 KiB each with their text. One that is forgotten has to be made anew. */
export const VOUCHERS_MAX = 16_384

/** Vouchers being decrypted and verified at once: each costs a millisecond of RSA, and more would only wait longer. */
export const COLD_VOUCHERS_AT_ONCE_MAX = 256

/** Requests under way at once. */
export const REQUESTS_AT_ONCE_MAX = 4_096

/** Of a body that is read whole: a voucher or a refund request, bytes. */
export const VOUCHER_BODY_BYTES_MAX = 16 * 1024

/** A payment voucher may live so long, seconds, unless settings say less. */
export const VOUCHER_SECONDS_MAX = 86_400

/** A refund request may live so long, seconds. */
export const REFUND_REQUEST_SECONDS_MAX = 600

/** What an `Idempotency-Key` was used for is known so long, seconds. */
export const IDEMPOTENCY_SECONDS = 86_400

/** Times that the same request is answered again without a charge: enough for a bad line, too few to live on. */
export const IDEMPOTENT_RETRIES_MAX = 3

/** Offers are signed for so long, seconds: one signature serves all who ask within it. */
export const OFFERS_SECONDS = 60

/** Bytes of a stream that are charged at once, ahead of what flows: what a crash can cost a payer. */
export const STREAM_PIECE_BYTES = 256 * 1024

/** A stream whose money is used up waits so long for more, milliseconds. */
export const STREAM_GRACE_MS = 10_000

/** Rows in one SQL statement: few texts, each compiled once. */
export const SQL_ROWS_PER_STATEMENT = [64, 8, 1] as const

/** How often expired vouchers and idempotency keys are forgotten, milliseconds. */
export const SWEEP_MS = 600_000

/** Payers of one tab that have paid for some of it. */
export const PAYERS_OF_TAB_MAX = 64
