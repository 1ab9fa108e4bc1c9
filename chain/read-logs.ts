/** The shape of logs as a node tells them, of which nothing is believed (execution-apis of Ethereum). */
import { DATA_CHARACTERS_MAX, LOGS_MAX } from './limits.ts'
import { type Address, type ChroveLog, type Evidence, type Hash, type Hex, parseAddress, parseHash } from './types.ts'

const QUANTITY = /^0x(0|[1-9a-f][0-9a-f]{0,63})$/i
const BYTES = /^0x(?:[0-9a-f]{2})*$/
const TOPICS_MAX = 4

/** @returns undefined unless all are logs, in the shape that they have, and not more than one answer may hold */
export const readLogs = (raw: unknown): ChroveLog[] | undefined => {
  if (!Array.isArray(raw) || raw.length > LOGS_MAX) return undefined
  const read = createReader()
  const logs: ChroveLog[] = []
  for (const item of raw as unknown[]) {
    const log = read(item)
    if (!log) return undefined
    logs.push(log)
  }
  return logs
}

/** Logs of one block or transaction follow each other: what is equal to what was read before is read once. */
const remembering = <T extends string>(parse: (text: string) => T | undefined) => {
  let text: string | undefined
  let value: T | undefined
  return (raw: unknown): T | undefined => {
    if (raw === text) return value
    if (typeof raw !== 'string') return undefined
    text = raw
    value = parse(raw)
    return value
  }
}

const createReader = () => {
  const address = remembering<Address>(parseAddress)
  const blockHash = remembering<Hash>(parseHash)
  const transactionHash = remembering<Hash>(parseHash)
  return (raw: unknown): ChroveLog | undefined => {
    if (typeof raw !== 'object' || raw === null) return undefined
    const fields = raw as Readonly<Record<string, unknown>>
    // Only subscriptions tell of logs that a reorg removed.
    if (fields.removed !== undefined && fields.removed !== false) return undefined
    const log = {
      address: address(fields.address),
      topics: readTopics(fields.topics),
      data: readBytes(fields.data),
      evidence: readEvidence(fields, blockHash(fields.blockHash), transactionHash(fields.transactionHash)),
    }
    const { address: by, topics, data, evidence } = log
    return by && topics && data && evidence && (log as ChroveLog)
  }
}

const readEvidence = (
  fields: Readonly<Record<string, unknown>>,
  blockHash: Hash | undefined,
  transactionHash: Hash | undefined,
): Evidence | undefined => {
  const blockNumber = readCount(fields.blockNumber)
  const transactionIndex = readCount(fields.transactionIndex)
  const logIndex = readCount(fields.logIndex)
  if (blockNumber === undefined || transactionIndex === undefined || logIndex === undefined) return undefined
  return blockHash && transactionHash && { blockNumber, blockHash, transactionHash, transactionIndex, logIndex }
}

/** A quantity that fits a JavaScript integer. */
const readCount = (raw: unknown): number | undefined => {
  if (typeof raw !== 'string' || !QUANTITY.test(raw)) return undefined
  const value = Number(raw)
  return Number.isSafeInteger(value) ? value : undefined
}

const readBytes = (raw: unknown): Hex | undefined => {
  if (typeof raw !== 'string' || raw.length > DATA_CHARACTERS_MAX) return undefined
  const lower = raw.toLowerCase()
  return BYTES.test(lower) ? (lower as Hex) : undefined
}

const readTopics = (raw: unknown): readonly Hash[] | undefined => {
  if (!Array.isArray(raw) || raw.length > TOPICS_MAX) return undefined
  const topics: Hash[] = []
  for (const item of raw as unknown[]) {
    const topic = typeof item === 'string' ? parseHash(item) : undefined
    if (!topic) return undefined
    topics.push(topic)
  }
  return topics
}
