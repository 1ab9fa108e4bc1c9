/**
 * A node that costs next to nothing: it answers with logs made by formula, in JSON text that is parsed as any answer is.
 * Each block has the same hundred events, of ten vendors that register in it.
 */
import type { NameOf } from '../../chain/abi.ts'
import { encodeValues, entryOf, signatureHashOf } from '../../chain/abi-encode.ts'
import { type Address, type Hex, ZERO_ADDRESS } from '../../chain/types.ts'
import type { Chain } from '../../effects/chain.ts'
import { paymentsAbi } from '../../protocol/abi/payments.ts'
import { vendorRegistryAbi } from '../../protocol/abi/vendor-registry.ts'

const LOGS_PER_BLOCK = 100
const VENDORS_PER_BLOCK = 10
const PURCHASES_PER_VENDOR = 4

const REGISTRY = `0x${'a1'.repeat(20)}` as Address
const PAYMENTS = `0x${'b2'.repeat(20)}` as Address
const OWNER = `0x${'c3'.repeat(20)}` as Address

const word = (value: number): string => value.toString(16).padStart(64, '0')
const hash = (kind: number, value: number): Hex => `0x${kind.toString(16).padStart(8, '0')}${word(value).slice(8)}`
const quantity = (value: number): Hex => `0x${value.toString(16)}`

type RegistryEvent = NameOf<typeof vendorRegistryAbi, 'event'>

const topicOf = (name: RegistryEvent): Hex => signatureHashOf(entryOf(vendorRegistryAbi, 'event', name))

/** An event's data after its version, which comes first. */
const rest = (name: RegistryEvent, ...values: readonly unknown[]): string => {
  const inputs = entryOf(vendorRegistryAbi, 'event', name).inputs.filter(({ indexed }) => !indexed)
  const parameters = inputs.map(({ name: field, type, internalType }) => ({ name: field, type, internalType }))
  return encodeValues(parameters, [0, ...values]).slice(2 + 64)
}

const profile = JSON.stringify({ title: 'Replay', description: 'A vendor', serviceTypes: ['proxy'], regions: ['eu'] })
const keys = [hash(1, 1), hash(2, 2)]

/** In the order in which a vendor's life goes. */
const changes = [
  {
    topic: topicOf('VendorRegistered'),
    more: [`0x${OWNER.slice(2).padStart(64, '0')}`],
    data: rest('VendorRegistered', OWNER, OWNER, ...keys, ['http://vendor.example:8080'], profile),
  },
  {
    topic: topicOf('PlanAdded'),
    more: [`0x${word(1)}`],
    data: rest('PlanAdded', ZERO_ADDRESS, 1000n, 3600, 24, 'Streamed', 'One hour'),
  },
  ...[true, false].map((active) => ({
    topic: topicOf('ActiveChanged'),
    more: [],
    data: rest('ActiveChanged', active),
  })),
  ...[1, 2].map(() => ({ topic: topicOf('ProfileChanged'), more: [], data: rest('ProfileChanged', profile) })),
]

const paidTopic = signatureHashOf(entryOf(paymentsAbi, 'event', 'OrderPaid'))
const controller = OWNER.slice(2).padStart(64, '0')

const logsOf = (block: number): string => {
  const logs: object[] = []
  const add = (address: Address, topics: readonly string[], data: string) => {
    const logIndex = quantity(logs.length)
    const transactionHash = hash(8, block * LOGS_PER_BLOCK + logs.length)
    const place = { blockNumber: quantity(block), blockHash: hash(9, block), transactionHash, transactionIndex: '0x0' }
    logs.push({ address, topics, data, ...place, logIndex, removed: false })
  }
  for (let at = 0; at < VENDORS_PER_BLOCK; at++) {
    const vendorId = (block - 1) * VENDORS_PER_BLOCK + at + 1
    for (const [index, { topic, more, data }] of changes.entries()) {
      add(REGISTRY, [topic, `0x${word(vendorId)}`, ...more], `0x${word(index + 1)}${data}`)
    }
    for (let bought = 0; bought < PURCHASES_PER_VENDOR; bought++) {
      const order = vendorId * PURCHASES_PER_VENDOR + bought
      const numbers = [1, 1, block * 12, block * 12 + 3600, 1000].map(word)
      const topics = [paidTopic, hash(5, order), `0x${word(vendorId)}`, hash(6, order)]
      add(PAYMENTS, topics, `0x${numbers.join('')}${controller}`)
    }
  }
  return JSON.stringify(logs).slice(1, -1)
}

const headerOf = (number: number) => ({
  number: quantity(number),
  hash: hash(9, number),
  parentHash: number === 0 ? hash(7, 0) : hash(9, number - 1),
  timestamp: quantity(number * 12),
})

export interface ReplayChain extends Chain {
  readonly registry: Address
}

/**
 * @param logs how many there are; all but those of the newest block are final
 * @param remember answers are made ahead, so that making them costs no time later; else they take no memory
 */
export const createReplayChain = (logs: number, remember: boolean): ReplayChain => {
  const blocks = Math.ceil(logs / LOGS_PER_BLOCK)
  const made = new Map<number, Buffer>()
  if (remember) for (let block = 1; block <= blocks; block++) made.set(block, Buffer.from(logsOf(block)))

  const answerLogs = ({ fromBlock, toBlock, blockHash }: Record<string, Hex>): unknown => {
    const from = blockHash === undefined ? Number(fromBlock) : Number(`0x${blockHash.slice(10)}`)
    const to = blockHash === undefined ? Number(toBlock) : from
    const texts: string[] = []
    for (let block = Math.max(from, 1); block <= Math.min(to, blocks); block++)
      texts.push(made.get(block)?.toString('latin1') ?? logsOf(block))
    return JSON.parse(`[${texts.join(',')}]`)
  }

  const answers: Readonly<Record<string, (params: readonly unknown[]) => unknown>> = {
    eth_chainId: () => '0x7a69',
    eth_call: () => `0x${PAYMENTS.slice(2).padStart(64, '0')}`,
    eth_getLogs: ([filter]) => answerLogs(filter as Record<string, Hex>),
    eth_getBlockByNumber: ([tag]) => {
      if (tag === 'latest') return headerOf(blocks)
      return headerOf(tag === 'finalized' ? blocks - 1 : Number(tag))
    },
  }
  return {
    registry: REGISTRY,
    request: async (method, params) => answers[method]?.(params),
  }
}
