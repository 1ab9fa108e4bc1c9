/** Every bound of the directory, with its unit and its reason. */

/** Of a log that we cannot decode, this many bytes of data are kept: enough to find out what it was. */
export const UNDECODABLE_DATA_BYTES_MAX = 4096

/** Values in one SQL statement: SQLite takes 32,766, PostgreSQL 65,535. */
export const SQL_VALUES_MAX = 30_000

/**
 * Rows of one SQL statement, largest first. Beyond 64 a row costs no less; SQLite takes 32,766 values and PostgreSQL
 * 65,535, and no row has more than 30.
 */
export const SQL_ROWS_PER_STATEMENT = [64, 8, 1] as const

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

/** A query may take so long, milliseconds: ten times what the largest takes on a small machine. */
export const QUERY_TIME_MS_MAX = 10_000

/** Vendors that have a word are counted up to this number: enough to know the rarest of some words. */
export const WORD_COUNT_MAX = 1000

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

/** Events of which what was read is shared by those who are told them, and for so long, milliseconds. */
export const EVENTS_SHARED_MAX = 64
export const EVENT_SHARED_MS = 1_000

/** A subscriber that takes nothing for so long is let go, milliseconds. */
export const READER_STALL_MS = 60_000

/** Silence that a subscriber may hear, milliseconds: proxies close what is silent for half a minute or more. */
export const HEARTBEAT_MS = 15_000

/**
 * Headers that one run of a query may have us ask the chain for: old blocks whose time or hash we do not hold. A query
 * that is refused runs twice.
 */
export const HEADERS_PER_RUN_MAX = 32

/** Tokens whose sums are told at once; of more, others are asked for by name. */
export const TOKENS_TOLD_MAX = 100

/** Keys or ids listed in a filter. */
export const FILTER_LIST_MAX = 100

/** Registries that one process follows besides its first: each asks the node for every block. */
export const REGISTRIES_MAX = 15

/** Vendors whose endpoints are taken over in one transaction: others wait for it. */
export const PROBE_VENDORS_MAX = 500

/** Of vendors that all become known at once, one is asked in so many milliseconds. */
export const PROBE_SPREAD_MS = 100

/** Endpoints asked in one round; its results are written together. */
export const PROBE_ROUND_MAX = 64

/** Endpoints asked at the same time: names are resolved by four threads, which files need too. */
export const PROBES_AT_ONCE = 16

/** One try, milliseconds: a Tor circuit takes several seconds to build. */
export const PROBE_TIMEOUT_MS = 15_000

/** An endpoint that holds is asked no more often than this, milliseconds. */
export const PROBE_INTERVAL_MS = 15 * 60_000

/** A first failure is looked into after this, and no endpoint is asked sooner whatever changes, milliseconds. */
export const PROBE_RETRY_MS = 60_000

/** Longest pause between tries of an endpoint that fails, milliseconds: each day of its uptime has a try. */
export const PROBE_BACKOFF_MS_MAX = 12 * 3_600_000

/** Between rounds, milliseconds: one host is asked once a round, whoever registers it how often. */
export const PROBE_PAUSE_MS = 1_000

/** Days that an uptime is told from; each takes some 20 bytes. */
export const UPTIME_DAYS = 30

/** Documents kept parsed, checked and ready to run, and characters of all of them: each becomes some 50 bytes a character. */
export const DOCUMENTS_KEPT_MAX = 500
export const DOCUMENTS_KEPT_CHARACTERS_MAX = 1024 * 1024

/** Sets of page sizes of one document whose cost is kept. */
export const DOCUMENT_WEIGHTS_KEPT_MAX = 32

/** A file of documents that are allowed, bytes: hundreds of the largest. */
export const DOCUMENTS_FILE_BYTES_MAX = 4 * 1024 * 1024

/** Answers kept as bytes, and bytes of all of them with what they are known by. */
export const ANSWERS_KEPT_MAX = 20_000
export const ANSWERS_KEPT_BYTES_MAX = 64 * 1024 * 1024

/** Questions of which it is remembered that they were asked: an answer is kept when it is asked for again. */
export const QUESTIONS_REMEMBERED = 20_000
