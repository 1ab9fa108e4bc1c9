/** The door to a blockchain: JSON-RPC calls as of EIP-1474, over whatever `Network` it is given. */

/** A node, or several of one chain, asked one question at a time. */
export interface Chain {
  /**
   * Asks the node.
   * @returns the `result` member, unvalidated: `chain/` checks its shape
   * @throws ChainError, or the signal's reason when it aborts
   */
  request(method: string, params: readonly unknown[], signal?: AbortSignal): Promise<unknown>
  /**
   * The nodes behind this door where there are several, for who needs the answers of one and the same: the best first,
   * never none. A question to one of them goes to no other.
   */
  nodes?(): readonly Chain[]
}

export type ChainErrorCode =
  /** No answer that is the node's own: it is away, breaks off, or something in front of it answers. */
  | 'ERR_CHAIN_UNREACHABLE'
  | 'ERR_CHAIN_TIMEOUT'
  /** Asked too much or too often: HTTP status 429, or JSON-RPC error -32005 (EIP-1474). */
  | 'ERR_CHAIN_RATE_LIMITED'
  /** The node answers that it will not or cannot do this, with `rpcCode`. */
  | 'ERR_CHAIN_REFUSED'
  /** Another node knows of much newer blocks. */
  | 'ERR_CHAIN_LAGGING'
  /** The answer is not one to this question, has the wrong shape, or is longer than it may be. */
  | 'ERR_CHAIN_MALFORMED'

const passing: ReadonlySet<ChainErrorCode> = new Set([
  'ERR_CHAIN_UNREACHABLE',
  'ERR_CHAIN_TIMEOUT',
  'ERR_CHAIN_RATE_LIMITED',
  'ERR_CHAIN_LAGGING',
])

/** A node's own account of an error. */
export interface ChainRefusal {
  readonly rpcCode: number
  /** In the node's words, at most 256 characters: for a person to read. It may name accounts: not for logs. */
  readonly rpcMessage: string
  /** What a contract reverted with, as `0x` and hex digits; undefined when the node gives no such bytes. */
  readonly data: string | undefined
}

/** A question to a node has no answer. The message holds neither the node's address nor its words. */
export class ChainError extends Error {
  readonly code: ChainErrorCode
  readonly retryable: boolean
  readonly rpcCode: number | undefined
  readonly rpcMessage: string | undefined
  readonly data: string | undefined
  constructor(
    code: ChainErrorCode,
    message: string,
    { refusal, ...options }: ErrorOptions & { refusal?: ChainRefusal } = {},
  ) {
    super(message, options)
    this.name = 'ChainError'
    this.code = code
    this.retryable = passing.has(code)
    this.rpcCode = refusal?.rpcCode
    this.rpcMessage = refusal?.rpcMessage
    this.data = refusal?.data
  }
}
