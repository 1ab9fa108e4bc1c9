/** Vouchers as this client makes them: for one host, with a key that proves each request, good for an hour. */
import { nowSeconds } from '../../../effects/clock.ts'
import { base64url } from '../../../protocol/bytes.ts'
import type { RsaPublicKey } from '../../../protocol/keys.ts'
import { formatProof, UNPROVED_BODY } from '../../../protocol/payment-proof.ts'
import { sealVoucher, type VoucherClaims, type VoucherSigner } from '../../../protocol/voucher.ts'
import type { PayingKit } from './kit.ts'

/** A voucher of ours, and how many requests it was sent with. */
export interface LiveVoucher {
  readonly host: string
  readonly account: string
  readonly currency: string
  readonly text: string
  readonly jti: string
  readonly key: Uint8Array
  /** Of a channel; 0 else. */
  readonly cumulative: bigint
  readonly expSeconds: number
  readonly encryptTo: RsaPublicKey
  counter: number
}

export interface VoucherTerms {
  readonly host: string
  readonly account: string
  readonly currency: string
  readonly encryptTo: RsaPublicKey
  readonly lifeSeconds: number
  readonly cumulative: bigint
  /** What the scheme adds. */
  readonly more: Partial<VoucherClaims>
}

const JTI_BYTES = 16
const KEY_BYTES = 32

export const makeVoucher = async (
  { effects }: Pick<PayingKit, 'effects'>,
  signer: VoucherSigner,
  { host, account, currency, encryptTo, lifeSeconds, cumulative, more }: VoucherTerms,
): Promise<LiveVoucher> => {
  const { random, clock, jose } = effects
  const iat = nowSeconds(clock)
  const jti = base64url.encode(random.bytes(JTI_BYTES))
  const key = random.bytes(KEY_BYTES)
  const exp = iat + lifeSeconds
  const claims = {
    host,
    iat,
    exp,
    jti,
    account,
    currency,
    key: base64url.encode(key),
    purpose: 'payment',
    ...more,
  } as const
  const text = await sealVoucher(jose, claims, signer, encryptTo)
  return { host, account, currency, text, jti, key, cumulative, expSeconds: exp, encryptTo, counter: 0 }
}

/** What a proof is about, of the request as it is sent. */
export interface ProvableRequest {
  readonly method: string
  readonly target: string
  readonly idempotencyKey: string
  /** `Payment-Amount`, or empty. */
  readonly amount: string
  /** base64url of the body's SHA-256; undefined without a body. */
  readonly bodyDigest: string | undefined
}

/** Headers by which a request is paid; each call counts on. */
export const paymentHeadersOf = (voucher: LiveVoucher, request: ProvableRequest): Record<string, string> => {
  const counter = ++voucher.counter
  const { method, target, idempotencyKey, amount, bodyDigest = UNPROVED_BODY } = request
  return {
    'payment-account-currency': voucher.currency,
    'payment-account-address': voucher.account,
    'payment-voucher': voucher.text,
    'payment-proof': formatProof(voucher.key, { counter, method, target, idempotencyKey, amount, bodyDigest }),
    ...(amount === '' ? {} : { 'payment-amount': amount }),
    ...(idempotencyKey === '' ? {} : { 'idempotency-key': idempotencyKey }),
  }
}
