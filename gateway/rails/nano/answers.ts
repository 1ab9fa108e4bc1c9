/** Answers of a node's RPC. Numbers and booleans are strings, and an empty list may be an empty string. */
import { z } from 'zod'
import { formatNanoAccount, parseNanoAccount } from '../../../protocol/nano/account.ts'

const upper = (digits: number) =>
  z
    .string()
    .regex(new RegExp(`^[0-9a-fA-F]{${digits}}$`))
    .toUpperCase()
const hashSchema = upper(64)
const raw = z
  .string()
  .regex(/^\d{1,39}$/)
  .transform(BigInt)
const account = z
  .string()
  .max(65)
  .transform((text, context) => {
    const key = parseNanoAccount(text)
    if (key) return formatNanoAccount(key)
    context.addIssue('not a Nano account')
    return z.NEVER
  })
const flag = z.union([z.boolean(), z.enum(['true', 'false']).transform((text) => text === 'true')])

export const refusalSchema = z.object({ error: z.string() })

/** @see https://docs.nano.org/commands/rpc-protocol/#account_info */
export const accountInfoSchema = z
  .object({ frontier: hashSchema, confirmation_height_frontier: hashSchema })
  .transform((info) => ({
    /** Newest block, confirmed or not. */
    frontier: info.frontier,
    /** Newest confirmed block; zeros when none is. */
    confirmedFrontier: info.confirmation_height_frontier,
  }))

const stateBlockSchema = z.object({
  type: z.literal('state'),
  account,
  previous: hashSchema,
  representative: account,
  balance: raw,
  link: hashSchema,
  signature: upper(128),
})

/**
 * Older types of blocks have other contents, of which we need nothing.
 * @see https://docs.nano.org/commands/rpc-protocol/#block_info
 */
export const blockInfoSchema = z
  .object({
    balance: raw,
    confirmed: flag,
    successor: hashSchema.optional(),
    contents: z.union([stateBlockSchema, z.object({ type: z.enum(['send', 'receive', 'open', 'change']) })]),
  })
  .transform(({ balance, confirmed, successor, contents }) => ({
    /** Of its account afterwards, as the node has it; a state block says it too. */
    balance,
    confirmed,
    /** The block after it that this node holds; zeros when none is there. */
    successor,
    /** Undefined for a block of another type. */
    block: contents.type === 'state' ? contents : undefined,
  }))

/** @see https://docs.nano.org/commands/rpc-protocol/#receivable */
export const receivableSchema = z.object({
  blocks: z.union([
    z.literal('').transform(() => []),
    z
      .record(z.string(), z.object({ amount: raw, source: account }))
      .transform((blocks) =>
        Object.entries(blocks).map(([hash, { amount, source }]) => ({ hash: hash.toUpperCase(), amount, source })),
      ),
  ]),
})

export const existsSchema = z.object({ exists: z.enum(['0', '1']).transform((text) => text === '1') })

export const processSchema = z.object({ hash: hashSchema })

export const workSchema = z.object({
  work: z
    .string()
    .regex(/^[0-9a-fA-F]{1,16}$/)
    .transform((digits) => digits.toLowerCase().padStart(16, '0')),
})

export type AccountInfo = z.infer<typeof accountInfoSchema>
export type BlockInfo = z.infer<typeof blockInfoSchema>
export type Receivable = z.infer<typeof receivableSchema>['blocks'][number]
