/**
 * The doors to what outlives a process. Both promise that when a write's promise resolves it survives kill -9 and
 * power loss, and that a write that did not resolve is either there whole or not at all.
 */
import type { Dialect } from 'kysely'

/** Named small files, replaced whole. */
export interface FileStore {
  /** Content of the file, or undefined if there is none. */
  read(name: string): Promise<Uint8Array | undefined>
  /** Replaces the file atomically, readable by its owner only. */
  write(name: string, content: Uint8Array): Promise<void>
  /**
   * Runs work while no other holder of this name, in any process on this store, runs its own. Waiting takes turns;
   * a holder that dies lets go at once. Not reentrant.
   * @returns what the work returns
   */
  exclusively<T>(name: string, work: () => Promise<T>): Promise<T>
}

/** SQL databases, each held by one service. */
export interface SqlStore {
  /** Opens, creating it if needed, the database of this name. The caller destroys the Kysely it builds on it. */
  dialect(name: string): Dialect
}

export type StoreErrorCode =
  /** It cannot be used now; the same may succeed later. */
  | 'ERR_STORE_UNREACHABLE'
  /** It does not let us in, or is not there. */
  | 'ERR_STORE_REFUSED'

/** The database cannot be used; what was under way is not written. */
export class StoreError extends Error {
  readonly code: StoreErrorCode
  readonly retryable: boolean
  constructor(code: StoreErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'StoreError'
    this.code = code
    this.retryable = code === 'ERR_STORE_UNREACHABLE'
  }
}
