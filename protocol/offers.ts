/**
 * What a 402 offers: the ways to pay for a route, signed by the vendor's listed key, so that on plain HTTP nobody on the
 * way changes a price, an account or the key that vouchers are encrypted to.
 * @see SEED 004 "402 Response Payload"; DESIGN 8
 */
import { z } from 'zod'
import { base64url, equalBytes } from './bytes.ts'
import { ProtocolError } from './errors.ts'
import { flattenedJwsSchema, type FlattenedJws, type Jose } from './jose.ts'
import { canonicalJson, parseJson } from './json.ts'
import { parsePublicKey, thumbprintOf, type RsaPrivateKey, type RsaPublicKey } from './keys.ts'
import { OFFERS_MAX, SIGNED_TIME_WINDOW_SECONDS } from './limits.ts'
import { costPerSchema } from './payment-headers.ts'

const whole = z.string().regex(/^(0|[1-9]\d{0,38})$/)
const hex = (bytes: number) => z.string().regex(new RegExp(`^0x[0-9a-f]{${2 * bytes}}$`))
const path = z.string().max(1024).startsWith('/')

const common = {
  currency: z.string().min(1).max(16),
  decimals: z.int().min(0).max(77),
  /** Smallest units; of a price for a bit also parts of one. Of a donation the least that gives access. */
  price: z.string().regex(/^(0|[1-9]\d{0,38})(\.\d{1,18})?$/),
  /** Where payers pay to. */
  serviceAccount: z.string().min(1).max(256),
}

const channelOfferSchema = z.object({
  scheme: z.literal('channel'),
  ...common,
  chainId: whole,
  payments: hex(20),
  vendorId: whole,
  token: hex(20),
  withdrawDelayMinSeconds: z.int().min(0),
  /** The least that a voucher of the asking account has to sign, smallest unit. */
  minimumCumulative: whole.optional(),
})

const orderOfferSchema = z.object({
  scheme: z.literal('order'),
  ...common,
  chainId: whole,
  registry: hex(20),
  vendorId: whole,
  planIds: z.array(z.int().min(1).max(0xffffffff)).min(1).max(64),
})

const nanoOfferSchema = z.object({ scheme: z.literal('nano'), ...common })

/** Its own headers say the rest. */
const x402OfferSchema = z.looseObject({ scheme: z.literal('x402'), ...common })

const offerSchema = z.discriminatedUnion('scheme', [
  channelOfferSchema,
  orderOfferSchema,
  nanoOfferSchema,
  x402OfferSchema,
])

const jwkSchema = z.looseObject({ kty: z.string(), n: z.string(), e: z.string() })

const offersSchema = z.object({
  purpose: z.literal('offers'),
  host: z.string().min(1).max(262),
  /** `chrove:…`; absent where the service is in no registry. */
  vendor: z.string().max(256).optional(),
  /** Method and path, whose parts that vary are named `:name` or `*`. */
  route: z.string().max(1024),
  per: costPerSchema,
  /** The payer says in `Payment-Amount` how much it gives. */
  donation: z.boolean().optional(),
  /** Unix seconds. */
  ts: z.int().min(0),
  exp: z.int().min(0),
  refundEndpoint: path,
  /** Takes a further voucher while a stream of the account goes on. */
  voucherEndpoint: path,
  /** Tells an account its own balance and usage. */
  usageEndpoint: path,
  encryptionKey: jwkSchema,
  signingKey: jwkSchema,
  offers: z.array(offerSchema).min(1).max(OFFERS_MAX),
})

export type Offer = z.infer<typeof offerSchema>
export type Offers = z.infer<typeof offersSchema>

/** Signs offers with the vendor's listed key. */
export const signOffers = (jose: Pick<Jose, 'sign'>, offers: Offers, key: RsaPrivateKey): Promise<FlattenedJws> =>
  jose.sign(canonicalJson(offers), key)

/** What a client knows before it reads offers. */
export interface OffersAnchor {
  /** What it asked, as `canonicalHost` writes it. */
  readonly host: string
  readonly nowSeconds: number
  /** RFC 7638 thumbprints of the vendor's keys, 32 bytes each, from the registry or from settings. */
  readonly signingKey: Uint8Array
  readonly encryptionKey: Uint8Array
}

export interface CheckedOffers extends Offers {
  /** Vouchers are encrypted to it. */
  readonly encryptTo: RsaPublicKey
}

/**
 * Reads the member `offers` of a 402.
 * @throws ERR_OFFERS_SHAPE | ERR_OFFERS_KEY | ERR_OFFERS_HOST | ERR_SIGNED_TIME | ERR_JWS_INVALID | ERR_KEY_INVALID
 */
export const readOffers = async (
  jose: Pick<Jose, 'verify'>,
  signed: unknown,
  anchor: OffersAnchor,
): Promise<CheckedOffers> => {
  const jws = flattenedJwsSchema.safeParse(signed)
  if (!jws.success) throw new ProtocolError('ERR_OFFERS_SHAPE', 'offers are a flattened JWS')
  const claimed = shaped(unverifiedPayload(jws.data))
  const signingKey = parsePublicKey(claimed.signingKey)
  const encryptTo = parsePublicKey(claimed.encryptionKey)
  const listed =
    equalBytes(thumbprintOf(signingKey), anchor.signingKey) && equalBytes(thumbprintOf(encryptTo), anchor.encryptionKey)
  if (!listed) throw new ProtocolError('ERR_OFFERS_KEY', 'the keys of these offers are not those of the vendor')
  await jose.verify(jws.data, signingKey)
  if (claimed.host !== anchor.host) throw new ProtocolError('ERR_OFFERS_HOST', 'these offers are of another host')
  const early = Math.abs(anchor.nowSeconds - claimed.ts) > SIGNED_TIME_WINDOW_SECONDS
  if (early || claimed.exp <= anchor.nowSeconds) {
    throw new ProtocolError('ERR_SIGNED_TIME', 'these offers are not of now')
  }
  return { ...claimed, encryptTo }
}

/** The key is within what it signs: it is read first, held against the anchor, and then the signature is checked. */
const unverifiedPayload = ({ payload }: FlattenedJws): unknown => parseJson(base64url.decode(payload))

const shaped = (value: unknown): Offers => {
  const parsed = offersSchema.safeParse(value)
  if (parsed.success) return parsed.data
  const wrong = parsed.error.issues[0]?.path.join('.') ?? ''
  throw new ProtocolError('ERR_OFFERS_SHAPE', `these offers are not understood: see "${wrong}"`)
}

/** The body of a 402: a problem document (RFC 9457) with the keys of SEED 004 and the offers. */
export const paymentRequiredSchema = z.looseObject({
  code: z.string().max(64),
  detail: z.string().max(4096),
  serviceAccount: z.string().max(256),
  hostname: z.string().max(262),
  offers: flattenedJwsSchema,
  minimumCumulative: whole.optional(),
})
