/** Every bound of the directory, with its unit and its reason. */

/** Of a log that we cannot decode, this many bytes of data are kept: enough to find out what it was. */
export const UNDECODABLE_DATA_BYTES_MAX = 4096

/** Values in one SQL statement: SQLite takes 32,766, PostgreSQL 65,535. */
export const SQL_VALUES_MAX = 30_000

/** Rows of a page when the query does not say, and at most. */
export const PAGE_ROWS_DEFAULT = 20
export const PAGE_ROWS_MAX = 100

/** A request's body, bytes: a query of `QUERY_TOKENS_MAX` tokens with variables fits many times. */
export const REQUEST_BYTES_MAX = 64 * 1024

/** Tokens of a GraphQL document: the introspection query of common tools has about 500. */
export const QUERY_TOKENS_MAX = 2000

/** Nesting of fields: vendors, edges, node, plans, edges, node, orders, edges, node and two more. */
export const QUERY_DEPTH_MAX = 14

/** Fields of one document that are renamed, fragments unfolded: one query asking one thing a thousand times. */
export const QUERY_ALIASES_MAX = 30

/** Fields that an answer may hold, if every page were full: about a megabyte. */
export const QUERY_COST_MAX = 50_000

/** Words of a search; each costs a look into the index. In some scripts every character is a word. */
export const SEARCH_WORDS_MAX = 16

/** Words that a vendor and a plan are found by: more than fit the profile and the title that the contract takes. */
export const VENDOR_WORDS_MAX = 1024
export const PLAN_WORDS_MAX = 128

/** UTF-16 units of a word that are compared. */
export const WORD_LENGTH_MAX = 64

/** Vendors that have a word are counted up to this number: enough to know the rarest of some words. */
export const WORD_COUNT_MAX = 1000

/** Characters of a search. */
export const SEARCH_LENGTH_MAX = 256

/** Events that the feed keeps for those who resume: days of a busy registry, and some 50 MB. */
export const FEED_ROWS_MAX = 100_000

/** Blocks below the newest of which events are told: whoever catches up on more reads rows instead. */
export const FEED_BLOCKS_MAX = 1024

/** Events of the feed held in memory for all subscribers together, and handed to one at a time. */
export const FEED_TAIL_ROWS = 1024
export const FEED_PAGE_ROWS = 256

/** Events that a subscriber who has kept up may fall behind before it is let go. */
export const FEED_LAG_MAX = 10_000

/** Subscribers at a time: half of the connections that the server takes. */
export const SUBSCRIBERS_MAX = 1024

/** Events written to a connection that does not take them, in number; then the next is not even made. */
export const EVENTS_BUFFERED_MAX = 16

/** A subscriber that takes nothing for so long is let go, milliseconds. */
export const READER_STALL_MS = 60_000

/** Silence that a subscriber may hear, milliseconds: proxies close what is silent for half a minute or more. */
export const HEARTBEAT_MS = 15_000

/** Headers that one request may have us ask the chain for: old blocks whose time or hash we do not hold. */
export const HEADERS_PER_REQUEST_MAX = 32

/** Tokens whose sums are told at once; of more, others are asked for by name. */
export const TOKENS_TOLD_MAX = 100

/** Keys or ids listed in a filter. */
export const FILTER_LIST_MAX = 100
