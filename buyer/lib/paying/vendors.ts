/**
 * Which vendor serves a host. On plain HTTP anybody on the way may answer, with offers that are good but its own: so the
 * vendor is named by who pays, or known from before, or vouched for by TLS, or a person agrees to it.
 */
import { nowSeconds } from '../../../effects/clock.ts'
import { base64url, fromHex } from '../../../protocol/bytes.ts'
import { ProtocolError } from '../../../protocol/errors.ts'
import { parseJson } from '../../../protocol/json.ts'
import { canonicalHost } from '../../../protocol/payment-headers.ts'
import { readOffers, type CheckedOffers } from '../../../protocol/offers.ts'
import { formatVendorUri, type VendorUri } from '../../../protocol/vendor-uri.ts'
import { BuyerError } from '../../errors.ts'
import type { BuyerEffects } from '../effects.ts'
import { readListing, vendorIn, type Market } from '../market.ts'
import type { PayingBook } from './book.ts'

export interface KnownVendor {
  readonly uri: VendorUri
  /** Its URI as text. */
  readonly name: string
  /** Whether nothing but its own word says that it serves this host: somebody has to agree. */
  readonly isDoubtful: boolean
}

/** The `Host` that a URL's requests have, in the one spelling. */
export const hostOf = (url: URL): string => canonicalHost(url.host, url.protocol as 'http:' | 'https:')

/**
 * @param named by who pays
 * @param signed offers, of which nothing is checked yet
 * @throws ERR_OFFERS_UNTRUSTED when the offers are another vendor's; ERR_VENDOR_UNNAMED
 */
export const vendorOf = async (
  market: Market,
  { pins }: PayingBook,
  url: URL,
  named: string | undefined,
  signed: { readonly payload: string },
  signal?: AbortSignal,
): Promise<KnownVendor> => {
  const host = hostOf(url)
  const known = named ?? pins.find((pin) => pin.host === host)?.vendor
  const claimed = claimedVendor(signed)
  if (claimed === undefined) throw new BuyerError('ERR_NO_WAY_TO_PAY', 'this service is in no registry')
  const uri = vendorIn(market, known ?? claimed)
  const name = formatVendorUri(uri)
  if (known !== undefined) {
    if (claimed !== name)
      throw new BuyerError('ERR_OFFERS_UNTRUSTED', `${host} asks to pay another vendor than ${name}`)
    return { uri, name, isDoubtful: false }
  }
  const { vendor } = await readListing(market, uri, signal)
  const serves = vendor.endpoints.some((endpoint) => originOf(endpoint) === url.origin)
  if (!serves) {
    const text = `${host} is no endpoint of the vendor that it asks to pay (${name}): name the vendor if it is right`
    throw new BuyerError('ERR_VENDOR_UNNAMED', text)
  }
  return { uri, name, isDoubtful: url.protocol !== 'https:' }
}

const originOf = ({ text }: { readonly text: string }): string | undefined => {
  try {
    return new URL(text).origin
  } catch {
    return undefined
  }
}

const claimedVendor = ({ payload }: { readonly payload: string }): string | undefined => {
  try {
    const { vendor } = parseJson(base64url.decode(payload)) as { vendor?: unknown }
    return typeof vendor === 'string' ? vendor : undefined
  } catch (cause) {
    throw new ProtocolError('ERR_OFFERS_SHAPE', 'offers are a flattened JWS', { cause })
  }
}

/**
 * Reads offers by the keys that the registry lists now.
 * @throws what `readOffers` and `readListing` throw
 */
export const readVendorOffers = async (
  { jose, clock }: Pick<BuyerEffects, 'jose' | 'clock'>,
  market: Market,
  vendor: KnownVendor,
  url: URL,
  signed: unknown,
  signal?: AbortSignal,
): Promise<CheckedOffers> => {
  const { vendor: listed } = await readListing(market, vendor.uri, signal)
  const offers = await readOffers(jose, signed, {
    host: hostOf(url),
    nowSeconds: nowSeconds(clock),
    signingKey: fromHex(listed.signingKey),
    encryptionKey: fromHex(listed.encryptionKey),
  })
  if (offers.vendor === vendor.name) return offers
  throw new BuyerError('ERR_OFFERS_UNTRUSTED', 'these offers name another vendor than the one they are held against')
}
