/** From logs to events, strictly: what is not exactly an event of our contracts is told apart, never guessed at. */
import { canonical } from './abi-read.ts'
import type { ChroveEvent, Contracts, UndecodableLog } from './events.ts'
import { paymentsDecoders } from './generated/payments.ts'
import { vendorRegistryDecoders } from './generated/vendor-registry.ts'
import type { ChroveLog } from './types.ts'

/**
 * Reads a log as an event of the contract that wrote it: exact topic count, canonical encoding. Never throws.
 * @param contracts only their events are accepted, each from its own address
 */
export const decodeLog = (log: ChroveLog, contracts: Contracts): ChroveEvent | UndecodableLog => {
  const undecodable = (reason: UndecodableLog['reason']): UndecodableLog => ({ type: 'Undecodable', reason, log })
  const isRegistry = log.address === contracts.registry
  if (!isRegistry && log.address !== contracts.payments) return undecodable('foreign-contract')

  const [signature] = log.topics
  const { events } = isRegistry ? vendorRegistryDecoders : paymentsDecoders
  const read = signature && events.get(signature)
  if (!read) return undecodable('unknown-event')
  return canonical<ChroveLog, ChroveEvent>(read, log) ?? undecodable('not-canonical')
}
