/** Bounds on following a chain and on sending to it, with their units and reasons. */

/** First guess at a range of `eth_getLogs`, blocks: every node takes it, and ten doublings lead to the longest. */
export const RANGE_BLOCKS_START = 100
/** Longest range, blocks: further on, a range costs the node more than the calls it saves. */
export const RANGE_BLOCKS_MAX = 100_000
/** Successes at a length after which a length that once failed is tried again: limits of nodes change. */
export const RANGE_RETRY_AFTER = 64

/** Logs in one answer: bounds the memory of a batch; a range with more is halved. */
export const LOGS_MAX = 20_000
/** Logs that ranges are made for: many enough that a commit costs little, few enough that memory does not grow. */
export const LOGS_PER_BATCH = 4_000

/** Longest data of a log or an answer, hex digits: no contract of ours writes more than a few KiB; an ERC-20 may. */
export const DATA_CHARACTERS_MAX = 2 * 512 * 1024

/** Blocks read one by one in a step, and so at once: above the finalized block every header is needed. */
export const TIP_BLOCKS_PER_STEP = 16

/** Blocks whose logs show that one is missing are read so often, from every node, before that is recorded. */
export const READINGS_MAX = 3

/** Pauses between retries, milliseconds: doubled from the first to the last. */
export const RETRY_MS_MIN = 250
export const RETRY_MS_MAX = 30_000

/** Between two steps there is at least so much time, milliseconds, however many heads are told: anybody can make them up. */
export const STEP_PAUSE_MS_MIN = 200

/** Progress is told at most this often, milliseconds. */
export const PROGRESS_MS = 5_000

/** Gas of a transaction over its estimate, percent: state may change between the two. */
export const GAS_MARGIN_PERCENT = 20n

/** Looks for a receipt this often, milliseconds. */
export const RECEIPT_POLL_MS = 1_000
/** A transaction without receipt is broadcast again after this long, milliseconds: nodes forget. */
export const REBROADCAST_MS = 15_000
/** Waits this long for a receipt, milliseconds: five minutes of fees rising past our offer are not waited out. */
export const RECEIPT_TIMEOUT_MS = 300_000

/** Longest answer of a token that is looked at, bytes: the longest that are used are names. */
export const TOKEN_ANSWER_BYTES_MAX = 1024
/** 10^77 is the highest power of ten that an amount can reach; with more decimals a token is worth nothing. */
export const TOKEN_DECIMALS_MAX = 77
