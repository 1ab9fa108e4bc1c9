/** Shapes of what the keyring's file holds, in the one spelling that each has there. */
import { z } from 'zod'
import { parseAddress, parseHash, type Address, type Hash, type Hex } from '../../chain/types.ts'
import { parsePrivateKey, type RsaPrivateKey } from '../../protocol/keys.ts'
import { parseVendorUri } from '../../protocol/vendor-uri.ts'

const holds = (check: (text: string) => unknown) => (value: unknown) => {
  try {
    return typeof value === 'string' && Boolean(check(value))
  } catch {
    return false
  }
}
const isPrivateKey = (value: unknown): boolean => {
  try {
    return Boolean(parsePrivateKey(value))
  } catch {
    return false
  }
}

export const address = z.custom<Address>(holds((text) => parseAddress(text) === text))
export const hash = z.custom<Hash>(holds((text) => parseHash(text) === text))
export const hex = z.custom<Hex>(holds((text) => /^0x([0-9a-f]{2})+$/.test(text)))
export const vendorUri = z.string().refine(holds(parseVendorUri))
export const rsaPrivateKey = z.custom<RsaPrivateKey>(isPrivateKey)
/** Unix seconds. */
export const seconds = z.int().min(0)
/** Decimal text in the file. */
export const amount = z.codec(z.string().regex(/^(0|[1-9]\d{0,77})$/), z.bigint(), { decode: BigInt, encode: String })
