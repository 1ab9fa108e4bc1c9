/** What a vendor says of an account: asked for with a voucher of it, and signed. */
import { z } from 'zod'
import { parseJson } from '../../../protocol/json.ts'
import type { Asked } from './asked.ts'
import { send } from './asked.ts'
import { depositedOf } from './book.ts'
import type { PayingKit } from './kit.ts'
import { receiptOf } from './receipt.ts'
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

/**
 * What was charged to an account, smallest unit.
 * @returns undefined when the vendor does not say so under the voucher's key, or has not seen all deposits yet
 */
export const askUsage = async (
  kit: PayingKit,
  { url: { origin }, host, signal }: Pick<Asked, 'url' | 'host' | 'signal'>,
  way: Pick<Way, 'offers' | 'tab'>,
  voucher: LiveVoucher,
): Promise<bigint | undefined> => {
  const url = new URL(way.offers.usageEndpoint, origin)
  const target = url.pathname + url.search
  const asked: Asked = {
    ...{ url, host, method: 'GET', target, headers: new Headers(), body: undefined, bodyDigest: undefined },
    ...{ idempotencyKey: '', signal },
  }
  const headers = paymentHeadersOf(voucher, { ...asked, amount: '' })
  const { counter } = voucher
  const read = await readRefusal(await send(kit, asked, headers))
  if ('refusal' in read) return undefined
  const { answer } = read
  const kept = await receiptOf(kit, answer, voucher, counter, way.offers)
  const text = await answer.text()
  if (!kept || text.length > USAGE_BYTES_MAX) return undefined
  const parsed = usageSchema.safeParse(parseJson(text))
  if (!parsed.success || parsed.data.deposited < depositedOf(way.tab.payer)) return undefined
  return kept.receipt.usage
}
