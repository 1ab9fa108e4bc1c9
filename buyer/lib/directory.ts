/** Asking a directory over GraphQL. Its answers are for reading: what is paid is read from the chain. */
import { z } from 'zod'
import { parseAddress, type Address } from '../../chain/types.ts'
import { cleanText } from '../../protocol/text.ts'
import { utf8 } from '../../protocol/bytes.ts'
import { parseJson } from '../../protocol/json.ts'
import { parseVendorUri } from '../../protocol/vendor-uri.ts'
import { BuyerError } from '../errors.ts'
import type { BuyerEffects } from './effects.ts'
import type { Found, SearchQuery } from './search.ts'
import { DIRECTORY_BYTES_MAX, DIRECTORY_TIMEOUT_MS } from './limits.ts'

const DOCUMENT = `query Search($search: String, $filter: VendorFilter, $first: Int!) {
  _meta { chainId registry completeness { complete } }
  vendors(search: $search, filter: $filter, first: $first) {
    totalCount
    nodes {
      uri
      profile { title description serviceTypes regions }
      plans(filter: { onSale: true }, first: 50) {
        nodes { planId title { text } token price periodSeconds maxPeriods settlement }
      }
    }
  }
}`

const clean = z
  .string()
  .max(64 * 1024)
  .transform((text) => cleanText(utf8(text)))
const words = z.array(clean).max(64)
const address = z.string().transform((text, context): Address => {
  const parsed = parseAddress(text)
  if (!parsed) context.addIssue({ code: 'custom', message: 'not an address' })
  return parsed ?? z.NEVER
})
const amount = z
  .string()
  .regex(/^\d{1,39}$/)
  .transform((text) => BigInt(text))

const planSchema = z
  .object({
    planId: z.int().min(1),
    title: z.object({ text: clean }),
    token: address.nullable(),
    price: amount,
    periodSeconds: z.int().min(1),
    maxPeriods: z.int().min(1),
    settlement: z.enum(['INSTANT', 'STREAMED']),
  })
  .transform(({ title, token, settlement, ...plan }) => ({
    ...plan,
    title: title.text,
    token: token ?? undefined,
    settlement: settlement === 'INSTANT' ? ('Instant' as const) : ('Streamed' as const),
  }))

const vendorSchema = z
  .object({
    uri: z.string().refine((text) => isVendorUri(text)),
    profile: z.object({ title: clean, description: clean, serviceTypes: words, regions: words }),
    plans: z.object({ nodes: z.array(planSchema).max(100) }),
  })
  .transform(({ uri, profile, plans }): Found => ({ vendor: uri, ...profile, plans: plans.nodes }))

const answerSchema = z.object({
  data: z.object({
    _meta: z.object({
      chainId: amount,
      registry: address,
      completeness: z.object({ complete: z.boolean() }),
    }),
    vendors: z.object({ totalCount: z.int().min(0), nodes: z.array(vendorSchema).max(100) }),
  }),
})

const isVendorUri = (text: string): boolean => {
  try {
    return Boolean(parseVendorUri(text))
  } catch {
    return false
  }
}

export interface DirectoryAnswer {
  readonly found: readonly Found[]
  readonly total: number
  /** Whether the directory can prove that it has seen everything. */
  readonly complete: boolean
}

/** The directory's GraphQL is at `/graphql` below its URL, unless the URL names it already. */
export const graphqlUrl = (directory: string): URL => {
  const url = new URL(directory)
  if (!url.pathname.endsWith('/graphql')) url.pathname = `${url.pathname.replace(/\/+$/, '')}/graphql`
  return url
}

/**
 * Searches a directory.
 * @param registry the answer must be about this one
 * @throws ERR_DIRECTORY when it does not answer as a directory of this registry does
 */
export const searchDirectory = async (
  { network }: Pick<BuyerEffects, 'network'>,
  directory: string,
  { text, serviceType, region, limit }: SearchQuery & { readonly limit: number },
  registry: Address | undefined,
  signal?: AbortSignal,
): Promise<DirectoryAnswer> => {
  const filter = {
    active: true,
    plan: { onSale: true },
    ...(serviceType && { serviceType }),
    ...(region && { region }),
  }
  const variables = { first: limit, filter, ...(text && { search: text }) }
  let body: unknown
  try {
    const request = new Request(graphqlUrl(directory), {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'application/graphql-response+json, application/json' },
      body: JSON.stringify({ query: DOCUMENT, variables }),
    })
    const limits = { timeoutMs: DIRECTORY_TIMEOUT_MS, bodyBytesMax: DIRECTORY_BYTES_MAX, ...(signal ? { signal } : {}) }
    const response = await network.fetch(request, limits)
    body = parseJson(new Uint8Array(await response.arrayBuffer()))
  } catch (cause) {
    if (signal?.aborted || !(cause as { code?: string }).code) throw cause
    throw new BuyerError('ERR_DIRECTORY', 'the directory does not answer', { cause })
  }
  const answer = answerSchema.safeParse(body)
  if (!answer.success) throw new BuyerError('ERR_DIRECTORY', 'the directory gave an answer that is none')
  const { _meta, vendors } = answer.data.data
  if (registry && _meta.registry !== registry) {
    throw new BuyerError('ERR_DIRECTORY', 'the directory is about another registry')
  }
  const prefix = `chrove:eip155:${_meta.chainId}:${_meta.registry}/`
  if (!vendors.nodes.every(({ vendor }) => vendor.startsWith(prefix))) {
    throw new BuyerError('ERR_DIRECTORY', 'the directory named vendors of another registry than its own')
  }
  return { found: vendors.nodes, total: vendors.totalCount, complete: _meta.completeness.complete }
}
