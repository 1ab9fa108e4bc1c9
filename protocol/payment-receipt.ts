/**
 * `Payment-Receipt`: what one request cost and what is left, so that nobody on the way can tell the payer something
 * else. A compact JWS: `HS256` under the voucher's proof key, which both sides have; `RS256` by the vendor's listed key
 * when the payer asks for it, to show it to others.
 *
 * A voucher's key makes receipts and proofs: a proof's text has line feeds, the text of a JWS never has one.
 */
import { hmac } from '@noble/hashes/hmac.js'
import { sha256 } from '@noble/hashes/sha2.js'
import { z } from 'zod'
import { equalBytes } from './bytes.ts'
import { parseCompactJws } from './compact-jws.ts'
import { ProtocolError } from './errors.ts'
import type { Jose } from './jose.ts'
import { parseJson } from './json.ts'
import type { RsaPublicKey } from './keys.ts'
import { RECEIPT_BYTES_MAX } from './limits.ts'

const amount = z
  .string()
  .regex(/^-?(0|[1-9]\d{0,38})$/)
  .transform(BigInt)

const receiptSchema = z.object({
  purpose: z.literal('receipt'),
  host: z.string().max(262),
  account: z.string().max(128),
  currency: z.string().max(16),
  /** Of the voucher; SHA-256 of its signed text where it has none. */
  jti: z.string().max(64),
  /** The proof's counter; 0 without one. */
  n: z.int().min(0),
  /** What this request cost, smallest unit. A stream's is in the receipt of a later request. */
  cost: amount,
  /** All that the account was charged so far, this included. */
  usage: amount,
  /** What it has left; below zero when a deposit was undone. */
  balance: amount,
  /** Unix seconds. */
  ts: z.int().min(0),
})

/** What a receipt says. */
export type Receipt = Readonly<z.infer<typeof receiptSchema>>

/** A receipt's signed bytes, as text. Each member is written out: this is done for each request. */
export const receiptText = (receipt: Receipt): string =>
  `{"purpose":"receipt","host":${JSON.stringify(receipt.host)},"account":${JSON.stringify(receipt.account)},` +
  `"currency":${JSON.stringify(receipt.currency)},"jti":"${receipt.jti}","n":${receipt.n},"cost":"${receipt.cost}",` +
  `"usage":"${receipt.usage}","balance":"${receipt.balance}","ts":${receipt.ts}}`

/**
 * Reads a receipt that the voucher's key made for us.
 * @throws ERR_JWS_INVALID | ERR_RECEIPT_SHAPE
 */
export const readReceipt = (text: string, key: Uint8Array): Receipt => {
  const jws = parse(text)
  const holds = jws.header.alg === 'HS256' && equalBytes(hmac(sha256, key, jws.signingInput), jws.signature)
  if (!holds) throw new ProtocolError('ERR_JWS_INVALID', 'signature is not a valid HS256 by this key')
  return shaped(jws.payload)
}

/**
 * Reads a receipt that the vendor signed for everybody.
 * @throws ERR_JWS_INVALID | ERR_RECEIPT_SHAPE
 */
export const readSignedReceipt = async (
  jose: Pick<Jose, 'verify'>,
  text: string,
  vendor: RsaPublicKey,
): Promise<Receipt> => {
  if (text.length > RECEIPT_BYTES_MAX) throw new ProtocolError('ERR_RECEIPT_SHAPE', 'receipt is too long')
  const [header = '', payload = '', signature = ''] = text.split('.')
  return shaped(await jose.verify({ protected: header, payload, signature }, vendor))
}

const parse = (text: string) => {
  if (text.length > RECEIPT_BYTES_MAX) throw new ProtocolError('ERR_RECEIPT_SHAPE', 'receipt is too long')
  return parseCompactJws(text)
}

const shaped = (payload: Uint8Array): Receipt => {
  const parsed = receiptSchema.safeParse(parseJson(payload))
  if (!parsed.success) throw new ProtocolError('ERR_RECEIPT_SHAPE', 'a receipt tells cost, usage and balance')
  return parsed.data
}
