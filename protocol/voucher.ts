/**
 * Vouchers: what a payer sends instead of money, off the chain. A service voucher payment (SVP) says "the holder of this
 * account's key lets this host charge the account until then"; a service voucher refund (SVR) says "give the rest of it
 * back, there". Both are a JWT signed by the account's key inside a JWE to the service's key, so that nobody on the way
 * reads or makes one.
 * @see SEED 004 "Service Voucher Payment (SVP) Encoding"; docs/vouchers.md
 */
import { z } from 'zod'
import { CANONICAL_BASE64URL, fromUtf8, utf8 } from './bytes.ts'
import { parseCompactJws, signCompactJws, type CompactJws, type SignBytes } from './compact-jws.ts'
import { ProtocolError } from './errors.ts'
import type { Jose } from './jose.ts'
import { canonicalJson, parseJson } from './json.ts'
import type { RsaPrivateKey, RsaPublicKey } from './keys.ts'
import { SIGNED_TIME_WINDOW_SECONDS, VOUCHER_BYTES_MAX } from './limits.ts'

const decimal = z.string().regex(/^(0|[1-9]\d{0,38})$/)
const hex = (bytes: number) => z.string().regex(new RegExp(`^0x[0-9a-f]{${2 * bytes}}$`))
const address = hex(20)

/** `ChannelSettings` as JSON has it. @see protocol/typed-data.ts */
const channelSchema = z.object({
  vendorId: decimal,
  payer: address,
  signer: address,
  token: address,
  withdrawDelay: z.int().min(0).max(0xffffffff),
  salt: hex(32),
})

const claimsSchema = z.object({
  /** The `Host` that it is for: lower case, with the port only where that is not the scheme's own. */
  host: z.string().regex(/^[a-z0-9.[\]:_-]{1,262}$/),
  /** Unix seconds from which it is worth nothing. */
  exp: z.int().min(0),
  iat: z.int().min(0).optional(),
  /** 16 random bytes. Without it the voucher is known by its own text. */
  jti: z.string().length(22).regex(CANONICAL_BASE64URL).optional(),
  /** Without these two the request's headers say them (SEED 004's own claims). */
  account: z.string().min(1).max(128).optional(),
  currency: z.string().min(1).max(16).optional(),
  purpose: z.enum(['payment', 'refund']).optional(),
  /** 32 random bytes that prove each request of this voucher. @see protocol/payment-proof.ts */
  key: z.string().length(43).regex(CANONICAL_BASE64URL).optional(),
  /** Of a payment channel: all that is signed so far, smallest unit, its EIP-712 signature, and the channel. */
  cumulative: decimal.optional(),
  signature: hex(65).optional(),
  channel: channelSchema.optional(),
  /** Of a refund: where to, how much (all that is left when it does not say), smallest unit. */
  to: z.string().min(1).max(128).optional(),
  amount: decimal.optional(),
  /** Of a channel's refund to another account than its payer: EIP-712 `RefundRequest(channelId,to,refunds)`. */
  refunds: z.int().min(0).max(0xffff).optional(),
  refundSignature: hex(65).optional(),
})

/** What a voucher says. Members that are not known are not kept (RFC 7519 §4). */
export type VoucherClaims = z.infer<typeof claimsSchema>

export interface VoucherSigner {
  /** Members of the JWS header: `alg`, and `jwk` where the account does not tell its key. */
  readonly header: Readonly<Record<string, unknown>> & { readonly alg: string }
  readonly sign: SignBytes
}

/** Writes a voucher: signed by the account's key, encrypted to the service's. */
export const sealVoucher = async (
  jose: Pick<Jose, 'encrypt'>,
  claims: VoucherClaims,
  signer: VoucherSigner,
  encryptionKey: RsaPublicKey,
): Promise<string> => {
  const jws = await signCompactJws({ ...signer.header, typ: 'JWT' }, canonicalJson(claims), signer.sign)
  return jose.encrypt(utf8(jws), encryptionKey)
}

export interface OpenedVoucher {
  readonly jws: CompactJws
  readonly claims: VoucherClaims
}

/**
 * Decrypts and reads a voucher. Its signature is still to be checked.
 * @throws ERR_JWE_INVALID | ERR_JWS_INVALID | ERR_VOUCHER_SHAPE
 */
export const openVoucher = async (
  jose: Pick<Jose, 'decrypt'>,
  voucher: string,
  decryptionKey: RsaPrivateKey,
): Promise<OpenedVoucher> => {
  if (voucher.length > VOUCHER_BYTES_MAX) throw shape(`is over ${VOUCHER_BYTES_MAX} bytes`)
  const jws = parseCompactJws(textOf(await jose.decrypt(voucher, decryptionKey)))
  return { jws, claims: parseClaims(jws.payload) }
}

const textOf = (bytes: Uint8Array): string => {
  try {
    return fromUtf8(bytes)
  } catch (cause) {
    throw new ProtocolError('ERR_JWS_INVALID', 'not a compact JWS', { cause })
  }
}

const parseClaims = (payload: Uint8Array): VoucherClaims => {
  let value: unknown
  try {
    value = parseJson(payload)
  } catch (cause) {
    throw shape('holds no JSON', { cause })
  }
  const parsed = claimsSchema.safeParse(value)
  if (!parsed.success) throw shape(`has a wrong or missing "${parsed.error.issues[0]?.path.join('.') ?? ''}"`)
  return parsed.data
}

export interface VoucherPolicy {
  readonly purpose: 'payment' | 'refund'
  /** Of the request. */
  readonly host: string
  readonly nowSeconds: number
  /** How long a voucher may still live at most, seconds. */
  readonly secondsMax: number
}

/**
 * Checks what can be checked of a voucher's claims without its account.
 * @throws ERR_VOUCHER_PURPOSE | ERR_VOUCHER_HOST | ERR_VOUCHER_EXPIRED | ERR_VOUCHER_TOO_LONG | ERR_SIGNED_TIME |
 *   ERR_VOUCHER_SHAPE
 */
export const checkVoucherClaims = (claims: VoucherClaims, policy: VoucherPolicy): void => {
  const { purpose, host, nowSeconds, secondsMax } = policy
  if ((claims.purpose ?? 'payment') !== purpose) {
    throw new ProtocolError('ERR_VOUCHER_PURPOSE', `this voucher is no ${purpose} voucher`)
  }
  if (claims.host !== host) throw new ProtocolError('ERR_VOUCHER_HOST', 'this voucher was made for another host')
  if (claims.exp <= nowSeconds)
    throw new ProtocolError('ERR_VOUCHER_EXPIRED', 'this voucher has expired: make a new one')
  if (claims.exp - nowSeconds > secondsMax) {
    const text = `a ${purpose} voucher may live ${secondsMax} seconds at most: make one with an earlier exp`
    throw new ProtocolError('ERR_VOUCHER_TOO_LONG', text)
  }
  if (claims.iat !== undefined && claims.iat - nowSeconds > SIGNED_TIME_WINDOW_SECONDS) {
    const text = `this voucher was made ${claims.iat - nowSeconds} s ahead of our clock: set the clock`
    throw new ProtocolError('ERR_SIGNED_TIME', text)
  }
  if (purpose === 'refund' && (claims.to === undefined || claims.jti === undefined || claims.account === undefined)) {
    throw shape('asks for a refund without saying account, to and jti')
  }
}

const shape = (what: string, options?: ErrorOptions) =>
  new ProtocolError('ERR_VOUCHER_SHAPE', `this voucher ${what}`, options)
