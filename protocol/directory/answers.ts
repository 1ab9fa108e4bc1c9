/**
 * What a directory answers to the documents beside this file: each field as its schema has it, and bounded. A directory
 * is anybody's: words are made safe to show, and none of it is believed where money is concerned.
 */
import { z } from 'zod'
import { utf8 } from '../bytes.ts'
import { DIRECTORY_PAGE_MAX, DIRECTORY_TEXT_MAX } from '../limits.ts'
import { cleanText } from '../text.ts'
import { parseVendorUri } from '../vendor-uri.ts'

type Hex = `0x${string}`

/** A place in a list, as text that is safe to show and to type. */
const CURSOR = /^[A-Za-z0-9][\w=+/.:-]{0,511}$/

const hex = (bytes: number) => z.custom<Hex>((text) => typeof text === 'string' && isHex(text, bytes))
const isHex = (text: string, bytes: number): boolean => text.length === 2 + 2 * bytes && /^0x[0-9a-f]*$/.test(text)

const bigint = z
  .string()
  .regex(/^\d{1,78}$/)
  .transform((text) => BigInt(text))
/** No contract of ours tells a later time, and no clock of a computer. */
const unixSeconds = z
  .string()
  .regex(/^\d{1,13}$/)
  .transform(Number)
  .pipe(z.int().max(2 ** 40 - 1))
const int = z.int().min(0).max(0x7fffffff)
const positive = int.min(1)
const clean = z
  .string()
  .max(DIRECTORY_TEXT_MAX)
  .transform((text) => cleanText(utf8(text)))
const words = z.array(clean).max(64)
const code = z.string().regex(/^[A-Z][A-Z0-9_]{0,63}$/)
const page = <Item extends z.ZodType>(item: Item) => z.array(item).max(DIRECTORY_PAGE_MAX)
/** GraphQL's null, as the rest of our code has it. */
const optional = <Value extends z.ZodType>(value: Value) => value.nullable().transform((given) => given ?? undefined)

const metaSchema = z
  .object({
    chainId: bigint,
    registry: hex(20),
    payments: hex(20),
    block: z.object({ number: int, hash: hex(32), timestamp: unixSeconds }),
    completeness: z.object({
      complete: z.boolean(),
      gapCount: int,
      firstGap: optional(z.object({ kind: clean, subject: clean })),
      undecodableLogs: int,
    }),
  })
  .transform(({ block: { timestamp, ...block }, completeness, ...about }) => ({
    ...about,
    /** Newest block that the answer knows of. */
    block: { ...block, timestampSeconds: timestamp },
    ...completeness,
  }))

/** What a directory is about, and how far it is. */
export type DirectoryMeta = z.infer<typeof metaSchema>

const settlements = { INSTANT: 'Instant', STREAMED: 'Streamed' } as const

const planSchema = z
  .object({
    planId: positive,
    title: z.object({ text: clean }),
    token: optional(hex(20)),
    price: bigint,
    periodSeconds: positive,
    maxPeriods: positive,
    settlement: z.enum(['INSTANT', 'STREAMED']),
    onSale: z.boolean(),
  })
  .transform(({ title, settlement, ...plan }) => ({ ...plan, title: title.text, settlement: settlements[settlement] }))

/** A plan; no token is the chain's coin. */
export type DirectoryPlan = z.infer<typeof planSchema>

const probeSchema = z
  .object({
    endpoint: z.object({ text: clean }),
    reachable: z.boolean(),
    verified: z.boolean(),
    code: optional(code),
    latencyMs: optional(int),
    triedAt: unixSeconds,
    seenAt: optional(unixSeconds),
  })
  .transform(({ endpoint, triedAt, seenAt, ...probe }) => ({
    ...probe,
    endpoint: endpoint.text,
    /** When it was last asked. */
    triedAtSeconds: triedAt,
    /** When it was last verified. */
    seenAtSeconds: seenAt,
  }))

const volumeSchema = z.object({ token: optional(hex(20)), orders: int, paid: bigint, refunded: bigint, volume: bigint })

const vendorSchema = z
  .object({
    uri: z.string().refine((text) => isVendorUri(text)),
    version: int,
    active: z.boolean(),
    signingKey: hex(32),
    encryptionKey: hex(32),
    profile: z.object({ title: clean, description: clean, serviceTypes: words, regions: words }),
    plans: z.object({ totalCount: int, nodes: page(planSchema) }),
    createdBlock: int,
    orderCount: int,
    volumes: page(volumeSchema),
    uptime: optional(z.number().min(0).max(1)),
    probes: z.array(probeSchema).max(64),
  })
  .transform(({ uri, profile, plans, createdBlock, orderCount, volumes, uptime, probes, ...state }) => ({
    ...state,
    /** Vendor URI. */
    vendor: uri,
    profile,
    plans: plans.nodes,
    /** How many plans there are, of which `plans` may be the first. */
    planTotal: plans.totalCount,
    observed: { createdBlock, orderCount, volumes, uptime, probes },
  }))

/** A vendor as a directory has it. */
export type DirectoryVendor = z.infer<typeof vendorSchema>

/** What only a directory can tell of a vendor: what became of it, and what came of asking its endpoints. */
export type Observed = DirectoryVendor['observed']

const isVendorUri = (text: string): boolean => {
  try {
    return Boolean(parseVendorUri(text))
  } catch {
    return false
  }
}

const statuses = { RUNNING: 'running', ENDED: 'ended', CANCELLED: 'cancelled' } as const

const orderSchema = z
  .object({
    orderId: hex(32),
    vendorId: bigint,
    planId: int,
    keyHash: hex(32),
    token: optional(hex(20)),
    controller: optional(hex(20)),
    status: z.enum(['RUNNING', 'ENDED', 'CANCELLED']),
    startedAt: unixSeconds,
    endsAt: unixSeconds,
    periods: bigint,
    paid: bigint,
    refunded: bigint,
    withdrawn: bigint,
  })
  .transform(({ status, startedAt, endsAt, ...order }) => ({
    ...order,
    status: statuses[status],
    startedAtSeconds: startedAt,
    endsAtSeconds: endsAt,
  }))

/** An order as it stood at the block of the answer. */
export type DirectoryOrder = z.infer<typeof orderSchema>

const pageInfoSchema = z.object({ hasNextPage: z.boolean(), endCursor: optional(z.string().regex(CURSOR)) })

/** By the names of the documents. */
export const answerSchemas = {
  vendors: z.object({
    _meta: metaSchema,
    vendors: z.object({ totalCount: int, pageInfo: pageInfoSchema, nodes: page(vendorSchema) }),
  }),
  vendor: z.object({ _meta: metaSchema, vendor: optional(vendorSchema) }),
  order: z.object({ _meta: metaSchema, order: optional(orderSchema) }),
  meta: z.object({ _meta: metaSchema }),
} as const

/** A refusal as this project's directories give it: a code that does not change. */
export const refusalSchema = z.object({
  errors: z
    .array(z.object({ extensions: z.object({ code, retryable: z.boolean().default(false) }) }))
    .min(1)
    .max(DIRECTORY_PAGE_MAX),
})
