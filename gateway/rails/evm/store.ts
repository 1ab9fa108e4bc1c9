/**
 * The database of the rails on one EVM chain: what the chain says of the vendor's channels and credit orders, what of it
 * the ledger has been told, and every transaction of ours that must happen once.
 */
import { Kysely, sql, type Dialect } from 'kysely'

export interface RailTables {
  /** Blocks that were followed, so that a reorg finds the last one both chains share. */
  blocks: {
    number: number
    hash: string
    /** 1 for the newest block that nothing undoes, else 0. */
    is_finalized: number
  }
  /** Events of channels and orders of this vendor, in the chain's order. */
  events: {
    block_number: number
    /** Among all logs of the block. */
    log_index: number
    block_hash: string
    transaction_hash: string
    type:
      | 'ChannelDeposited'
      | 'ChannelClaimed'
      | 'ChannelRefunded'
      | 'WithdrawalRequested'
      | 'ChannelWithdrawn'
      | 'OrderPaid'
    /** Channel id, or base58 keyId of an order's key. */
    account: string
    /** Smallest unit, decimal; 0 in a withdrawal's request. */
    amount: string
    /** Of a deposit the channel's settings, as JSON; else null. */
    settings: string | null
    /** Unix seconds, of a withdrawal's request; else null. */
    withdrawable_at: number | null
    /** Of an order; else null. */
    plan_id: number | null
    /**
     * The rail by which the ledger hears of it; empty where it concerns no rail; null before that is decided. Written
     * before the ledger is told, so that what it may have heard is revoked when a reorg undoes it.
     */
    told_by: string | null
    /** 1 once the ledger has it for sure. */
    is_told: number
  }
  /** Events that the ledger may have heard of and a reorg has undone. */
  undone: { block_hash: string; log_index: number; account: string; told_by: string }
  /** The Payments contract that a registry vouches for: it never changes. */
  contracts: { registry: string; payments: string }
  /** Domains of signatures of the tokens that x402 is paid in: they never change. */
  token_domains: { token: string; name: string; version: string }
  /** Transactions of the vendor's account that must happen once, as they were signed. */
  transactions: {
    /** What it is for. */
    id: string
    /** Signed; nothing else is ever sent for this row. */
    raw: string
    hash: string
    nonce: number
    /** `signed`: may be mined at any time. `done`: was mined as wished. `failed`: was mined and undone. */
    state: 'signed' | 'done' | 'failed'
    /** Unix seconds after which nobody asks for it again, and the row may go; null for ever. */
    until_seconds: number | null
  }
}

export type RailDatabase = Kysely<RailTables>

const SCHEMA = [
  sql`create table if not exists blocks (
    number integer primary key, hash text not null, is_finalized integer not null default 0)`,
  sql`create table if not exists events (
    block_number integer not null, log_index integer not null, block_hash text not null,
    transaction_hash text not null, type text not null, account text not null, amount text not null, settings text,
    withdrawable_at integer, plan_id integer, told_by text, is_told integer not null default 0,
    primary key (block_number, log_index))`,
  sql`create index if not exists events_by_account on events (account, block_number, log_index)`,
  sql`create index if not exists events_untold on events (block_number, log_index) where is_told = 0`,
  sql`create index if not exists events_requested on events (account) where type = 'WithdrawalRequested'`,
  sql`create table if not exists undone (
    block_hash text not null, log_index integer not null, account text not null, told_by text not null,
    primary key (block_hash, log_index))`,
  sql`create table if not exists contracts (registry text primary key, payments text not null)`,
  sql`create table if not exists token_domains (token text primary key, name text not null, version text not null)`,
  sql`create table if not exists transactions (
    id text primary key, raw text not null, hash text not null, nonce integer not null, state text not null,
    until_seconds integer)`,
  sql`create index if not exists transactions_by_end on transactions (until_seconds)`,
  sql`create index if not exists transactions_by_hash on transactions (hash)`,
]

/** Makes the tables where there are none. */
export const openRailDatabase = async (dialect: Dialect): Promise<RailDatabase> => {
  const db = new Kysely<RailTables>({ dialect })
  await db.transaction().execute(async (tx) => {
    for (const statement of SCHEMA) await statement.execute(tx)
  })
  return db
}
