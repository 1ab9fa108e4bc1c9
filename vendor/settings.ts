/** What a vendor decides about its service; the file `vendor.json`. */
import { z } from 'zod'
import { serverListSchema } from '../protocol/credentials.ts'

const host = z.string().min(1).max(255)
const port = z.int().min(1).max(65_535)

/** How orders become access; `plans` names the plans it is for, and an entry without it is for all others. */
const deliverySchema = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('static'),
    plans: z.array(z.int().min(1)).optional(),
    /** Given to every buyer as it is. */
    servers: serverListSchema,
  }),
  z.strictObject({
    type: z.literal('socks5'),
    plans: z.array(z.int().min(1)).optional(),
    serverName: z.string().min(1).max(256),
    /** Where buyers reach the proxy: may differ from where it listens. */
    address: host,
    port,
    listen: z.strictObject({ host, port: z.int().min(0).max(65_535) }),
    /** Let buyers connect to private and loopback addresses: for tests and demonstrations on one machine. */
    allowPrivate: z.boolean().default(false),
  }),
])

export const vendorSettingsSchema = z.strictObject({
  chainId: z.string().regex(/^[1-9]\d*$/),
  registry: z.string().regex(/^0x[0-9a-f]{40}$/),
  vendorId: z.string().regex(/^[1-9]\d*$/),
  /** First block that can hold events of the registry. */
  startBlock: z.int().min(0).default(0),
  /** How many blocks a payment must be deep before it counts: 0 trusts the newest block. */
  confirmations: z.int().min(0).max(1000).default(2),
  /** Blocks after which nothing is undone on this chain, even if its node calls newer ones final. */
  finalityBlocks: z.int().min(0).max(100_000).default(64),
  /** How often to look for new blocks, milliseconds. */
  pollMs: z.int().min(10).max(600_000).default(2_000),
  /** Symbol of the chain's native coin, shown to people. */
  nativeSymbol: z.string().min(1).max(16).default('ETH'),
  /** Where the vendor's HTTP service listens. */
  listen: z.strictObject({ host, port: z.int().min(0).max(65_535) }),
  /** Accept codes of the original's clients, whose signature names no vendor. */
  legacy: z.boolean().default(false),
  brand: z.strictObject({
    title: z.string().min(1).max(256),
    description: z.string().max(2048).default(''),
    logo: z.string().max(2048).default(''),
  }),
  delivery: z
    .array(deliverySchema)
    .refine((entries) => entries.some(({ plans }) => plans === undefined), 'one entry must be for all plans not named'),
})

export type VendorSettings = z.infer<typeof vendorSettingsSchema>
export type Delivery = z.infer<typeof deliverySchema>
export type Socks5Delivery = Extract<Delivery, { type: 'socks5' }>

/** The delivery that serves a plan: the one that names it, else the one for all others, which settings must have. */
export const deliveryFor = (deliveries: readonly Delivery[], planId: number): Delivery | undefined =>
  deliveries.find(({ plans }) => plans?.includes(planId)) ?? deliveries.find(({ plans }) => plans === undefined)
