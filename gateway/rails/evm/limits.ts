/** Bounds of the rails on EVM chains, with their units and reasons. */

/** A `PAYMENT-SIGNATURE` of an authorisation is about 1 KiB. */
export const X402_HEADER_CHARACTERS_MAX = 8 * 1024

/** How long a payer's authorisation is asked to be good, seconds: the answer is made and the transfer mined by then. */
export const X402_TIMEOUT_SECONDS = 300

/**
 * For so long a payment that was taken is found again by the same header, seconds: whose answer a crash kept back gets it
 * so. The gateway remembers payments for a day, so none is answered twice.
 */
export const X402_RESUME_SECONDS = 3_600

/** Of a `transferWithAuthorization`: twice what large stablecoins take. A token that wants more is not paid for by us. */
export const X402_GAS_MAX = 200_000n

/** Gas that the claims of one transaction may take: a fifth of a block of 30 million, so that any block has room. */
export const CLAIM_GAS_MAX = 6_000_000n

/** Claims in one transaction: about 25,000 gas each and 350 bytes of calldata, well below both limits of any node. */
export const CLAIMS_PER_TRANSACTION_MAX = 100

/** Channels that are asked about in one call. */
export const CHANNELS_PER_READ = 200

/**
 * Between the moment that a channel takes no higher vouchers, for a refund, and the look at the highest one, milliseconds:
 * those that were found good before are in the ledger by then.
 */
export const REFUND_PAUSE_MS = 2_000

/** Looks so often for the block that makes a refund final enough, milliseconds. */
export const DEPTH_POLL_MS = 1_000
/** Waits so long for it, milliseconds, before the refund is told to be under way still. */
export const DEPTH_TIMEOUT_MS = 600_000
