/** What a buyer is refused, or has to wait for. Codes are stable: scripts match on them. */

const retryableCodes = [
  'ERR_VENDOR_UNREACHABLE',
  'ERR_NOT_YET_CONFIRMED',
  'ERR_DIRECTORY_UNREACHABLE',
  /** What came back is no answer, or no directory's. */
  'ERR_DIRECTORY_ANSWER',
  'ERR_DIRECTORY_NOT_READY',
  'ERR_PURCHASE_PENDING',
  /** The vendor has not seen a deposit yet that is on chain. */
  'ERR_DEPOSIT_UNSEEN',
  /** A refund was taken up, and the money is not there yet. */
  'ERR_REFUND_PENDING',
  /** Another program used the Nano account at the same time. */
  'ERR_NANO_LOST',
  'ERR_NANO_UNREACHABLE',
] as const

export type BuyerErrorCode =
  | (typeof retryableCodes)[number]
  /** There is no keyring, or there is one already. */
  | 'ERR_KEYRING_MISSING'
  | 'ERR_KEYRING_EXISTS'
  | 'ERR_KEYRING_DAMAGED'
  | 'ERR_ACCOUNT_INVALID'
  | 'ERR_REGISTRY_MISSING'
  /** The vendor's name belongs to another chain or registry than the settings. */
  | 'ERR_OTHER_CHAIN'
  | 'ERR_OTHER_REGISTRY'
  | 'ERR_VENDOR_UNKNOWN'
  /** A directory refuses the question, or is about another registry or chain, or does not have what the registry has. */
  | 'ERR_DIRECTORY_REFUSED'
  | 'ERR_DIRECTORY_OTHER_REGISTRY'
  | 'ERR_DIRECTORY_VENDOR_UNKNOWN'
  /** A search is longer than one may be, or goes on from a place that there is not. */
  | 'ERR_SEARCH_INVALID'
  | 'ERR_CURSOR'
  | 'ERR_PLAN_UNKNOWN'
  | 'ERR_NOT_FOR_SALE'
  /** What the plan is priced in does not answer as a token does. */
  | 'ERR_TOKEN_INVALID'
  /** This currency or token cannot be paid in the way that was asked for. */
  | 'ERR_PAY_BY'
  | 'ERR_PERIODS'
  | 'ERR_BALANCE'
  | 'ERR_SPEND_CAP'
  /** It takes more gas than was agreed to. */
  | 'ERR_GAS'
  | 'ERR_ORDER_UNKNOWN'
  | 'ERR_ORDER_NOT_RUNNING'
  | 'ERR_NOT_REFUNDABLE'
  | 'ERR_ADDRESS_INVALID'
  /** What was signed has been carried out, is out of date, or the chain refuses it. */
  | 'ERR_SIGNED_ORDER_USED'
  | 'ERR_SIGNED_ORDER_EXPIRED'
  | 'ERR_SIGNED_ORDER_REFUSED'
  /** No endpoint gave a price document that holds against the registry. */
  | 'ERR_VENDOR_UNTRUSTED'
  | 'ERR_VENDOR_REFUSED'
  | 'ERR_ANSWER_OF_OTHER_ORDER'
  | 'ERR_NO_SOCKS5_SERVER'
  /** Nobody said which vendor serves a host, and over plain HTTP anybody on the way could name itself. */
  | 'ERR_VENDOR_UNNAMED'
  /** The offers are of another vendor, route or asset than was asked for or than they say. */
  | 'ERR_OFFERS_UNTRUSTED'
  /** None of the offered ways can be paid from here. */
  | 'ERR_NO_WAY_TO_PAY'
  /** Nothing is to be paid, so nothing can be given. */
  | 'ERR_NOTHING_TO_PAY'
  | 'ERR_OVERCHARGED'
  /** The vendor refuses a payment that is as it asked for; `cause` has its own code. */
  | 'ERR_PAYMENT_REFUSED'
  /** What a service itself answers to a request that was paid for. */
  | 'ERR_SERVICE_STATUS'
  | 'ERR_CHANNEL_UNKNOWN'
  /** A withdrawal is requested, so the vendor serves this channel no more. */
  | 'ERR_CHANNEL_CLOSING'
  /** The delay of a withdrawal is not over. */
  | 'ERR_WITHDRAWAL_EARLY'

const retryable: ReadonlySet<BuyerErrorCode> = new Set(retryableCodes)

/** A refusal, or with `retryable` a passing fault. Its message is one sentence that says what to do. */
export class BuyerError extends Error {
  readonly code: BuyerErrorCode
  readonly retryable: boolean
  constructor(code: BuyerErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'BuyerError'
    this.code = code
    this.retryable = retryable.has(code)
  }
}
