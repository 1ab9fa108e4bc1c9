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
