/**
 * What a client and a rendezvous say to each other over `GET /connect`: one JSON object in each WebSocket message. What
 * goes on to the other client is signed by the one it comes from; the server only carries it. @see SEED 002 §3
 */
import { z } from 'zod'
import { parseIp } from '../ip-address.ts'
import { CANDIDATES_MAX, REQUEST_WINDOW_SECONDS_MAX } from '../limits.ts'
import { serverNameSchema, signedSchema, timeSchema } from './statement.ts'
import { uuidSchema } from './uuid.ts'

/** Of a connection request: a random UUID that its source makes. */
const requestId = z.uuidv4().lowercase()

const challenge = z.string().length(43)

/** An address, never a name: no one else's DNS is asked. */
const ip = z
  .string()
  .max(45)
  .refine((text) => parseIp(text) !== undefined, 'must be an IP address')

const port = z.int().min(1).max(65_535)

/** Who is there: the answer to a challenge. */
export const presenceSchema = z.strictObject({
  purpose: z.literal('chrove rendezvous presence'),
  server: serverNameSchema,
  uuid: uuidSchema,
  challenge,
  /** Whether deny, ignore and offline are to look the same to those who ask for this client; absent: as it was. */
  uniform: z.boolean().optional(),
  ts: timeSchema,
})

/** Who asks whom; the target sees it before it decides. */
export const requestSchema = z.strictObject({
  purpose: z.literal('chrove rendezvous request'),
  server: serverNameSchema,
  request: requestId,
  from: uuidSchema,
  to: uuidSchema,
  /** The source shows its address to nobody: the connection is to go through a relay. */
  hide: z.boolean(),
  ts: timeSchema,
})

/** What one side shares with the other; handed over only once both agree. The target's is its consent. */
export const addressesSchema = z
  .strictObject({
    purpose: z.literal('chrove rendezvous addresses'),
    server: serverNameSchema,
    request: requestId,
    from: uuidSchema,
    to: uuidSchema,
    hide: z.boolean(),
    /** Where it takes connections; without it, it only makes them. */
    port: port.optional(),
    /** Further addresses of its machine, such as of the local network. */
    hosts: z.array(ip).max(CANDIDATES_MAX),
    ts: timeSchema,
  })
  .refine(({ hide, port: open, hosts }) => !hide || (open === undefined && hosts.length === 0), {
    error: 'who hides shares no address',
  })

export type Presence = z.infer<typeof presenceSchema>
export type ConnectionRequest = z.infer<typeof requestSchema>
export type SharedAddresses = z.infer<typeof addressesSchema>

/** From a client. */
export const clientMessageSchema = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('present'), presence: signedSchema }),
  z.strictObject({ type: z.literal('request'), request: signedSchema, addresses: signedSchema }),
  z.strictObject({ type: z.literal('accept'), request: requestId, addresses: signedSchema }),
  z.strictObject({ type: z.literal('deny'), request: requestId }),
  z.strictObject({ type: z.literal('cancel'), request: requestId }),
  z.strictObject({ type: z.literal('block'), uuid: uuidSchema }),
  z.strictObject({ type: z.literal('unblock'), uuid: uuidSchema }),
  z.strictObject({ type: z.literal('ping') }),
])

export type ClientMessage = z.infer<typeof clientMessageSchema>

/** Where the two can meet when no direct way is open, or wanted. */
const relaySchema = z.object({
  url: z.url({ protocol: /^https?$/ }).max(256),
  /** Of a channel of its own. The server knows it too: what protects the connection are the two clients' keys. */
  code: z.string().min(1).max(256),
})

export type RelayPlace = z.infer<typeof relaySchema>

const REFUSAL_CODES = [
  /** The message is not one of these, or not one for now. */
  'ERR_MESSAGE',
  /** The signature is not that of the registered key, or not for this challenge. */
  'ERR_PRESENCE',
  /** A connection request is not of this client, for this server and of now, or its id came before. */
  'ERR_REQUEST',
  /** Too many of this kind: later. */
  'ERR_TOO_MANY',
  /** There is no more room for blocked clients. */
  'ERR_BLOCKS_FULL',
  /** The server failed. */
  'ERR_INTERNAL',
] as const

export type RefusalCode = (typeof REFUSAL_CODES)[number]

/** From the server. Additional members are for later versions. */
export const serverMessageSchema = z.discriminatedUnion('type', [
  z.object({ type: z.literal('challenge'), challenge, server: serverNameSchema }),
  z.object({ type: z.literal('welcome'), windowSeconds: z.int().min(1).max(REQUEST_WINDOW_SECONDS_MAX) }),
  z.object({ type: z.literal('request'), request: signedSchema }),
  z.object({ type: z.literal('denied'), request: requestId }),
  /** The answer to a request is not wanted any more. */
  z.object({ type: z.literal('over'), request: requestId }),
  z.object({
    type: z.literal('addresses'),
    request: requestId,
    /** The target's are its consent; the source's are left out where the target hides, and would use none. */
    addresses: signedSchema.optional(),
    /** Where the server sees the other client; absent when one of the two hides. */
    observed: ip.optional(),
    relay: relaySchema.optional(),
  }),
  z.object({ type: z.literal('blocked'), uuid: uuidSchema, blocked: z.boolean() }),
  z.object({ type: z.literal('refused'), code: z.enum(REFUSAL_CODES), request: requestId.optional() }),
  z.object({ type: z.literal('pong') }),
  /** The connection ends; when it is `replaced`, because the same client has made another. */
  z.object({ type: z.literal('bye'), why: z.enum(['replaced', 'draining', 'refused']) }),
])

export type ServerMessage = z.infer<typeof serverMessageSchema>
