/** The name of a vendor that people remember and share: `chrove:eip155:<chainId>:<registry>/<vendorId>` (DESIGN 5). */
import { ProtocolError } from './errors.ts'

export interface VendorUri {
  readonly chainId: bigint
  /** Lower-case `0x` address of the registry. */
  readonly registry: `0x${string}`
  readonly vendorId: bigint
}

const PATTERN = /^chrove:eip155:([1-9]\d{0,77}):(0x[0-9a-f]{40})\/([1-9]\d{0,19})$/i
const VENDOR_ID_MAX = 2n ** 64n - 1n

export const formatVendorUri = ({ chainId, registry, vendorId }: VendorUri): string =>
  `chrove:eip155:${chainId}:${registry.toLowerCase()}/${vendorId}`

/** @throws ERR_VENDOR_URI_INVALID */
export const parseVendorUri = (text: string): VendorUri => {
  const [, chainId, registry, vendorId] = PATTERN.exec(text) ?? []
  if (!chainId || !registry || !vendorId || BigInt(vendorId) > VENDOR_ID_MAX) {
    const form = 'chrove:eip155:<chainId>:<registry address>/<vendor id>'
    throw new ProtocolError('ERR_VENDOR_URI_INVALID', `a vendor is named ${form}`)
  }
  return { chainId: BigInt(chainId), registry: registry.toLowerCase() as `0x${string}`, vendorId: BigInt(vendorId) }
}
