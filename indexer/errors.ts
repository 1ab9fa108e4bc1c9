/** What keeps the directory from running. Codes are stable. */

export type IndexerErrorCode =
  /** The database is about another registry. */
  | 'ERR_INDEXER_SOURCE'
  /** The address given has no registry. */
  | 'ERR_INDEXER_NO_REGISTRY'
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
