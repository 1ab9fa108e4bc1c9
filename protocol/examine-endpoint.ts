/**
 * Whether an endpoint serves a price document that holds against the chain. One verdict for all who ask: a buyer before
 * it pays, and a directory that tells its readers. How the question travels is the asker's.
 */
import { endpointUrl } from './endpoint.ts'
import { parseJson } from './json.ts'
import type { Jose } from './jose.ts'
import { examinePriceDocument, planIdsNamed, type PriceAnchor, type PriceExamination } from './price.ts'

export interface EndpointReport {
  /** As registered, made safe to show. */
  readonly endpoint: string
  readonly outcome: 'acceptable' | 'untrusted' | 'unreachable' | 'invalid'
  /** Present when there was an answer that is JSON. */
  readonly examination?: PriceExamination
  /** Code of what went wrong, when there was no such answer. */
  readonly code?: string
}

export interface EndpointAsker {
  readonly jose: Jose
  nowSeconds(): number
  /** One GET, its body within `PRICE_DOCUMENT_BYTES_MAX`. What it throws with a code is reported, anything else thrown. */
  ask(url: URL): Promise<Response>
  /**
   * What the chain says of the vendor.
   * @param planIds those the document names; more need not be told
   * @returns undefined when it says nothing: then no document is acceptable
   */
  anchor(planIds: readonly number[]): Promise<PriceAnchor | undefined>
}

/** @param signal its reason is thrown when it aborts */
export const examineEndpoint = async (
  { jose, nowSeconds, ask, anchor }: EndpointAsker,
  endpoint: string,
  signal?: AbortSignal,
): Promise<EndpointReport> => {
  const url = endpointUrl(endpoint, 'price.json')
  if (!url) return { endpoint, outcome: 'invalid', code: 'ERR_ENDPOINT_INVALID' }
  try {
    const response = await ask(url)
    if (response.status !== 200) return { endpoint, outcome: 'unreachable', code: `ERR_HTTP_${response.status}` }
    const document = parseJson(new Uint8Array(await response.arrayBuffer()))
    const held = await anchor(planIdsNamed(document))
    const examination = await examinePriceDocument(jose, document, nowSeconds(), held)
    return { endpoint, outcome: examination.acceptable ? 'acceptable' : 'untrusted', examination }
  } catch (error) {
    if (signal?.aborted) throw signal.reason
    const { code } = error as { code?: string }
    if (code === undefined) throw error
    return { endpoint, outcome: code === 'ERR_JSON_INVALID' ? 'untrusted' : 'unreachable', code }
  }
}
