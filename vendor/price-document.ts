/** The vendor's price document, from what the registry says of it. */
import { type Address, ZERO_ADDRESS } from '../chain/types.ts'
import { nowSeconds, type Clock } from '../effects/clock.ts'
import { formatAmount, formatPeriod, NATIVE_DECIMALS } from '../protocol/amount.ts'
import { toHex } from '../protocol/bytes.ts'
import type { Jose } from '../protocol/jose.ts'
import type { RsaKeyPair, RsaPublicKey } from '../protocol/keys.ts'
import { PAYMENT_METHODS_MAX } from '../protocol/limits.ts'
import { signPriceContent, type PriceContent, type PriceDocument } from '../protocol/price.ts'
import type { VendorUri } from '../protocol/vendor-uri.ts'
import type { TimeSigner } from './cert-info.ts'
import type { PricedListing } from './listing.ts'

export interface PriceSource {
  readonly vendor: VendorUri
  readonly listing: PricedListing
  readonly brand: { readonly title: string; readonly description: string; readonly logo: string }
  readonly nativeSymbol: string
  readonly signingKey: RsaPublicKey
  readonly encryptionKey: RsaPublicKey
}

/** How a plan's currency is shown; smallest units where a token does not tell its decimals. */
const currencyOf = ({ listing, nativeSymbol }: PriceSource, token: Address) => {
  if (token === ZERO_ADDRESS) return { symbol: nativeSymbol, decimals: NATIVE_DECIMALS }
  const { symbol = token, decimals = 0 } = listing.tokens.get(token) ?? {}
  return { symbol, decimals }
}

/** One method for each plan on sale. @param keyId of the buyer who asks, 32 bytes: becomes the memo */
export const paymentMethods = (source: PriceSource, keyId?: Uint8Array): PriceContent['PaymentChannels'] => {
  const { vendor, listing } = source
  return listing.plans
    .map((plan, index) => ({ ...plan, ...currencyOf(source, plan.token), planId: index + 1 }))
    .filter((plan) => plan.onSale)
    .slice(0, PAYMENT_METHODS_MAX)
    .map((plan) => ({
      Name: plan.title.text,
      Price: {
        symbol: plan.symbol,
        amount: formatAmount(plan.price, plan.decimals),
        unit: formatPeriod(plan.periodSeconds),
      },
      PaymentMethod: 'Contract',
      ChainId: String(vendor.chainId),
      Registry: vendor.registry,
      VendorId: String(vendor.vendorId),
      PlanId: plan.planId,
      Token: plan.token,
      Amount: String(plan.price),
      PeriodSeconds: plan.periodSeconds,
      MemoName: 'keyHash',
      MemoContent: keyId ? toHex(keyId) : 'keyhash_in_hexstring',
    }))
}

/** What is to be signed. @see SEED 000 price.json */
const priceContent = (source: PriceSource, tsSeconds: number, keyId?: Uint8Array): PriceContent => {
  const methods = paymentMethods(source, keyId)
  const jwk = ({ kty, n, e }: RsaPublicKey) => ({ kty, n, e })
  return {
    ContractAddress: source.vendor.registry,
    Price: methods[0]?.Price ?? { symbol: source.nativeSymbol, amount: '0', unit: 'nothing on sale' },
    PaymentChannels: methods,
    PublicKey: jwk(source.signingKey),
    PublicKeyEnc: jwk(source.encryptionKey),
    ts: tsSeconds,
    brandinfo: { Logo: source.brand.logo, title: source.brand.title, description: source.brand.description },
  }
}

export interface PriceDocumentParts {
  readonly clock: Clock
  readonly jose: Jose
  readonly signing: RsaKeyPair
  readonly signTime: TimeSigner
  /** @throws ERR_STARTING */
  readonly source: () => PriceSource
}

/**
 * @returns a function that gives the signed document of now, with a buyer's memo when it is given a keyId. The one
 *   without is made once a second at most, since anyone may ask for it.
 */
export const createPriceDocuments = ({ clock, jose, signing, signTime, source }: PriceDocumentParts) => {
  let latest:
    | { readonly tsSeconds: number; readonly listing: PricedListing; readonly document: Promise<PriceDocument> }
    | undefined

  const make = async (from: PriceSource, tsSeconds: number, keyId?: Uint8Array): Promise<PriceDocument> =>
    signPriceContent(jose, priceContent(from, tsSeconds, keyId), signing.privateKey, await signTime(tsSeconds))

  return (keyId?: Uint8Array): Promise<PriceDocument> => {
    const from = source()
    const tsSeconds = nowSeconds(clock)
    if (keyId) return make(from, tsSeconds, keyId)
    if (latest?.tsSeconds !== tsSeconds || latest.listing !== from.listing) {
      latest = { tsSeconds, listing: from.listing, document: make(from, tsSeconds) }
    }
    return latest.document
  }
}
