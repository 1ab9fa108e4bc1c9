/** A chain behind a JSON-RPC 2.0 endpoint, spoken to by HTTP POST. Every answer is taken for hostile. */
import { z } from 'zod'
import { type Chain, ChainError, type ChainRefusal } from './chain.ts'
import { type FetchLimits, type Network, NetworkError } from './network.ts'
import { parseRpcEndpoint } from './rpc-endpoint.ts'

export interface ChainRpcSettings {
  /** http or https; may carry a user and password, which go into the Authorization header. */
  readonly url: string
  readonly network: Network
  readonly limits?: Pick<FetchLimits, 'timeoutMs' | 'bodyBytesMax'>
}

/** The logs of a full range are the largest answers; nodes themselves stop at about this size. */
const defaultLimits = { timeoutMs: 30_000, bodyBytesMax: 64 * 1024 * 1024 }

const REFUSAL_MESSAGE_LENGTH_MAX = 256

/** EIP-1474: a defined limit is exceeded. Gateways also put the HTTP status here. */
const limitCodes: ReadonlySet<number> = new Set([-32005, 429])

const revertBytes = z.string().regex(/^0x([0-9a-fA-F]{2})*$/)

/** `data` is revert bytes, as with geth, or an object that has them, as with development chains. */
const refusal = z.object({
  code: z.int(),
  message: z.string().catch(''),
  data: z
    .union([revertBytes, z.object({ data: revertBytes }).transform(({ data }) => data)])
    .optional()
    .catch(undefined),
})

/** JSON-RPC 2.0 §5: a node that could not read the request's id answers null. */
const errorAnswer = z.object({ jsonrpc: z.literal('2.0'), id: z.int().nullable(), error: refusal })
const resultAnswer = z.object({ jsonrpc: z.literal('2.0'), id: z.int(), result: z.unknown() })

/** @throws TypeError when the URL is none, without repeating it: such URLs often hold an access key */
export const createChainRpc = ({ url, network, limits = defaultLimits }: ChainRpcSettings): Chain => {
  const endpoint = parseRpcEndpoint(url, 'ask')
  const headers = { 'content-type': 'application/json', accept: 'application/json', ...endpoint.headers }
  let lastId = 0
  return {
    async request(method, params, signal) {
      const id = ++lastId
      const body = JSON.stringify({ jsonrpc: '2.0', id, method, params })
      const ask = () => {
        const request = new Request(endpoint.url, { method: 'POST', headers, body })
        return network.fetch(request, signal ? { ...limits, signal } : limits)
      }
      // A node may close an idle connection just as a question goes out; none of ours does more when it is asked twice.
      const answer = await ask()
        .catch((fault: unknown) => (isBroken(fault) ? ask() : Promise.reject(fault)))
        .catch((fault: unknown) => Promise.reject(toChainError(fault)))
      if (answer.status === 429) throw new ChainError('ERR_CHAIN_RATE_LIMITED', 'the node is asked too often')
      return resultOf(parse(await answer.text()), id, answer)
    },
  }
}

const resultOf = (content: unknown, id: number, answer: Response): unknown => {
  const refused = errorAnswer.safeParse(content)
  if (refused.success && (refused.data.id === id || refused.data.id === null)) throw toRefusal(refused.data.error)
  const granted = resultAnswer.safeParse(content)
  if (granted.success && granted.data.id === id) return granted.data.result
  if (!answer.ok) throw new ChainError('ERR_CHAIN_UNREACHABLE', `the node answers with HTTP status ${answer.status}`)
  throw new ChainError('ERR_CHAIN_MALFORMED', 'the node does not answer the question in JSON-RPC 2.0')
}

const toRefusal = ({ code, message, data }: z.infer<typeof refusal>): ChainError => {
  if (limitCodes.has(code)) return new ChainError('ERR_CHAIN_RATE_LIMITED', 'the node is asked too much')
  const words: ChainRefusal = { rpcCode: code, rpcMessage: message.slice(0, REFUSAL_MESSAGE_LENGTH_MAX), data }
  return new ChainError('ERR_CHAIN_REFUSED', `the node refuses the request (JSON-RPC error ${code})`, {
    refusal: words,
  })
}

const isBroken = (fault: unknown): boolean => fault instanceof NetworkError && fault.code === 'ERR_NETWORK_UNREACHABLE'

const toChainError = (fault: unknown): unknown => {
  if (!(fault instanceof NetworkError)) return fault
  const options = { cause: fault }
  if (fault.code === 'ERR_NETWORK_TIMEOUT')
    return new ChainError('ERR_CHAIN_TIMEOUT', 'the node takes too long', options)
  if (fault.code === 'ERR_NETWORK_BODY_TOO_LARGE') {
    return new ChainError('ERR_CHAIN_MALFORMED', 'the answer of the node is longer than it may be', options)
  }
  return new ChainError('ERR_CHAIN_UNREACHABLE', 'the node cannot be reached', options)
}

/** Undefined for what is no JSON, which no answer is. */
const parse = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
