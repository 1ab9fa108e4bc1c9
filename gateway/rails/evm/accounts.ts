/** The entries of a gateway's `accounts` that are on an EVM chain, and the rails that they make. */
import { z } from 'zod'
import { createTokenReader } from '../../../chain/token.ts'
import type { Account } from '../../../chain/transactions.ts'
import { type Address, parseAddress, ZERO_ADDRESS } from '../../../chain/types.ts'
import { CommandError } from '../../../effects/command-error.ts'
import { NATIVE_DECIMALS, parseAmount } from '../../../protocol/amount.ts'
import type { DirectRail, Rail } from '../../rail.ts'
import type { Claims } from './claims.ts'
import { type EvmEffects, type EvmSettings, openEvmRails } from './index.ts'
import type { EvidenceBook } from './vouchers.ts'

const address = z.string().transform((text, context): Address => {
  const parsed = parseAddress(text)
  if (parsed) return parsed
  context.addIssue({ code: 'custom', message: 'is 0x and 40 hex digits' })
  return z.NEVER
})

const currency = {
  /** As prices name it, such as ETH or USDC. */
  currency: z
    .string()
    .min(1)
    .max(16)
    .regex(/^[A-Z0-9]+$/i),
  /** Of an ERC-20; left out for the chain's coin. */
  token: address.optional(),
}

const DAY_SECONDS = 86_400
const MONTH_SECONDS = 30 * DAY_SECONDS

export const evmAccountSchema = z.discriminatedUnion('scheme', [
  z.strictObject({
    scheme: z.literal('channel'),
    ...currency,
    /** Channels that a payer can empty sooner are not served. The contract takes 15 minutes to 30 days. */
    withdrawDelayMinSeconds: z.int().min(900).max(MONTH_SECONDS).default(DAY_SECONDS),
    /** All vouchers that are worth it are cashed so often; the shortest of all channels counts. */
    claimEverySeconds: z.int().min(60).max(MONTH_SECONDS).default(DAY_SECONDS),
    /** Whole units; less than that a voucher is not cashed for, unless a withdrawal is about to take it. */
    claimLeast: z
      .string()
      .regex(/^\d{1,40}(\.\d{1,60})?$/)
      .default('0'),
  }),
  z.strictObject({
    scheme: z.literal('order'),
    ...currency,
    /** `Instant` plans in this currency: what is paid for them is credit of the key that they are bought for. */
    plans: z.array(z.int().min(1)).min(1).max(64),
  }),
  z.strictObject({
    scheme: z.literal('x402'),
    ...currency,
    token: address,
    /** Who is paid; the vendor's account when left out. */
    payTo: address.optional(),
  }),
])

export type EvmAccount = z.infer<typeof evmAccountSchema>

/** What all entries share. */
type EvmChainSettings = Omit<EvmSettings, 'channels' | 'orders' | 'x402' | 'claims'>

export interface EvmAccounts {
  /** By the names of their entries. */
  readonly rails: ReadonlyMap<string, Rail | DirectRail>
  readonly claims: Claims
  close(): Promise<void>
}

/**
 * Makes the rails of these entries.
 * @param account the vendor's; nothing else in this process sends for it
 * @throws ERR_SETTINGS_INVALID for entries that fit neither each other nor the chain; ChainError
 */
export const openEvmAccounts = async (
  effects: EvmEffects,
  settings: EvmChainSettings,
  entries: Readonly<Record<string, EvmAccount>>,
  account: Account,
  book: EvidenceBook,
): Promise<EvmAccounts> => {
  const tokens = createTokenReader(effects.chain)
  const named = await Promise.all(
    Object.entries(entries).map(async ([name, entry]) => {
      const token = entry.token ?? ZERO_ADDRESS
      const decimals = token === ZERO_ADDRESS ? NATIVE_DECIMALS : (await tokens.facts(token)).decimals
      if (decimals === undefined)
        throw new CommandError('ERR_SETTINGS_INVALID', `account ${name}: the token does not tell its decimals`)
      return { name, entry, token, currency: { code: entry.currency, decimals } }
    }),
  )
  const of = <Scheme extends EvmAccount['scheme']>(scheme: Scheme) =>
    named.flatMap(({ name, entry, ...rest }) =>
      entry.scheme === scheme ? [{ name, entry: entry as Extract<EvmAccount, { scheme: Scheme }>, ...rest }] : [],
    )
  const [channels, orders, x402] = [of('channel'), of('order'), of('x402')]
  for (const alike of [channels, orders]) {
    if (new Set(alike.map(({ token }) => token)).size < alike.length) {
      throw new CommandError(
        'ERR_SETTINGS_INVALID',
        'two accounts of one scheme are in the same currency: one is enough',
      )
    }
  }
  const least = new Map(
    channels.map(({ token, entry, currency: { decimals } }) => [token, parseAmount(entry.claimLeast, decimals) ?? 0n]),
  )
  const everySeconds = Math.min(DAY_SECONDS, ...channels.map(({ entry }) => entry.claimEverySeconds))
  const opened = await openEvmRails(
    effects,
    {
      ...settings,
      channels: channels.map(({ entry: { withdrawDelayMinSeconds }, ...one }) => ({
        ...pick(one),
        withdrawDelayMinSeconds,
      })),
      orders: orders.map(({ entry, ...one }) => ({ ...pick(one), planIds: entry.plans })),
      x402: x402.map(({ entry, ...one }) => ({ ...pick(one), payTo: entry.payTo ?? account.address })),
      claims: { everySeconds, least },
    },
    account,
    book,
  )
  const names = [...channels, ...orders, ...x402].map(({ name }) => name)
  const rails = [...opened.rails, ...opened.direct]
  return {
    rails: new Map(names.map((name, at) => [name, rails[at] as Rail | DirectRail])),
    claims: opened.claims,
    close: opened.close,
  }
}

const pick = ({ token, currency: { code, decimals } }: { token: Address; currency: Rail['currency'] }) => ({
  token,
  currency: { code, decimals },
})
