/** The shapes of JSON-RPC answers, of which nothing is believed (execution-apis of Ethereum). */
import { z } from 'zod'
import { DATA_CHARACTERS_MAX } from './limits.ts'
import { readLogs } from './read-logs.ts'
import { type Block, type ChroveLog, type Hash, type Hex, parseHash } from './types.ts'

/** An integer without leading zeros, up to 256 bits. */
export const quantity = z
  .string()
  .regex(/^0x(0|[1-9a-f][0-9a-f]{0,63})$/i)
  .transform((text) => BigInt(text))

/** A quantity that counts something: fits a JavaScript integer. */
export const count = quantity.refine((value) => value <= BigInt(Number.MAX_SAFE_INTEGER)).transform(Number)

export const bytes = z
  .string()
  .max(DATA_CHARACTERS_MAX)
  .regex(/^0x([0-9a-f]{2})*$/i)
  .transform((text) => text.toLowerCase() as Hex)

export const hash = z.string().transform((text, context): Hash => parseHash(text) ?? invalid(context, 'not 32 bytes'))

const invalid = (context: z.RefinementCtx, message: string): never => {
  context.addIssue({ code: 'custom', message })
  return z.NEVER
}

/** A mined block: pending ones have no hash. */
export const block = z.object({ number: count, hash, parentHash: hash, timestamp: count }).transform((raw): Block => ({
  number: raw.number,
  hash: raw.hash,
  parentHash: raw.parentHash,
  timestampSeconds: raw.timestamp,
}))

/** The newest block with what fees are computed from; blocks before EIP-1559 have no base fee. */
export const feeBlock = z.object({ baseFeePerGas: quantity })

/** Logs come by the thousand: a schema made of parts would cost several times what reading them does. */
export const logs = z.unknown().transform((raw, context) => readLogs(raw) ?? invalid(context, 'not logs'))

/** A transaction that the node holds, mined or waiting. */
export const transaction = z.object({ hash })

/** What a transaction did. */
export interface Receipt {
  readonly transactionHash: Hash
  readonly blockNumber: number
  readonly blockHash: Hash
  /** False: it was mined, paid for and undone. */
  readonly succeeded: boolean
  readonly gasUsed: bigint
  /** Gas used, at the price paid. */
  readonly feeWei: bigint
  readonly logs: readonly ChroveLog[]
}

export const receipt = z
  .object({
    transactionHash: hash,
    blockNumber: count,
    blockHash: hash,
    status: count.refine((status) => status <= 1),
    gasUsed: quantity,
    effectiveGasPrice: quantity,
    logs,
  })
  .transform((raw): Receipt => ({
    transactionHash: raw.transactionHash,
    blockNumber: raw.blockNumber,
    blockHash: raw.blockHash,
    succeeded: raw.status === 1,
    gasUsed: raw.gasUsed,
    feeWei: raw.gasUsed * raw.effectiveGasPrice,
    logs: raw.logs,
  }))
