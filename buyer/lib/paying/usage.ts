/** What a vendor says of an account: asked for with a voucher of it, and signed. */
import { z } from 'zod'
import { parseJson } from '../../../protocol/json.ts'
import type { Asked } from './asked.ts'
import { send } from './asked.ts'
import { depositedOf, type Payer } from './book.ts'
import type { PayingKit } from './kit.ts'
import { receiptOf, type KeptReceipt } from './receipt.ts'
import { readRefusal } from './refusal.ts'
import { paymentHeadersOf, type LiveVoucher } from './voucher-maker.ts'
import type { Way } from './ways.ts'

const usageSchema = z.looseObject({
  deposited: z
    .string()
    .regex(/^(0|[1-9]\d{0,38})$/)
    .transform(BigInt),
})

const USAGE_BYTES_MAX = 16 * 1024

export interface Statement extends KeptReceipt {
  /** What the vendor has seen come in, smallest unit. */
  readonly deposited: bigint
}

/**
 * Asks a vendor how an account stands. Free.
 * @param isSigned by the vendor's key, to be shown to others, instead of under the voucher's
 * @returns undefined when it does not say so with a signature
 */
export const askStatement = async (
  kit: PayingKit,
  { url: { origin }, host, signal }: Pick<Asked, 'url' | 'host' | 'signal'>,
  { offers }: Pick<Way, 'offers'>,
  voucher: LiveVoucher,
  isSigned = false,
): Promise<Statement | undefined> => {
  const url = new URL(offers.usageEndpoint, origin)
  const target = url.pathname + url.search
  const asked: Asked = {
    ...{ url, host, method: 'GET', target, body: undefined, bodyDigest: undefined, idempotencyKey: '', signal },
    headers: new Headers(isSigned ? { prefer: 'payment-receipt=RS256' } : {}),
  }
  const headers = paymentHeadersOf(voucher, { ...asked, amount: '' })
  const { counter } = voucher
  const read = await readRefusal(await send(kit, asked, headers))
  if ('refusal' in read) return undefined
  const { answer } = read
  const kept = await receiptOf(kit, answer, voucher, counter, offers)
  const text = await answer.text()
  if (!kept || text.length > USAGE_BYTES_MAX) return undefined
  const parsed = usageSchema.safeParse(jsonOf(text))
  return parsed.success ? { ...kept, deposited: parsed.data.deposited } : undefined
}

const jsonOf = (text: string): unknown => {
  try {
    return parseJson(text)
  } catch {
    return undefined
  }
}

/**
 * What was charged to an account, smallest unit.
 * @returns undefined when the vendor does not say so with a signature, or has not seen all deposits yet
 */
export const askUsage = async (
  kit: PayingKit,
  asked: Pick<Asked, 'url' | 'host' | 'signal'>,
  way: Pick<Way, 'offers' | 'tab'>,
  voucher: LiveVoucher,
): Promise<bigint | undefined> => {
  const statement = await askStatement(kit, asked, way, voucher)
  return statement && statement.deposited >= creditOf(way.tab.payer) ? statement.receipt.usage : undefined
}

/** What a channel holds the chain says; of others all that was put in has to be seen. */
const creditOf = (payer: Payer): bigint => (payer.scheme === 'channel' ? 0n : depositedOf(payer))
