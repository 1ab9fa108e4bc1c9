/**
 * What a way of paying has to do for the gateway. A rail brings deposits to the ledger, knows the keys of its accounts,
 * and takes money back to who asks for it; it decides nothing about prices, and keeps no balance.
 *
 * A rail is one currency and one account of the service's. Its accounts are payers': the ledger keeps them apart by the
 * rail's `id`, so what was paid to one account of the service never pays for what is sold by another.
 */
import type { CompactJws } from '../protocol/compact-jws.ts'
import type { VoucherClaims } from '../protocol/voucher.ts'

/** Algorithms of the JWS around a voucher. Each rail has one, fixed, never taken from a message. */
export type VoucherAlgorithm = 'ES256K' | 'RS256' | 'Ed25519Blake2b'

export interface Currency {
  /** As `Payment-Account-Currency` and `Content-Cost-Currency` write it, such as NANO, ETH, USDC. */
  readonly code: string
  readonly decimals: number
}

/** Money that came in for an account, or left it on the chain by another way than a refund of ours. */
export interface Deposit {
  /** Unique for ever in its rail. One that is revoked and comes again, after a reorg, has the same. */
  readonly id: string
  /** In the rail's one spelling: what `account` returns. */
  readonly account: string
  /** Smallest unit; more than zero. */
  readonly amount: bigint
}

/**
 * What a rail tells the ledger about its accounts. All is idempotent, and durable when its promise resolves; calls that
 * are made together become one transaction, so a batch is told by `Promise.all`.
 */
export interface Deposits {
  credit(deposit: Deposit): Promise<void>
  /** Money went back to the payer without us, such as a channel's withdrawal. Taken from the account even below zero. */
  debit(withdrawal: Deposit): Promise<void>
  /** A reorg or fork undid a credit or a debit. Nothing happens to an id that is not known. */
  revoke(id: string): Promise<void>
  /** An account whose payer is about to take the rest is served no more; `false` takes that back. */
  suspend(account: string, suspended: boolean): Promise<void>
}

/** A voucher or refund request whose shape, purpose, host and times are right already; its signature is not checked. */
export interface SignedVoucher {
  /** In the rail's one spelling. */
  readonly account: string
  readonly jws: CompactJws
  readonly claims: VoucherClaims
}

/** What a good voucher allows. */
export interface Authority {
  /** All that may ever be charged to the account, smallest unit: a channel's cumulative. Without it, all of its deposits. */
  readonly limit?: bigint
  /** Kept with the account as long as this limit is the highest: what the vendor needs to cash it. JSON, up to 4 KiB. */
  readonly evidence?: string
}

/** What a good refund request allows. */
export interface RefundAuthority extends Authority {
  /** What `refund` needs later, kept with the refund. JSON, up to 4 KiB. */
  readonly authorization: string
}

/** A refund that the ledger has taken from the account, durably; the rail brings it about. */
export interface Refund {
  /** 22 base64url characters. */
  readonly id: string
  readonly account: string
  readonly amount: bigint
  /** Where the money goes, as the rail writes addresses; any that the payer named. */
  readonly to: string
  /** From `verifyRefund`; empty where the gateway itself gives the rest back. */
  readonly authorization: string
}

/** Members that a rail adds to each of its signed offers: JSON, bigint as decimal strings. */
export type OfferDetails = Readonly<Record<string, unknown>>

export interface Rail {
  readonly scheme: 'channel' | 'order' | 'nano'
  /** Unique among the rails of a gateway and the same for ever: it is in the ledger. Such as `nano:nano_3abc…`. */
  readonly id: string
  readonly currency: Currency
  /** `Content-Account-Address`: where payers pay to. */
  readonly serviceAccount: string
  readonly algorithm: VoucherAlgorithm
  /** Whether deposits are followed up to date. */
  ready(): boolean
  /** The one spelling of an account of this rail; undefined for what is none. Pure, and fast: asked on each request. */
  account(text: string): string | undefined
  offer(): OfferDetails
  /**
   * Checks that the account's key signed, and what the voucher says for this rail.
   * @throws GatewayError ERR_VOUCHER_SIGNATURE | ERR_VOUCHER_SHAPE | ERR_VOUCHER_ACCOUNT
   */
  verify(voucher: SignedVoucher): Promise<Authority>
  /**
   * The same for a refund request; `claims.to` is an address that this rail can pay to.
   * @throws what `verify` throws, and ERR_REFUND_ADDRESS
   */
  verifyRefund(voucher: SignedVoucher): Promise<RefundAuthority>
  /** Where the rest of an account goes that its payer said nothing about; undefined where nobody knows. */
  home(account: string): string | undefined
  /**
   * Pays a refund. Called again with the same id after a crash or a fault, and pays once all the same.
   * @returns once it is certain enough to be told
   * @throws with `retryable: true` for what may work later, else the amount goes back to the account
   */
  refund(refund: Refund, signal: AbortSignal): Promise<{ readonly reference: string }>
  /** These deposits are used up, the oldest first; told at least once. Nano makes their receive blocks. */
  usedUp(depositIds: readonly string[], signal: AbortSignal): Promise<void>
  /** Follows deposits until the signal aborts. @throws what makes the whole gateway stop */
  run(deposits: Deposits, signal: AbortSignal): Promise<void>
}

/** What a request costs, as a scheme needs it that pays each request by itself. */
export interface DirectTerms {
  /** Smallest unit. */
  readonly price: bigint
  /** The request's URL as the client wrote it. */
  readonly url: string
  readonly method: string
}

/** A payment for one request that was found good and is not yet taken. */
export interface DirectPayment {
  /** Unique for ever: the gateway takes each once. */
  readonly id: string
  /**
   * Takes the money, once, before the answer leaves. May be called again after a fault.
   * @returns headers of the answer, such as the receipt
   * @throws GatewayError ERR_PAYMENT_FAILED: nothing is served
   */
  settle(signal: AbortSignal): Promise<Readonly<Record<string, string>>>
}

/** A scheme that pays each request by itself and has no accounts: x402. */
export interface DirectRail {
  readonly scheme: 'x402'
  readonly id: string
  readonly currency: Currency
  readonly serviceAccount: string
  ready(): boolean
  offer(): OfferDetails
  /** Headers that a 402 has for clients of this scheme. */
  challenge(terms: DirectTerms): Readonly<Record<string, string>>
  /**
   * The payment that a request brings; undefined when it brings none of this scheme.
   * @throws GatewayError ERR_PAYMENT_INVALID
   */
  payment(headers: Headers, terms: DirectTerms, signal: AbortSignal): Promise<DirectPayment | undefined>
}
