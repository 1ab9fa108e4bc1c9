/** What can be wrong with a message, whoever sent it. Codes are stable: scripts and other programs match on them. */

export type ProtocolErrorCode =
  | 'ERR_JSON_INVALID'
  | 'ERR_KEY_INVALID'
  | 'ERR_KEY_ID_INVALID'
  | 'ERR_JWS_INVALID'
  | 'ERR_JWE_INVALID'
  | 'ERR_VENDOR_URI_INVALID'
  | 'ERR_PRICE_SHAPE'
  | 'ERR_CODE_SHAPE'
  | 'ERR_ANSWER_SHAPE'
  | 'ERR_SIGNED_TIME'
  | 'ERR_AUDIENCE'
  | 'ERR_NONCE'
  | 'ERR_SEALED_FILE'
  | 'ERR_SIGNED_ORDER_SHAPE'
  | 'ERR_VOUCHER_SHAPE'
  | 'ERR_VOUCHER_PURPOSE'
  | 'ERR_VOUCHER_HOST'
  | 'ERR_VOUCHER_EXPIRED'
  | 'ERR_VOUCHER_TOO_LONG'
  | 'ERR_RECEIPT_SHAPE'
  | 'ERR_OFFERS_SHAPE'
  | 'ERR_OFFERS_KEY'
  | 'ERR_OFFERS_HOST'
  /** A name that a recipient must not take, or a transfer that is not as told. */
  | 'ERR_TRANSFER_NAME'
  | 'ERR_TRANSFER_SHAPE'
  | 'ERR_RECORD'
  | 'ERR_UUID'
  | 'ERR_STATEMENT'
  | 'ERR_RECORD_UNTRUSTED'
  | 'ERR_PEER_HANDSHAKE'
  | 'ERR_PAKE_SHARE'
  | 'ERR_CODE_WORDS'
  | 'ERR_HELLO'

/** A message is refused. The text says what is wrong with it and holds none of it. */
export class ProtocolError extends Error {
  readonly code: ProtocolErrorCode
  readonly retryable = false
  constructor(code: ProtocolErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'ProtocolError'
    this.code = code
  }
}
