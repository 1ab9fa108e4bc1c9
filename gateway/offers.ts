/** The 402: signed offers of a route, one signature for all who ask within a minute. */
import type { Clock } from '../effects/clock.ts'
import { nowSeconds } from '../effects/clock.ts'
import type { FlattenedJws, Jose } from '../protocol/jose.ts'
import type { RsaKeyPair } from '../protocol/keys.ts'
import { signOffers, type Offer, type Offers } from '../protocol/offers.ts'
import { OFFERS_SECONDS } from './limits.ts'
import type { PricedRoute, Way } from './pricing.ts'

/** Signed offers that are kept: of each route, host, and what one account has to sign. */
const KEPT_MAX = 1_024

export interface OfferParts {
  readonly clock: Clock
  readonly jose: Pick<Jose, 'sign'>
  readonly keys: ServiceKeys
  /** `chrove:…`, of a service that is in a registry. */
  readonly vendor: string | undefined
  readonly endpoints: Endpoints
}

/** The service's own keys, which its registry lists. */
export interface ServiceKeys {
  readonly signing: RsaKeyPair
  readonly encryption: RsaKeyPair
}

/** Paths that the gateway answers itself. */
export interface Endpoints {
  readonly refund: string
  readonly voucher: string
  readonly usage: string
}

/** @param minimumCumulative what the voucher of the asking account has to allow at least */
export type SignedOffers = (route: PricedRoute, host: string, minimumCumulative?: bigint) => Promise<FlattenedJws>

export const createOffers = ({ clock, jose, keys, vendor, endpoints }: OfferParts): SignedOffers => {
  const kept = new Map<string, { readonly until: number; readonly signed: Promise<FlattenedJws> }>()

  const sign = (route: PricedRoute, host: string, minimumCumulative: bigint | undefined, ts: number) => {
    const offers: Offers = {
      purpose: 'offers',
      host,
      ...(vendor === undefined ? {} : { vendor }),
      route: route.name,
      per: route.per,
      ...(route.donation ? { donation: true } : {}),
      ts,
      exp: ts + 2 * OFFERS_SECONDS,
      refundEndpoint: endpoints.refund,
      voucherEndpoint: endpoints.voucher,
      usageEndpoint: endpoints.usage,
      encryptionKey: { ...keys.encryption.publicKey },
      signingKey: { ...keys.signing.publicKey },
      offers: route.ways.map((way) => offerOf(way, minimumCumulative)),
    }
    return signOffers(jose, offers, keys.signing.privateKey)
  }

  return (route, host, minimumCumulative) => {
    const now = nowSeconds(clock)
    const key = `${host} ${route.name} ${minimumCumulative ?? ''}`
    const known = kept.get(key)
    if (known && now < known.until) return known.signed
    const signed = sign(route, host, minimumCumulative, now)
    kept.delete(key)
    kept.set(key, { until: now + OFFERS_SECONDS, signed })
    for (const [oldest] of kept) {
      if (kept.size <= KEPT_MAX) break
      kept.delete(oldest)
    }
    return signed
  }
}

const offerOf = ({ rail, price }: Way, minimumCumulative: bigint | undefined): Offer =>
  ({
    scheme: rail.scheme,
    currency: rail.currency.code,
    decimals: rail.currency.decimals,
    price: price.offered,
    serviceAccount: rail.serviceAccount,
    ...rail.offer(),
    ...(rail.scheme === 'channel' && minimumCumulative !== undefined
      ? { minimumCumulative: String(minimumCumulative) }
      : {}),
  }) as Offer
