/** What a client of x402 sends: a payer's authorisation of one transfer, which anybody may carry out. @see EIP-3009 */
import { sha256 } from '@noble/hashes/sha2.js'
import { Interface } from 'ethers'
import { base64 } from '@scure/base'
import { z } from 'zod'
import { partsOf } from '../../../../protocol/typed-data.ts'
import type { Call } from '../../../../chain/rpc.ts'
import { type Address, type Hex, parseAddress, parseHash } from '../../../../chain/types.ts'
import { base64url, utf8 } from '../../../../protocol/bytes.ts'
import { parseJson } from '../../../../protocol/json.ts'
import { GatewayError } from '../../../errors.ts'
import { X402_HEADER_CHARACTERS_MAX } from '../limits.ts'

const address = z.string().transform((text, context): Address => parseAddress(text) ?? invalid(context))
const hash = z.string().transform((text, context): Hex => parseHash(text) ?? invalid(context))
const uint = z.string().refine((text) => /^\d{1,78}$/.test(text) && BigInt(text) < 2n ** 256n)

const invalid = (context: z.RefinementCtx): never => {
  context.addIssue({ code: 'custom', message: 'wrong form' })
  return z.NEVER
}

/** Members that are not known are not kept. @see x402 v2, "PaymentPayload" and the scheme `exact` on EVM */
const schema = z.object({
  x402Version: z.literal(2),
  accepted: z.object({
    scheme: z.literal('exact'),
    network: z.string().max(64),
    asset: address,
    amount: uint,
    payTo: address,
    maxTimeoutSeconds: z.number(),
  }),
  payload: z.object({
    /** By a plain key: that of a contract can be taken back while we pay for finding it out. */
    signature: z
      .string()
      .regex(/^0x[0-9a-f]{130}$/i)
      .transform((text) => text.toLowerCase() as Hex),
    authorization: z.object({
      from: address,
      to: address,
      value: uint,
      validAfter: uint,
      validBefore: uint,
      nonce: hash,
    }),
  }),
})

export type X402Payment = z.infer<typeof schema>

/**
 * Reads the value of `PAYMENT-SIGNATURE`.
 * @throws ERR_PAYMENT_INVALID
 */
export const parsePayment = (header: string): X402Payment => {
  if (header.length > X402_HEADER_CHARACTERS_MAX) throw notUnderstood()
  let value: unknown
  try {
    value = parseJson(base64.decode(header))
  } catch (cause) {
    throw notUnderstood({ cause })
  }
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  throw notUnderstood({ cause: parsed.error })
}

/** One for each authorisation, whatever else is sent with it: a token takes each of a payer's nonces once. */
export const paymentIdOf = ({ accepted, payload }: X402Payment): string => {
  const { from, nonce } = payload.authorization
  return base64url.encode(sha256(utf8(`${accepted.network} ${accepted.asset} ${from} ${nonce}`)))
}

const eip3009 = new Interface([
  'function transferWithAuthorization(address,address,uint256,uint256,uint256,bytes32,uint8,bytes32,bytes32)',
])

/** The transfer that the payer authorised. */
export const transferCall = ({ accepted, payload }: X402Payment): Call => {
  const { from, to, value, validAfter, validBefore, nonce } = payload.authorization
  const { v, r, s } = partsOf(payload.signature)
  const values = [from, to, value, validAfter, validBefore, nonce, v, r, s]
  return { to: accepted.asset, data: eip3009.encodeFunctionData('transferWithAuthorization', values) as Hex }
}

const notUnderstood = (options?: ErrorOptions) =>
  new GatewayError('ERR_PAYMENT_INVALID', 'PAYMENT-SIGNATURE is no payment of x402 version 2, scheme exact', {
    more: { reason: 'invalid_payload' },
    ...options,
  })
