/** What is said over a relay's HTTP face: `POST /join`, `POST /channel` and their answers. @see SEED 003 */
import { z } from 'zod'
import { CANONICAL_BASE64URL } from '../bytes.ts'
import { CHANNEL_STREAMS_MAX, RELAY_WAIT_MS_MAX } from '../limits.ts'
import { ROLES } from './agreement.ts'
import { isChannelName } from './code.ts'
import { SUITE_NAMES } from './suites.ts'

const channel = z.string().refine(isChannelName, 'must be 1 to 32 small letters and digits')
const bytes = (max: number) =>
  z
    .string()
    .max(Math.ceil((max * 4) / 3))
    .regex(CANONICAL_BASE64URL)
/** An uncompressed point of P-521. */
const share = bytes(133)
/** A confirmation of SHA-512 and 32 bytes. */
const proof = bytes(96)
const streams = z.int().min(1).max(CHANNEL_STREAMS_MAX)

export const joinRequestSchema = z.strictObject({
  role: z.enum(ROLES),
  /** Wanted by a sender, who gets one of the relay's own without; to be joined by a recipient. */
  channel: channel.optional(),
  /** The sender's choice. */
  curve: z.enum(SUITE_NAMES).optional(),
})

export const channelRequestSchema = z.strictObject({
  channel,
  /** The secret of a role, which `/join` gave. */
  uuid: z.uuid(),
  /** Of the sender, with how many streams it takes at most. */
  x: share.optional(),
  /** Of the recipient, with how many streams are to be used. */
  y: share.optional(),
  hh_k: proof.optional(),
  h_k: proof.optional(),
  streams: streams.optional(),
  close: z.literal(true).optional(),
  /** With `close`: the other end had other words. */
  wrong: z.literal(true).optional(),
  /** Answer only when the channel has another version than this, or when `waitMs` are over. */
  since: z.int().min(0).optional(),
  waitMs: z.int().min(0).max(RELAY_WAIT_MS_MAX).optional(),
})

/** Additional members are for later versions. */
export const channelStateSchema = z.object({
  channel,
  /** Rises with every change. */
  version: z.int().min(0),
  curve: z.enum(SUITE_NAMES),
  /** Whether both parties are there. */
  full: z.boolean(),
  stapled: z.boolean(),
  /** `burned`: the two had not the same words. */
  ended: z.enum(['closed', 'burned']).optional(),
  x: share.optional(),
  y: share.optional(),
  hh_k: proof.optional(),
  h_k: proof.optional(),
  /** Of the sender until the recipient has answered, then of both. */
  streams: streams.optional(),
})

export const joinAnswerSchema = channelStateSchema.extend({
  uuid: z.uuid(),
  /** Where to say hello; each port serves every stream. */
  ports: z.array(z.int().min(1).max(65_535)).min(1).max(64),
})

export type JoinRequest = z.infer<typeof joinRequestSchema>
export type ChannelRequest = z.infer<typeof channelRequestSchema>
export type ChannelView = z.infer<typeof channelStateSchema>
export type JoinAnswer = z.infer<typeof joinAnswerSchema>
