/** What keeps the directory from running, or from asking an endpoint. Codes are stable. */

export type IndexerErrorCode =
  /** The database is about another registry. */
  | 'ERR_INDEXER_SOURCE'
  /** The address given has no registry. */
  | 'ERR_INDEXER_NO_REGISTRY'
  /** The endpoint's port is not one of HTTP. */
  | 'ERR_ENDPOINT_PORT'
  /** Documents to allow cannot be read, or do not fit the schema or its limits. */
  | 'ERR_INDEXER_DOCUMENTS'

export class IndexerError extends Error {
  readonly code: IndexerErrorCode
  readonly retryable = false
  constructor(code: IndexerErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'IndexerError'
    this.code = code
  }
}
