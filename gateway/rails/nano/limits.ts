/** Bounds of the Nano rail, with their units and reasons. */

/** For one question to the node, milliseconds. */
export const RPC_MS_MAX = 30_000
/** For finding work, milliseconds: without a graphics card a node takes about a minute. */
export const WORK_MS_MAX = 300_000
/** Answer of a node: a page of receivable blocks is about 160 KiB. */
export const RPC_BYTES_MAX = 1024 * 1024
/** What a node says when it refuses; the longest that one of today says has 82 characters. */
export const WORDS_LENGTH_MAX = 200

/** Receivable blocks in one answer. */
export const RECEIVABLE_PAGE = 1_000
/** Receivable blocks that are looked at; who wants to fill this has to send the minimum deposit so many times. */
export const RECEIVABLE_MAX = 100_000
/** Deposits of which the node is asked at once. */
export const DEPOSITS_AT_ONCE = 8

/** Blocks that somebody else added to the service's chain, at most, until a person has to look. */
export const FOREIGN_BLOCKS_MAX = 10_000

/** Nonces tried between two turns of the event loop: about ten milliseconds. */
export const WORK_TRIES_PER_TURN = 3_000

/** How often it is looked whether a published block is confirmed, milliseconds; confirmations are told sooner. */
export const CONFIRMATION_POLL_MS = 1_000
/** How long one who asks for a refund waits for it, milliseconds: others may be paid by the same asker after it. */
export const REFUND_WAIT_MS = 60_000
