/** A payment channel as its events make it: what the contract's view says of it at the same block. */
import { z } from 'zod'
import type { Address, Hex } from '../../../chain/types.ts'
import { parseJson } from '../../../protocol/json.ts'
import type { RailDatabase } from './store.ts'

/** Settings in the one spelling that the contract and its events have. */
export interface KnownSettings {
  readonly vendorId: bigint
  readonly payer: Address
  readonly signer: Address
  readonly token: Address
  readonly withdrawDelay: number
  readonly salt: Hex
}

export interface ChannelView {
  readonly channelId: Hex
  readonly settings: KnownSettings
  /** Deposited less refunded and withdrawn, smallest units. */
  readonly balance: bigint
  /** Paid to the vendor so far, smallest units. */
  readonly claimed: bigint
  readonly refunds: number
  /** Unix seconds from which a requested withdrawal can be finalized; 0 if none is requested. */
  readonly withdrawableAt: number
}

/** What an event changes of a channel. */
interface ChannelChange {
  readonly type: string
  readonly amount: bigint
  readonly withdrawableAt: number
}

type Funds = Pick<ChannelView, 'balance' | 'claimed' | 'refunds' | 'withdrawableAt'>

const noFunds: Funds = { balance: 0n, claimed: 0n, refunds: 0, withdrawableAt: 0 }

/** A channel after one more event. */
const foldChannel = (before: Funds, { type, amount, withdrawableAt }: ChannelChange): Funds => {
  switch (type) {
    case 'ChannelDeposited':
      return { ...before, balance: before.balance + amount }
    case 'ChannelClaimed':
      return { ...before, claimed: before.claimed + amount }
    case 'ChannelRefunded':
      return { ...before, balance: before.balance - amount, refunds: before.refunds + 1 }
    case 'WithdrawalRequested':
      return { ...before, withdrawableAt }
    default:
      // What is left is withdrawn, and the request is over.
      return { ...before, balance: before.balance - amount, withdrawableAt: 0 }
  }
}

const hex = (bytes: number) => z.string().regex(new RegExp(`^0x[0-9a-f]{${2 * bytes}}$`))
const address = hex(20).transform((text) => text as Address)

const settingsSchema = z.object({
  vendorId: z
    .string()
    .regex(/^[1-9]\d*$/)
    .transform(BigInt),
  payer: address,
  signer: address,
  token: address,
  withdrawDelay: z.int(),
  salt: hex(32).transform((text) => text as Hex),
})

/** Settings as they are stored and sent: JSON, integers of more than 53 bits as decimals. */
export const parseSettings = (json: unknown): KnownSettings => settingsSchema.parse(json)

/** @returns undefined for a channel into which nothing came yet */
export const readChannel = async (db: RailDatabase, channelId: Hex): Promise<ChannelView | undefined> => {
  const rows = await db
    .selectFrom('events')
    .select(['type', 'amount', 'settings', 'withdrawable_at'])
    .where('account', '=', channelId)
    .orderBy('block_number')
    .orderBy('log_index')
    .execute()
  const settings = rows.find((row) => row.settings !== null)?.settings
  if (settings === undefined || settings === null) return undefined
  const changes = rows.map(({ type, amount, withdrawable_at }) => {
    return { type, amount: BigInt(amount), withdrawableAt: withdrawable_at ?? 0 }
  })
  return { channelId, settings: parseSettings(parseJson(settings)), ...changes.reduce(foldChannel, noFunds) }
}

/** Who paid into each channel, by its id. */
export const readPayers = async (db: RailDatabase): Promise<Map<string, Address>> => {
  const rows = await db.selectFrom('events').select(['account', 'settings']).where('settings', 'is not', null).execute()
  return new Map(rows.map(({ account, settings }) => [account, parseSettings(parseJson(settings ?? '')).payer]))
}

/** Channels of which a withdrawal was ever asked for. */
export const readRequested = async (db: RailDatabase): Promise<readonly Hex[]> => {
  const rows = await db
    .selectFrom('events')
    .select('account')
    .distinct()
    .where('type', '=', 'WithdrawalRequested')
    .orderBy('account')
    .execute()
  return rows.map(({ account }) => account as Hex)
}
