/** Every bound of the directory, with its unit and its reason. */

/** Of a log that we cannot decode, this many bytes of data are kept: enough to find out what it was. */
export const UNDECODABLE_DATA_BYTES_MAX = 4096

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

/** Words of a search; each costs a comparison per vendor. */
export const SEARCH_WORDS_MAX = 8

/** Characters of a search. */
export const SEARCH_LENGTH_MAX = 256

/** Keys or ids listed in a filter. */
export const FILTER_LIST_MAX = 100
