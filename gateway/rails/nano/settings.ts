/** What the operator of a gateway decides about payments in nano: an entry of `accounts` in the gateway's settings. */
import { z } from 'zod'
import { parseNanoAccount } from '../../../protocol/nano/account.ts'
import { LIVE_WORK } from '../../../protocol/nano/work.ts'

const threshold = z
  .string()
  .regex(/^[0-9a-f]{16}$/)
  .transform((digits) => BigInt(`0x${digits}`))
const raw = z
  .string()
  .regex(/^(0|[1-9]\d{0,38})$/)
  .transform(BigInt)
const account = z.string().refine((text) => parseNanoAccount(text) !== undefined, 'not a Nano account')

export const nanoSettingsSchema = z.strictObject({
  scheme: z.literal('nano'),
  /** RPC of a node that we trust to say what is confirmed: http(s)://[user:password@]host:port. */
  rpc: z.string().min(1).max(2048),
  /** WebSocket of the same node, ws(s)://…: what is confirmed is known sooner. */
  socket: z.string().min(1).max(2048).optional(),
  /** Who votes with what the service holds. */
  representative: account,
  /** Smaller sends are no deposits and stay where they are; raw. A millionth of a nano: to look at one is not free. */
  minimumDeposit: raw.prefault('1000000000000000000000000'),
  /** How often to look for deposits, milliseconds, when nobody tells of them. */
  pollMs: z.int().min(100).max(600_000).default(5_000),
  work: z
    .strictObject({
      /** The node's `work_generate`, or our own computing, which is for networks that ask for little. */
      by: z.enum(['node', 'gateway']).default('node'),
      /** Values of work that the network asks for, 16 hex digits. */
      send: threshold.default(LIVE_WORK.send),
      receive: threshold.default(LIVE_WORK.receive),
    })
    .prefault({}),
})

export type NanoSettings = z.infer<typeof nanoSettingsSchema>
