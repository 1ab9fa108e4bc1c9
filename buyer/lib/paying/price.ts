/** Prices of offers, exactly. */
import type { CostPer } from '../../../protocol/payment-headers.ts'

/** Parts of a smallest unit that a price for a bit is counted in, decimals. */
const BIT_DECIMALS = 18
const BIT_SCALE = 10n ** BigInt(BIT_DECIMALS)

export interface Price {
  readonly per: CostPer
  /** Smallest unit; of a price per bit so many 10^-18 of it. */
  readonly units: bigint
}

/** @param text of an offer @returns undefined for a price with decimals that is not one per bit */
export const parsePrice = (text: string, per: CostPer): Price | undefined => {
  const [whole = '', fraction = ''] = text.split('.')
  if (per !== 'bit') return fraction === '' ? { per, units: BigInt(whole) } : undefined
  return { per, units: BigInt(whole + fraction.padEnd(BIT_DECIMALS, '0')) }
}

/** What so many bytes of body cost all together, smallest unit, rounded up. */
export const costOfBytes = ({ units }: Price, bytes: number): bigint =>
  (BigInt(bytes) * 8n * units + BIT_SCALE - 1n) / BIT_SCALE
