/**
 * A node that does not tell logs as they are, in the ways that nodes have been seen to: it refuses ranges, each time for
 * another reason, gives a page twice, names another block than it was asked about, and leaves logs out. It leaves out
 * only what the registry's own counters show to be missing: of what nothing tells, nobody could know.
 */
import { type Chain, ChainError } from '../effects/chain.ts'
import type { Faults } from './faults.ts'
import type { SimRandom } from './random.ts'

/** How nodes say that a question is too large: code and words of several. */
const REFUSALS: readonly (readonly [rpcCode: number, rpcMessage: string])[] = [
  [-32005, 'query returned more than 10000 results'],
  [-32602, 'block range is too wide'],
  [-32000, 'exceed maximum block range: 2'],
  [-32614, 'eth_getLogs is limited to a 2 range'],
  [-32603, 'Log response size exceeded. this block range should work: [0x1, 0x2]'],
]

/** Blocks that it takes in one range when it is in that mood. */
const RANGE_MAX = 2

interface RawLog {
  readonly address: string
  readonly topics: readonly string[]
  readonly blockHash: string
}

interface LogFilter {
  readonly fromBlock?: string
  readonly toBlock?: string
}

/** @param counted address whose events carry, after their own topic, the id of what counts them */
export const lyingNode = (random: SimRandom, faults: Faults, honest: Chain, counted: string): Chain => {
  const draw = () => ({
    refuses: random.chance(faults.rate('rpc-range-limit')),
    refusal: random.pick(REFUSALS),
    repeats: random.chance(faults.rate('rpc-duplicate')),
    strays: random.chance(faults.rate('rpc-other-block')),
    omits: random.chance(faults.rate('rpc-omission')),
    which: random.unit(),
  })
  return {
    async request(method, params, signal) {
      if (method !== 'eth_getLogs') return honest.request(method, params, signal)
      const mood = draw()
      const { fromBlock, toBlock } = params[0] as LogFilter
      if (mood.refuses && Number(toBlock) - Number(fromBlock) >= RANGE_MAX) {
        const [rpcCode, rpcMessage] = mood.refusal
        const refusal = { rpcCode, rpcMessage, data: undefined }
        throw new ChainError('ERR_CHAIN_REFUSED', 'the node refused', { refusal })
      }
      const logs = (await honest.request(method, params, signal)) as readonly RawLog[]
      if (mood.repeats) return [...logs, ...logs]
      if (mood.strays)
        return logs.map((log) => ({ ...log, blockHash: `0x${log.blockHash.slice(2).replace(/./, 'e')}` }))
      return mood.omits ? withoutOne(logs, counted, mood.which) : logs
    },
  }
}

/** Leaves out one log of which a later one tells. */
const withoutOne = (logs: readonly RawLog[], counted: string, which: number): readonly RawLog[] => {
  const told = logs.filter(
    ({ address, topics }, place) =>
      address === counted &&
      logs.slice(place + 1).some((later) => later.address === counted && later.topics[1] === topics[1]),
  )
  const omitted = told[Math.floor(which * told.length)]
  return logs.filter((log) => log !== omitted)
}
