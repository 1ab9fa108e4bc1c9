/**
 * Asking a directory over GraphQL, one bounded exchange a question. Its answers are for reading: what is paid, and to
 * whom, is read from the contract.
 */
import type { Address, Hex } from '../../chain/types.ts'
import type { Network } from '../../effects/network.ts'
import type { DirectoryMeta, DirectoryOrder, DirectoryVendor } from '../../protocol/directory/answers.ts'
import {
  type AnswerTo,
  type DocumentName,
  questionBody,
  readAnswer,
  type Variables,
} from '../../protocol/directory/questions.ts'
import { parseJson } from '../../protocol/json.ts'
import { BuyerError } from '../errors.ts'
import { DIRECTORY_BYTES_MAX, DIRECTORY_TIMEOUT_MS } from './limits.ts'
import { wishOf, type SearchQuery, type Wish } from './wish.ts'

/** What a directory has to be about; what is left out may be anything. */
export interface About {
  readonly chainId?: bigint
  readonly registry?: Address
  readonly payments?: Address
}

export interface VendorsPage {
  readonly meta: DirectoryMeta
  readonly vendors: readonly DirectoryVendor[]
  /** How many there are on all pages. */
  readonly total: number
  /** For `after`, if there is more. */
  readonly next: string | undefined
}

/**
 * All methods throw, beside the signal's reason, ERR_DIRECTORY_UNREACHABLE | ERR_DIRECTORY_ANSWER |
 * ERR_DIRECTORY_NOT_READY | ERR_DIRECTORY_REFUSED | ERR_DIRECTORY_OTHER_REGISTRY.
 */
export interface Directory {
  /**
   * Vendors that take orders and have a plan on sale that fits, with those plans.
   * @throws ERR_SEARCH_INVALID
   */
  vendors(query: SearchQuery, signal?: AbortSignal): Promise<VendorsPage>
  vendor(
    vendorId: bigint,
    signal?: AbortSignal,
  ): Promise<{ readonly meta: DirectoryMeta; readonly vendor: DirectoryVendor | undefined }>
  /** The order of a key for a plan; undefined if the directory knows of none. */
  order(
    key: { readonly vendorId: bigint; readonly planId: number; readonly keyHash: Hex },
    signal?: AbortSignal,
  ): Promise<{ readonly meta: DirectoryMeta; readonly order: DirectoryOrder | undefined }>
  meta(signal?: AbortSignal): Promise<DirectoryMeta>
}

/** The directory's GraphQL is at `/graphql` below its URL, unless the URL names it already. */
export const graphqlUrl = (directory: string): URL => {
  const url = new URL(directory)
  if (!url.pathname.endsWith('/graphql')) url.pathname = `${url.pathname.replace(/\/+$/, '')}/graphql`
  return url
}

/** @throws ERR_DIRECTORY_OTHER_REGISTRY */
export const refuseOther = (meta: DirectoryMeta, about: About): void => {
  if (about.chainId !== undefined && meta.chainId !== about.chainId) {
    throw new BuyerError('ERR_DIRECTORY_OTHER_REGISTRY', `the directory is about another chain, ${meta.chainId}`)
  }
  const isOther =
    (about.registry && meta.registry !== about.registry) || (about.payments && meta.payments !== about.payments)
  if (isOther) throw new BuyerError('ERR_DIRECTORY_OTHER_REGISTRY', 'the directory is about another registry')
}

const nonsense = (): BuyerError =>
  new BuyerError('ERR_DIRECTORY_ANSWER', 'what the directory answers is not what was asked')

/** @param url of a directory, or of its GraphQL */
export const createDirectory = ({ network }: { readonly network: Network }, url: string, about: About): Directory => {
  const endpoint = graphqlUrl(url)

  const exchange = async (body: string, signal?: AbortSignal): Promise<unknown> => {
    const headers = {
      'content-type': 'application/json',
      accept: 'application/graphql-response+json, application/json',
    }
    const limits = { timeoutMs: DIRECTORY_TIMEOUT_MS, bodyBytesMax: DIRECTORY_BYTES_MAX, ...(signal ? { signal } : {}) }
    try {
      const response = await network.fetch(new Request(endpoint, { method: 'POST', headers, body }), limits)
      return parseJson(new Uint8Array(await response.arrayBuffer()))
    } catch (cause) {
      const { code } = cause as { readonly code?: string }
      if (signal?.aborted || code === undefined) throw cause
      if (code === 'ERR_JSON_INVALID' || code === 'ERR_NETWORK_BODY_TOO_LARGE') throw nonsense()
      throw new BuyerError('ERR_DIRECTORY_UNREACHABLE', `the directory does not answer (${code})`, { cause })
    }
  }

  const ask = async <Name extends DocumentName>(
    name: Name,
    variables: Variables[Name],
    signal?: AbortSignal,
  ): Promise<AnswerTo<Name>> => {
    const read = readAnswer(name, await exchange(questionBody(name, variables), signal))
    if (read.kind === 'nonsense') throw nonsense()
    if (read.kind === 'refused') {
      const code = read.retryable ? 'ERR_DIRECTORY_NOT_READY' : 'ERR_DIRECTORY_REFUSED'
      throw new BuyerError(code, `the directory refuses to answer (${read.code})`)
    }
    refuseOther(read.answer._meta, about)
    return read.answer
  }

  return {
    async vendors(query, signal) {
      const wish = wishOf(query)
      const { _meta: meta, vendors } = await ask('vendors', variablesOf(wish), signal)
      const { nodes, totalCount, pageInfo } = vendors
      refuseStrangers(meta, nodes)
      const next = pageInfo.hasNextPage ? pageInfo.endCursor : undefined
      const leadsNowhere = pageInfo.hasNextPage && (nodes.length === 0 || next === undefined || next === wish.after)
      if (leadsNowhere || nodes.length > wish.limit) throw nonsense()
      return { meta, vendors: nodes, total: totalCount, next }
    },

    async vendor(vendorId, signal) {
      const { _meta: meta, vendor } = await ask('vendor', { id: String(vendorId) }, signal)
      refuseStrangers(meta, vendor ? [vendor] : [])
      if (vendor && !vendor.vendor.endsWith(`/${vendorId}`)) throw nonsense()
      return { meta, vendor }
    },

    async order({ vendorId, planId, keyHash }, signal) {
      const { _meta: meta, order } = await ask('order', { vendorId: String(vendorId), planId, keyHash }, signal)
      const isOther = order && (order.vendorId !== vendorId || order.planId !== planId || order.keyHash !== keyHash)
      if (isOther) throw nonsense()
      return { meta, order }
    },

    meta: async (signal) => (await ask('meta', {}, signal))._meta,
  }
}

/** A directory of one registry could name vendors of another, for people to buy from. */
const refuseStrangers = (meta: DirectoryMeta, vendors: readonly DirectoryVendor[]): void => {
  const prefix = `chrove:eip155:${meta.chainId}:${meta.registry}/`
  const names = new Set(vendors.map(({ vendor }) => vendor))
  if (names.size === vendors.length && vendors.every(({ vendor }) => vendor.startsWith(prefix))) return
  throw new BuyerError('ERR_DIRECTORY_ANSWER', 'the directory names vendors that are not of its registry')
}

const orderings = {
  price: { field: 'PRICE', direction: 'ASC' },
  age: { field: 'CREATED', direction: 'ASC' },
  uptime: { field: 'UPTIME', direction: 'DESC' },
} as const

const orderOf = ({ order, comparedIn }: Wish): Variables['vendors']['orderBy'] => {
  if (order === undefined) return undefined
  return order === 'volume' ? { field: 'VOLUME', direction: 'DESC', token: comparedIn } : orderings[order]
}

const variablesOf = (wish: Wish): Variables['vendors'] => {
  const { text, phrases, serviceType, region, token, maxPricePerDay, reachable, verified, after } = wish
  const plan = {
    onSale: true,
    ...(token && { token }),
    ...(maxPricePerDay !== undefined && { maxPricePerDay: String(maxPricePerDay) }),
  }
  const orderBy = orderOf(wish)
  return {
    filter: {
      active: true,
      plan,
      ...(serviceType !== undefined && { serviceType }),
      ...(region !== undefined && { region }),
      ...(reachable && { reachable }),
      ...(verified && { verified }),
    },
    ...(text !== undefined && phrases.length > 0 && { search: text }),
    ...(orderBy && { orderBy }),
    plan,
    ...(wish.order === 'price' && { planOrder: orderings.price }),
    tokens: [wish.comparedIn],
    first: wish.limit,
    ...(after !== undefined && { after }),
  }
}
