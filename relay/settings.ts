/** What decides how a relay serves; `GET /limits` publishes what clients have to know of it. */
import { z } from 'zod'
import { parseIp } from '../protocol/ip-address.ts'
import { SUITE_NAMES } from '../protocol/relay/suites.ts'

const host = z.string().min(1).max(255)
const port = z.int().min(0).max(65_535)
const count = (most: number, otherwise: number) => z.int().min(1).max(most).default(otherwise)

export const relaySettingsSchema = z.strictObject({
  /** Where TCP connections come in. Each port serves every stream; several are for networks that slow each one down. */
  tcp: z.strictObject({ host, ports: z.array(port).min(1).max(64) }),
  /** `siec` has no RFC: a relay that lists it helps those who want what the original named. */
  curves: z.array(z.enum(SUITE_NAMES)).min(1).default(['p256', 'p384', 'p521']),
  /** The rule of SEED 003: two addresses have a channel between them, whatever secrets a third one shows. */
  twoAddresses: z.boolean().default(false),
  /** Addresses of reverse proxies whose `X-Forwarded-For` is believed; no one else's is. */
  trustedProxies: z.array(z.string().refine((text) => parseIp(text) !== undefined)).default([]),
  /** A channel on which nothing happens and nothing passes for so long is forgotten, seconds. */
  idleSeconds: count(86_400, 600),
  channelsMax: count(1_000_000, 100_000),
  /** Open at once for one address (IPv6: one /64). */
  channelsPerPlaceMax: count(1_000_000, 64),
  /** Of one address in a minute, all kinds together. */
  requestsPerMinute: count(1_000_000, 600),
  /** Of one address in a minute; every one costs room until it is forgotten. */
  joinsPerMinute: count(1_000_000, 60),
  /** Answers of one address as a recipient in an hour that no sender proved right: its guesses. */
  wrongCodesPerHour: count(1_000_000, 10),
  /** TCP connections, and those of one address that have not proven who they are. */
  connectionsMax: count(1_000_000, 16_384),
  strangersPerPlaceMax: count(1_000_000, 64),
  /** Bytes that pass free of charge on one channel, both ways together; without it all do. */
  freeBytes: z.int().min(0).optional(),
})

export type RelaySettings = z.infer<typeof relaySettingsSchema>
