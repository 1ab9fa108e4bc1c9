/** What a query can be refused for. Codes are stable and stand in `extensions.code`. */
import { GraphQLError } from 'graphql'

export type QueryErrorCode =
  | 'ERR_NOT_READY'
  | 'ERR_BLOCK_UNKNOWN'
  | 'ERR_BLOCK_NOT_REACHED'
  | 'ERR_BLOCK_REPLACED'
  | 'ERR_BLOCK_UNAVAILABLE'
  | 'ERR_PAGE_ARGUMENTS'
  | 'ERR_CURSOR_INVALID'
  | 'ERR_FILTER_INVALID'
  | 'ERR_SEARCH_INVALID'
  | 'ERR_ORDER_NEEDS_TOKEN'
  | 'ERR_RESUME_INVALID'
  | 'ERR_RESUME_TOO_OLD'
  | 'ERR_SUBSCRIBER_TOO_SLOW'
  | 'ERR_SUBSCRIPTION_BROKEN'
  | 'ERR_TOO_MANY_SUBSCRIBERS'
  | 'ERR_QUERY_TOO_LONG'
  | 'ERR_QUERY_TOO_DEEP'
  | 'ERR_QUERY_TOO_MANY_ALIASES'
  | 'ERR_QUERY_TOO_COSTLY'
  | 'ERR_QUERY_TIMEOUT'
  | 'ERR_DOCUMENT_UNKNOWN'
  | 'ERR_STORE_UNREACHABLE'

/** Refusals that may pass by themselves: the same query can succeed later. */
const RETRYABLE: ReadonlySet<QueryErrorCode> = new Set([
  'ERR_NOT_READY',
  'ERR_BLOCK_NOT_REACHED',
  'ERR_BLOCK_REPLACED',
  'ERR_BLOCK_UNAVAILABLE',
  'ERR_QUERY_TIMEOUT',
  'ERR_SUBSCRIBER_TOO_SLOW',
  'ERR_SUBSCRIPTION_BROKEN',
  'ERR_TOO_MANY_SUBSCRIBERS',
  'ERR_STORE_UNREACHABLE',
])

const extensions = (code: QueryErrorCode) => ({ code, retryable: RETRYABLE.has(code) })

/** A field is refused while the query runs; its neighbours are answered. */
export const queryError = (code: QueryErrorCode, message: string): GraphQLError =>
  new GraphQLError(message, { extensions: extensions(code) })

/** A document is refused before it runs. @see GraphQL over HTTP §6.4: status 400 where the media type allows it */
export const documentError = (code: QueryErrorCode, message: string): GraphQLError =>
  new GraphQLError(message, { extensions: { ...extensions(code), http: { status: 400, spec: true } } })

/** A whole run is refused. @see GraphQL over HTTP §6.4: status 503 where the media type allows it */
export const runError = (code: QueryErrorCode, message: string): GraphQLError =>
  new GraphQLError(message, { extensions: { ...extensions(code), http: { status: 503, spec: true } } })
