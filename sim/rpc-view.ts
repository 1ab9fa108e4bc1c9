/**
 * The chain as a node tells it: EDR has no notion of finality and calls its newest block final, so tags become block
 * numbers here; and a node may lag, knowing only blocks up to some number.
 */

export interface View {
  /** Newest block that the node knows. */
  readonly head: number
  readonly finalized: number
}

type Json = unknown

const quantity = (value: number): string => `0x${value.toString(16)}`

const isRecord = (value: Json): value is Record<string, Json> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const beyond = (value: Json, head: number): boolean => typeof value === 'string' && Number(value) > head

/** Methods whose last parameter is a block and means the newest one when left out; with its place. */
const blockPlaces: Readonly<Record<string, number>> = {
  eth_call: 1,
  eth_getBalance: 1,
  eth_getCode: 1,
  eth_getTransactionCount: 1,
  eth_getStorageAt: 2,
}

/** Parameters with tags replaced by the numbers they stand for. `pending` is left to the node. */
export const viewParams = (method: string, params: readonly Json[], { head, finalized }: View): readonly Json[] => {
  const tags: Readonly<Record<string, string>> = {
    latest: quantity(head),
    safe: quantity(finalized),
    finalized: quantity(finalized),
    earliest: '0x0',
  }
  const plain = (value: Json): Json => (typeof value === 'string' ? (tags[value] ?? value) : value)
  const place = blockPlaces[method]
  const whole = place === params.length ? [...params, 'latest'] : params
  if (method !== 'eth_getLogs') return whole.map(plain)
  return whole.map((filter) => {
    if (!isRecord(filter) || filter.blockHash !== undefined) return filter
    const { fromBlock = 'latest', toBlock = 'latest', ...rest } = filter
    return { ...rest, fromBlock: plain(fromBlock), toBlock: plain(toBlock) }
  })
}

/** The answer with what a node that knows nothing after `head` would not say taken out. */
export const viewResult = (method: string, result: Json, { head }: View): Json => {
  if (method === 'eth_blockNumber') return quantity(head)
  if (Array.isArray(result)) return result.filter((item) => !isRecord(item) || !beyond(item.blockNumber, head))
  if (!isRecord(result)) return result
  const isBlock = method.startsWith('eth_getBlockBy')
  return beyond(isBlock ? result.number : result.blockNumber, head) ? null : result
}
