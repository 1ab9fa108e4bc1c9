/** What decides how a rendezvous serves. */
import { z } from 'zod'
import { parseIp } from '../protocol/ip-address.ts'
import { REQUEST_WINDOW_SECONDS_MAX } from '../protocol/limits.ts'
import { serverNameSchema } from '../protocol/rendezvous/statement.ts'

const count = (most: number, otherwise: number) => z.int().min(1).max(most).default(otherwise)

export const rendezvousSettingsSchema = z.strictObject({
  /** The URL that clients are given; they sign it, so that what they sign is good here only. */
  server: serverNameSchema,
  /** Relay for those who hide or find no direct way; without one they are told of none. */
  relay: z
    .url({ protocol: /^https?$/ })
    .max(256)
    .optional(),
  /** Addresses of reverse proxies whose `X-Forwarded-For` is believed; no one else's is. */
  trustedProxies: z.array(z.string().refine((text) => parseIp(text) !== undefined)).default([]),
  /** How long a target may take to answer, seconds; and how long one with uniform answers always takes. */
  windowSeconds: z.int().min(1).max(REQUEST_WINDOW_SECONDS_MAX).default(60),
  clientsMax: count(100_000_000, 1_000_000),
  /** WebSockets at once, those of one address (IPv6: one /64), and those that have not shown who they are. */
  connectionsMax: count(1_000_000, 16_384),
  connectionsPerPlaceMax: count(1_000_000, 256),
  strangersPerPlaceMax: count(1_000_000, 32),
  /** Of one address in a minute. */
  registrationsPerMinute: count(1_000_000, 30),
  lookUpsPerMinute: count(1_000_000, 600),
  connectsPerMinute: count(1_000_000, 120),
  /** Connection requests in a minute: of one address, of one source, of one source to one target, and to one target. */
  requestsPerPlaceMinute: count(1_000_000, 240),
  requestsPerSourceMinute: count(1_000_000, 60),
  requestsPerPairMinute: count(1_000_000, 12),
  requestsPerTargetMinute: count(1_000_000, 120),
  /** Connection requests under way: of one source, and to one target. */
  pendingPerSourceMax: count(1_000_000, 16),
  pendingPerTargetMax: count(1_000_000, 32),
  /** Messages of any kind of one connection, a second; three times as many at once. */
  messagesPerSecond: count(1_000_000, 10),
})

export type RendezvousSettings = z.infer<typeof rendezvousSettingsSchema>
