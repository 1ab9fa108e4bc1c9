/** Receipts of answers: what somebody on the way could change counts as none. */
import { ProtocolError } from '../../../protocol/errors.ts'
import { readReceipt, readSignedReceipt, type Receipt } from '../../../protocol/payment-receipt.ts'
import type { CheckedOffers } from '../../../protocol/offers.ts'
import { parsePublicKey } from '../../../protocol/keys.ts'
import type { PayingKit } from './kit.ts'
import type { LiveVoucher } from './voucher-maker.ts'

export interface KeptReceipt {
  readonly text: string
  readonly receipt: Receipt
}

/** The receipt of this very request, its signature checked; undefined where there is none. */
export const receiptOf = async (
  { effects: { jose } }: Pick<PayingKit, 'effects'>,
  answer: Response,
  { key, jti, host, account, currency }: LiveVoucher,
  counter: number,
  { signingKey }: CheckedOffers,
): Promise<KeptReceipt | undefined> => {
  const text = answer.headers.get('payment-receipt')
  if (text === null) return undefined
  try {
    const isSigned = wantsVendor(text)
    const receipt = isSigned ? await readSignedReceipt(jose, text, parsePublicKey(signingKey)) : readReceipt(text, key)
    const isOfThis =
      receipt.jti === jti &&
      receipt.n === counter &&
      receipt.host === host &&
      receipt.account === account &&
      receipt.currency === currency
    return isOfThis ? { text, receipt } : undefined
  } catch (error) {
    if (error instanceof ProtocolError) return undefined
    throw error
  }
}

/** An RS256 signature has 256 bytes or more, an HS256 one 32. */
const wantsVendor = (text: string): boolean => text.length - text.lastIndexOf('.') > 64
