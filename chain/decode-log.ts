/** From logs to events, strictly: what is not exactly an event of our contracts is told apart, never guessed at. */
import { fromHex } from '../protocol/bytes.ts'
import { paymentsAbi } from '../protocol/abi/payments.ts'
import { vendorRegistryAbi } from '../protocol/abi/vendor-registry.ts'
import type { AbiEntry } from './abi.ts'
import { createDecoder, type Decoder } from './abi-decode.ts'
import { signatureHashOf } from './abi-encode.ts'
import type { ChroveEvent, Contracts, UndecodableLog } from './events.ts'
import type { ChroveLog, Hex } from './types.ts'

interface EventDecoder {
  readonly name: string
  readonly indexed: Decoder
  readonly unindexed: Decoder
}

const eventDecoders = (abi: readonly AbiEntry[]): ReadonlyMap<Hex, EventDecoder> =>
  new Map(
    abi
      .filter((entry) => entry.type === 'event')
      .map((entry) => {
        const inputs = entry.inputs ?? []
        const indexed = inputs.filter((input) => input.indexed)
        const decoder = {
          name: entry.name ?? '',
          indexed: createDecoder(indexed),
          unindexed: createDecoder(inputs.filter((input) => !input.indexed)),
        }
        return [signatureHashOf(entry), decoder]
      }),
  )

const registryDecoders = eventDecoders(vendorRegistryAbi)
const paymentsDecoders = eventDecoders(paymentsAbi)

/**
 * Reads a log as an event of the contract that wrote it: exact topic count, canonical encoding. Never throws.
 * @param contracts only their events are accepted, each from its own address
 */
export const decodeLog = (log: ChroveLog, contracts: Contracts): ChroveEvent | UndecodableLog => {
  const undecodable = (reason: UndecodableLog['reason']): UndecodableLog => ({ type: 'Undecodable', reason, log })
  const isRegistry = log.address === contracts.registry
  if (!isRegistry && log.address !== contracts.payments) return undecodable('foreign-contract')

  const [signature, ...topics] = log.topics
  const decoder = signature && (isRegistry ? registryDecoders : paymentsDecoders).get(signature)
  if (!decoder) return undecodable('unknown-event')

  // Every indexed field of ours fills its topic, so the topics together are one encoding: of no more and no fewer.
  const indexed = decoder.indexed.fields(fromHex(`0x${topics.map((topic) => topic.slice(2)).join('')}`))
  const unindexed = decoder.unindexed.fields(fromHex(log.data))
  if (!indexed || !unindexed) return undecodable('not-canonical')
  const event = { type: decoder.name, contract: log.address, evidence: log.evidence, ...indexed, ...unindexed }
  // The ABI defines the fields; `decode-log.test.ts` proves at compile time that the union says the same.
  return event as unknown as ChroveEvent
}
