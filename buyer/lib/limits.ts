/** Bounds of the buyer, with their units and reasons. */

/** One exchange with a vendor, milliseconds: Tor circuits take several seconds to build. */
export const VENDOR_TIMEOUT_MS = 20_000

/** One exchange with a directory, milliseconds. */
export const DIRECTORY_TIMEOUT_MS = 15_000

/** A page of a hundred vendors that have as many words, plans and endpoints as they may is about 4 MiB. */
export const DIRECTORY_BYTES_MAX = 6 * 1024 * 1024

/** A directory whose newest block is older than the chain's by more is told of, seconds: it may miss what is new. */
export const DIRECTORY_LAG_SECONDS = 300

/** Vendors in one answer to a search: a page of the directory, and what a person reads. */
export const FOUND_MAX = 100

/** Plans that are told of each of them, as in `protocol/directory/documents/vendors.graphql`. */
export const FOUND_PLANS_MAX = 40

/** Vendors read one by one from the contract when there is no directory: each is a call to the node. */
export const CONTRACT_SEARCH_MAX = 1000

/** Calls to the node at once in such a search. */
export const CONTRACT_SEARCH_AT_ONCE = 8

/** Waits this long for a vendor to see a payment, milliseconds: some blocks of the slowest chains. */
export const COLLECT_WAIT_MS = 180_000

/** Pauses between tries, milliseconds: doubled from the first to the last. */
export const RETRY_MS_MIN = 1_000
export const RETRY_MS_MAX = 15_000

/** A keyring with ten thousand orders is about 40 MiB; what is longer is none of ours. */
export const KEYRING_BYTES_MAX = 64 * 1024 * 1024

/** Tokens of one search or listing that are asked what they are: more would be somebody's way to keep us busy. */
export const TOKENS_READ_MAX = 32

/** Gas offered for a purchase that cannot be tried beforehand: twice what one takes by authorisation. */
export const UNTRIED_GAS = 300_000n

/** A purchase that is signed and sent at once is good for so long, seconds: some times what waiting takes. */
export const SEND_VALID_SECONDS = 1_800

/** What is signed for others to send is good for so long unless another time is asked for, seconds. */
export const SIGNED_VALID_SECONDS = 86_400

/** Tries of a call that needs what an earlier transaction did, a look apart: nodes behind one address lag. */
export const LAG_TRIES = 10

/** One node lags behind another by less, seconds: what is over for longer is over for all of them. */
export const LAG_SECONDS_MAX = 120

/** Until a service that is paid answers, milliseconds: some work for their money. */
export const PAID_ANSWER_MS = 120_000

/** Between two pieces of what it answers, milliseconds. */
export const PAID_IDLE_MS = 60_000

/** The body of a request is read whole before it is sent, to be proved and sent again, bytes. */
export const PAID_BODY_BYTES_MAX = 64 * 1024 * 1024

/** Times that one request is sent: a bad line, a server that starts anew, and a new price come to fewer. */
export const PAID_TRIES_MAX = 8

/** Waits this long for a vendor to see a deposit, milliseconds: some blocks of the slowest chains. */
export const DEPOSIT_WAIT_MS = 180_000

/** A server that is busy may ask to be left alone so long, seconds. */
export const RETRY_AFTER_SECONDS_MAX = 30

/** Requests whose prices one deposit pays for, and whose prices a channel signs ahead, unless settings say otherwise. */
export const DEPOSIT_REQUESTS = 100
export const AHEAD_REQUESTS = 8

/**
 * Bytes of a body that costs by the bit which are signed for ahead of what has come: two pieces of a gateway, so that it
 * has not to wait for the next voucher.
 */
export const STREAM_AHEAD_BYTES = 512 * 1024

/** Offers that are remembered, each of about 2 KiB. */
export const WAYS_MAX = 256

/** A refund is waited for so long, milliseconds. */
export const REFUND_WAIT_MS = 180_000
