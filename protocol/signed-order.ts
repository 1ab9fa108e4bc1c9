/**
 * What somebody signed so that another sends it: a purchase in a token, or a cancellation, as one JSON file. Nothing in
 * it can be changed without its signature failing, and the chain takes it once; it holds nothing secret but the payer's
 * will. Format: docs/clients.md.
 */
import { z } from 'zod'
import { utf8 } from './bytes.ts'
import { ProtocolError } from './errors.ts'
import { parseJson } from './json.ts'
import { SIGNED_ORDER_BYTES_MAX } from './limits.ts'
import { digestOf, paymentsDomain, type Message } from './typed-data.ts'

type Hex = `0x${string}`

/** Lower-case hex of so many bytes. */
const hex = (bytes: number) => z.custom<Hex>((text) => typeof text === 'string' && isHex(text, bytes))
const isHex = (text: string, bytes: number): boolean => text.length === 2 + 2 * bytes && /^0x[0-9a-f]*$/.test(text)

/** Decimal text of a number that fits so many bits. */
const uint = (bits: number) =>
  z.codec(z.string().regex(/^(0|[1-9]\d{0,77})$/), z.bigint().max(2n ** BigInt(bits) - 1n), {
    decode: BigInt,
    encode: String,
  })

const address = hex(20)
/** Plain keys sign 65 bytes; ours are plain. */
const signature = hex(65)

/** The same in every file. `registry` vouches for `payments`, which is told so that no chain is needed to see it. */
const common = {
  format: z.literal('chrove-signed-order-1'),
  chainId: uint(256),
  registry: address,
  payments: address,
}

export const signedPurchaseSchema = z.strictObject({
  ...common,
  kind: z.literal('purchase'),
  /** What the payer signed for the token: an EIP-3009 authorisation, or an EIP-2612 permit beside the purchase. */
  payBy: z.enum(['authorization', 'permit']),
  purchase: z.strictObject({
    vendorId: uint(64),
    planId: z.int().min(1).max(0xffffffff),
    keyHash: hex(32),
    periods: z.int().min(1).max(0xffff),
    controller: address,
    payer: address,
    amount: uint(128),
    salt: hex(32),
    deadline: uint(256),
  }),
  /** Of the authorisation, whose nonce is the purchase's digest; with a permit, of the purchase. */
  signature,
  /** Only beside a purchase, and only where the payer's allowance was not enough already. */
  permit: signature.optional(),
})

const signedCancellationSchema = z.strictObject({
  ...common,
  kind: z.literal('cancellation'),
  cancellation: z.strictObject({
    orderId: hex(32),
    /** Start of the run that ends by it, unix seconds. */
    startedAt: z
      .int()
      .min(1)
      .max(2 ** 40 - 1),
    refundTo: address,
    deadline: uint(256),
  }),
  /** By the order's controller. */
  signature,
})

const signedOrderSchema = z.discriminatedUnion('kind', [signedPurchaseSchema, signedCancellationSchema])

export type SignedPurchase = z.infer<typeof signedPurchaseSchema>
export type SignedCancellation = z.infer<typeof signedCancellationSchema>
export type SignedOrder = z.infer<typeof signedOrderSchema>

/** @returns the file's content, UTF-8 JSON */
export const formatSignedOrder = (order: SignedOrder): Uint8Array<ArrayBuffer> =>
  utf8(`${JSON.stringify(z.encode(signedOrderSchema, order), undefined, 2)}\n`)

/** @throws ERR_SIGNED_ORDER_SHAPE */
export const parseSignedOrder = (content: Uint8Array): SignedOrder => {
  let wrong = 'longer than any'
  if (content.length <= SIGNED_ORDER_BYTES_MAX) {
    const parsed = signedOrderSchema.safeParse(jsonIn(content))
    if (parsed.success) return parsed.data
    wrong = `see "${parsed.error.issues[0]?.path.join('.') ?? ''}"`
  }
  throw new ProtocolError('ERR_SIGNED_ORDER_SHAPE', `this is no signed purchase or cancellation: ${wrong}`)
}

const jsonIn = (content: Uint8Array): unknown => {
  try {
    return parseJson(content)
  } catch {
    return undefined
  }
}

/** The digest that the chain takes once: of the purchase, or of the cancellation. */
export const signedOrderDigest = (order: SignedOrder): Hex => {
  const domain = paymentsDomain(order.chainId, order.payments)
  return order.kind === 'purchase'
    ? digestOf(domain, 'Purchase', order.purchase)
    : digestOf(domain, 'Cancellation', order.cancellation)
}

/** The authorisation that a token is asked for with a purchase. @see IOrders.buyWithAuthorization */
export const authorizationOf = (
  payments: Hex,
  { payer, amount, deadline }: SignedPurchase['purchase'],
  digest: Hex,
): Message<'ReceiveWithAuthorization'> => ({
  from: payer,
  to: payments,
  value: amount,
  validAfter: 0n,
  validBefore: deadline,
  nonce: digest,
})
