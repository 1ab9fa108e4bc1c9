/** The price document of a vendor, held against the registry: the first endpoint with an acceptable one is used. */
import { nowSeconds } from '../../effects/clock.ts'
import { examineEndpoint, type EndpointReport } from '../../protocol/examine-endpoint.ts'
import type { RsaPublicKey } from '../../protocol/keys.ts'
import { PRICE_DOCUMENT_BYTES_MAX } from '../../protocol/limits.ts'
import type { PriceAnchor } from '../../protocol/price.ts'
import { BuyerError } from '../errors.ts'
import type { BuyerEffects } from './effects.ts'
import { VENDOR_TIMEOUT_MS } from './limits.ts'

/** An endpoint that has shown to hold the registered keys. */
export interface ProvenEndpoint {
  readonly endpoint: string
  readonly keys: { readonly signing: RsaPublicKey; readonly encryption: RsaPublicKey }
  /** The vendor's own time, as its document tells it. */
  readonly tsSeconds: number
}

type PriceEffects = Pick<BuyerEffects, 'clock' | 'network' | 'jose'>

/** Asks one endpoint. Never throws, except for the signal's reason. */
export const askEndpoint = (
  { clock, network, jose }: PriceEffects,
  endpoint: string,
  anchor: PriceAnchor,
  signal?: AbortSignal,
): Promise<EndpointReport> => {
  const limits = {
    timeoutMs: VENDOR_TIMEOUT_MS,
    bodyBytesMax: PRICE_DOCUMENT_BYTES_MAX,
    ...(signal ? { signal } : {}),
  }
  const asker = {
    jose,
    nowSeconds: () => nowSeconds(clock),
    ask: (url: URL) => network.fetch(new Request(url), limits),
    anchor: async () => anchor,
  }
  return examineEndpoint(asker, endpoint, signal)
}

/**
 * Asks endpoints in the vendor's order of preference until one is acceptable.
 * @returns a report for each that was asked
 */
export const askEndpoints = async (
  effects: PriceEffects,
  endpoints: readonly string[],
  anchor: PriceAnchor,
  signal?: AbortSignal,
): Promise<EndpointReport[]> => {
  const reports: EndpointReport[] = []
  for (const endpoint of endpoints) {
    const report = await askEndpoint(effects, endpoint, anchor, signal)
    reports.push(report)
    if (report.outcome === 'acceptable') break
  }
  return reports
}

/** @throws ERR_VENDOR_UNTRUSTED | ERR_VENDOR_UNREACHABLE unless the report is of an acceptable document */
export const provenBy = ({ endpoint, outcome, examination, code }: EndpointReport): ProvenEndpoint => {
  const { keys: { signing, encryption } = {}, content } = examination ?? {}
  if (outcome === 'acceptable' && signing && encryption && content) {
    return { endpoint, keys: { signing, encryption }, tsSeconds: content.ts }
  }
  if (outcome === 'unreachable') {
    throw new BuyerError('ERR_VENDOR_UNREACHABLE', `the vendor does not answer (${code}): try again later`)
  }
  const wrong = examination?.findings.filter(({ holds }) => !holds).map(({ says }) => says) ?? []
  const text = wrong.length > 0 ? wrong.join('; ') : 'it is no price document'
  throw new BuyerError('ERR_VENDOR_UNTRUSTED', `the vendor's price document is not to be trusted: ${text}`)
}
