/** What a gateway, or somebody on the way, can answer that is not true. */
import { nowSeconds } from '../../effects/clock.ts'
import { createJose } from '../../protocol/jose.ts'
import { base64url, utf8 } from '../../protocol/bytes.ts'
import { hmac } from '@noble/hashes/hmac.js'
import { sha256 } from '@noble/hashes/sha2.js'
import { readOffers, signOffers, type Offers } from '../../protocol/offers.ts'
import { paymentProblems, type PaymentProblemCode } from '../../protocol/payment-problems.ts'
import { receiptText, type Receipt } from '../../protocol/payment-receipt.ts'
import { parseProof } from '../../protocol/payment-proof.ts'
import { openVoucher, type VoucherClaims } from '../../protocol/voucher.ts'
import { thumbprintOf } from '../../protocol/keys.ts'
import { rsaKeyPair } from '../../sim/rsa-keys.ts'
import type { PayingWorld } from './world.ts'

const jose = createJose()

/** What a request's voucher says, as the vendor reads it. */
export const claimsOf = async (request: Request): Promise<VoucherClaims | undefined> => {
  const text = request.headers.get('payment-voucher')
  if (text === null) return undefined
  return (await openVoucher(jose, text, rsaKeyPair(1).privateKey)).claims
}

/** The highest total that was signed in what passed, for each account. */
export const signedIn = async (requests: readonly Request[]): Promise<Map<string, bigint>> => {
  const signed = new Map<string, bigint>()
  for (const request of requests) {
    const text =
      request.headers.get('payment-voucher') ??
      (request.url.endsWith('/vouchers') ? await request.clone().text() : null)
    if (text === null) continue
    const { claims } = await openVoucher(jose, text, rsaKeyPair(1).privateKey)
    const { account = '', cumulative = '0' } = claims
    if ((signed.get(account) ?? 0n) < BigInt(cumulative)) signed.set(account, BigInt(cumulative))
  }
  return signed
}

export const refusal = (code: PaymentProblemCode, more: Readonly<Record<string, unknown>> = {}): Response =>
  Response.json(
    { code, detail: 'because', ...more },
    { status: paymentProblems[code].status, headers: { 'content-type': 'application/problem+json' } },
  )

/** Genuine offers for a request, changed, and signed by a key. @param key of `rsaKeyPair`; 0 is the vendor's own */
export const forgedOffers = async (
  world: PayingWorld,
  request: Request,
  change: (offers: Offers) => Offers,
  key = 0,
): Promise<Response> => {
  const asking = new Request(request.url, { method: request.method })
  const body = (await (await world.deliver(asking)).json()) as { offers: unknown }
  const { encryptTo: _key, ...offers } = await readOffers(jose, body.offers, {
    host: new URL(request.url).host,
    nowSeconds: nowSeconds(world.market.clock),
    signingKey: thumbprintOf(rsaKeyPair(0).publicKey),
    encryptionKey: thumbprintOf(rsaKeyPair(1).publicKey),
  })
  const signed = await signOffers(jose, change(offers), rsaKeyPair(key).privateKey)
  return refusal('ERR_PAYMENT_REQUIRED', { ...body, offers: signed })
}

/** The answer, with a receipt that says something else, under the voucher's key. */
export const forgedReceipt = async (
  request: Request,
  answer: Response,
  change: Partial<Receipt>,
): Promise<Response> => {
  const claims = await claimsOf(request)
  const proof = parseProof(request.headers.get('payment-proof') ?? '')
  if (!claims?.key || !proof) return answer
  const { host, account = '', currency = '', jti = '' } = claims
  const honest = { purpose: 'receipt', host, account, currency, jti, n: proof.counter, cost: 0n, usage: 0n } as const
  const text = receiptText({ ...honest, balance: 0n, ts: 0, ...change })
  const input = `${base64url.encode(utf8('{"alg":"HS256"}'))}.${base64url.encode(utf8(text))}`
  const mac = base64url.encode(hmac(sha256, base64url.decode(claims.key), utf8(input)))
  const headers = new Headers(answer.headers)
  headers.set('payment-receipt', `${input}.${mac}`)
  return new Response(answer.body, { status: answer.status, headers })
}
