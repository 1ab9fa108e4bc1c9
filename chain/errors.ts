/** What can go wrong on a chain beyond a single call (those are `ChainError`s of the door). Codes are stable. */
import type { AbiValue } from './abi.ts'
import type { Hash } from './types.ts'

export type FollowErrorCode =
  /** The chain is another one than before: it has another chain id or genesis block. */
  | 'ERR_CHAIN_RESTARTED'
  /** Blocks that were finalized are no longer part of the chain. */
  | 'ERR_CHAIN_REORG_TOO_DEEP'

/** What was recorded can not be brought to agree with the chain: a person has to decide. */
export class FollowError extends Error {
  readonly code: FollowErrorCode
  readonly retryable = false
  constructor(code: FollowErrorCode, message: string) {
    super(message)
    this.name = 'FollowError'
    this.code = code
  }
}

/** A contract refused a call, for the reason it names. */
export class ContractRevert extends Error {
  readonly code = 'ERR_CONTRACT_REVERT'
  readonly retryable = false
  /** A custom error of our contracts, `Error`, `Panic`, or `Unknown`. */
  readonly reason: string
  readonly args: Readonly<Record<string, AbiValue>>
  constructor(reason: string, args: Readonly<Record<string, AbiValue>>, options?: ErrorOptions) {
    super(`the contract refused: ${reason}`, options)
    this.name = 'ContractRevert'
    this.reason = reason
    this.args = args
  }
}

export type TransactionErrorCode =
  /** No receipt in time: it may still come, so only the same raw transaction may be sent again. */
  | 'ERR_TRANSACTION_PENDING'
  /** The node refuses to take it: it was not sent. */
  | 'ERR_TRANSACTION_REFUSED'
  /** Another transaction took its nonce: it can never happen. */
  | 'ERR_TRANSACTION_REPLACED'
  /** It was mined and changed nothing; no reason can be found. */
  | 'ERR_TRANSACTION_FAILED'

/** A transaction that has no effect, or not yet. */
export class TransactionError extends Error {
  readonly code: TransactionErrorCode
  readonly retryable: boolean
  readonly transactionHash: Hash
  constructor(code: TransactionErrorCode, message: string, transactionHash: Hash, options?: ErrorOptions) {
    super(message, options)
    this.name = 'TransactionError'
    this.code = code
    this.retryable = code === 'ERR_TRANSACTION_PENDING'
    this.transactionHash = transactionHash
  }
}
