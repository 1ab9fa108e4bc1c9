/** What payers and tills say to each other, as JSON with amounts in decimal digits. */
import { z } from 'zod'
import type { Address, Hex } from '../../chain/types.ts'
import { NetworkError, type Network } from '../../effects/network.ts'

const amount = z
  .string()
  .regex(/^\d{1,40}$/)
  .transform(BigInt)
const hex = z.custom<Hex>((text) => typeof text === 'string' && /^0x([0-9a-f]{2})*$/.test(text))
const bytes32 = hex.refine((text) => text.length === 66)
const address = z.custom<Address>((text) => typeof text === 'string' && /^0x[0-9a-f]{40}$/.test(text))

/** The settings of a payment channel. */
const settings = z.strictObject({
  vendorId: amount,
  payer: address,
  signer: address,
  token: address,
  withdrawDelay: z.int().nonnegative(),
  salt: bytes32,
})

export type Settings = z.output<typeof settings>

export const voucherSchema = z.strictObject({ settings, cumulative: amount, signature: hex })
export type Voucher = z.output<typeof voucherSchema>

/** `by`: whether the vendor sends the refund, or signs for the payer to send it. `share` is in percent. */
export const refundRequestSchema = z.strictObject({
  settings,
  to: address,
  share: z.int().min(1).max(100),
  signature: hex,
  by: z.enum(['call', 'signature']),
})

export type RefundRequest = z.output<typeof refundRequestSchema>

/** A refund that a vendor agreed to by its signature. */
export const approvalSchema = z.strictObject({ amount, deadline: amount, approver: address, approval: hex })

/** What a till keeps on its disk. */
export const bookSchema = z.strictObject({
  /** The best of each channel. */
  vouchers: z.array(voucherSchema),
  /** Refunds that were agreed to: what is left then for vouchers and further refunds; good at this count of refunds. */
  promised: z.array(z.strictObject({ channelId: bytes32, refunds: z.int(), ceiling: amount })),
  /** Channels on which no more is taken. */
  closed: z.array(bytes32),
})
export type Book = z.output<typeof bookSchema>

export const encodeMessage = (message: unknown): string =>
  JSON.stringify(message, (_, value: unknown) => (typeof value === 'bigint' ? `${value}` : value))

const LIMITS = { timeoutMs: 60_000, bodyBytesMax: 10_000 }

/** @returns undefined when no answer came */
export const postToTill = async (
  network: Network,
  vendorId: bigint,
  path: '/voucher' | '/refund',
  message: unknown,
): Promise<Response | undefined> => {
  try {
    const url = `http://${tillOf(vendorId)}${path}`
    return await network.fetch(new Request(url, { method: 'POST', body: encodeMessage(message) }), LIMITS)
  } catch (error) {
    if (error instanceof NetworkError) return undefined
    throw error
  }
}

/** The host where a vendor takes vouchers. */
export const tillOf = (vendorId: bigint): string => `till-${vendorId}`
