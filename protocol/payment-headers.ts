/**
 * The headers by which a request says who pays, and an answer what it cost. Amounts are decimal, in whole units of the
 * currency, as people read them.
 * @see SEED 004 "Headers"; docs/vouchers.md
 */
import { z } from 'zod'
import { parseAmount } from './amount.ts'

/** Names as SEED 004 writes them, and those that it lacks. HTTP ignores their case. */
export const paymentHeaders = {
  /** Of requests. */
  accountCurrency: 'Payment-Account-Currency',
  accountAddress: 'Payment-Account-Address',
  voucher: 'Payment-Voucher',
  /** Proves that the voucher's holder makes this request. @see protocol/payment-proof.ts */
  proof: 'Payment-Proof',
  /** The most that this request may cost; where an answer is given for a donation, what is given. */
  amount: 'Payment-Amount',
  idempotencyKey: 'Idempotency-Key',

  /** Of answers. */
  cost: 'Content-Cost',
  costPer: 'Content-Cost-Per',
  costCurrency: 'Content-Cost-Currency',
  serviceAccount: 'Content-Account-Address',
  refundEndpoint: 'Payment-Refund-Endpoint',
  balance: 'Payment-Account-Balance',
  usage: 'Payment-Account-Usage',
  receipt: 'Payment-Receipt',
} as const

/** What a price is for: each answer, the first answer to an account, or each bit of the answer's body. */
export const costPerSchema = z.enum(['access', 'once', 'bit'])
export type CostPer = z.infer<typeof costPerSchema>

/** HEAD and OPTIONS tell the cost and are free, as is REFUND (SEED 004 "HTTP Methods"). */
export const costsMoney = (method: string): boolean => method !== 'HEAD' && method !== 'OPTIONS' && method !== 'REFUND'

/** 1 to 128 visible ASCII characters. */
export const IDEMPOTENCY_KEY = /^[!-~]{1,128}$/

/**
 * An amount as a header writes it; SEED 004 leaves the zero out before the point.
 * @returns smallest units, undefined unless the text is a decimal number with at most that many decimals
 */
export const parseCost = (text: string, decimals: number): bigint | undefined =>
  parseAmount(text.startsWith('.') ? `0${text}` : text, decimals)

/**
 * The one spelling of a `Host` that a voucher is for: lower case, without the port that goes without saying.
 * @param host as the request has it
 */
export const canonicalHost = (host: string, protocol: 'http:' | 'https:'): string =>
  host.toLowerCase().replace(protocol === 'https:' ? /:443$/ : /:80$/, '')
