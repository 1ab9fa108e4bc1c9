/** Receipts as the gateway makes them: under the voucher's key at no cost worth speaking of, by the vendor's on demand. */
import { base64url, utf8 } from '../protocol/bytes.ts'
import type { Jose } from '../protocol/jose.ts'
import type { RsaPrivateKey } from '../protocol/keys.ts'
import { receiptText } from '../protocol/payment-receipt.ts'
import type { Ledger } from './ledger/index.ts'
import type { LiveVoucher } from './vouchers.ts'

const HS256_HEADER = base64url.encode(utf8('{"alg":"HS256"}'))

export interface ReceiptParts {
  readonly jose: Pick<Jose, 'sign'>
  readonly ledger: Ledger
  readonly signingKey: RsaPrivateKey
  /** base64url of text. */
  encode(text: string): string
}

export interface Receipts {
  /** What a receipt of this moment says. @param counter of the request's proof */
  text(voucher: LiveVoucher, counter: number, cost: bigint, tsSeconds: number): string
  /** Under the voucher's key; undefined for a voucher without one. */
  quick(voucher: LiveVoucher, text: string): string | undefined
  /** By the vendor's key, for everybody. */
  signed(text: string): Promise<string>
}

export const createReceipts = ({ jose, ledger, signingKey, encode }: ReceiptParts): Receipts => ({
  text: ({ rail, account, host, id }, n, cost, ts) =>
    receiptText({
      purpose: 'receipt',
      host,
      account: account.account,
      currency: rail.currency.code,
      jti: id,
      n,
      cost,
      usage: account.charged,
      balance: ledger.balance(account),
      ts,
    }),
  quick({ mac }, text) {
    if (mac === undefined) return undefined
    const input = `${HS256_HEADER}.${encode(text)}`
    return `${input}.${mac(input)}`
  },
  async signed(text) {
    const { protected: header, payload, signature } = await jose.sign(utf8(text), signingKey)
    return `${header}.${payload}.${signature}`
  },
})

/** Whether a request asks for a receipt that can be shown to others (RFC 7240). */
export const wantsSignedReceipt = (prefer: string | undefined): boolean =>
  prefer !== undefined && /(?:^|,)\s*payment-receipt\s*=\s*"?RS256"?\s*(?:[;,]|$)/i.test(prefer)
