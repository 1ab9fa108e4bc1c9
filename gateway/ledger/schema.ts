/**
 * The ledger's tables, for SQLite and PostgreSQL alike. Amounts are decimal text: no column type of both holds 128 bits
 * exactly. Every row of an account begins with its `book`, the id of the rail that it belongs to.
 */
import { type Kysely, sql } from 'kysely'

export interface LedgerTables {
  /** One row. A process that opens the ledger raises it, and from then on no earlier process can write. */
  ledger_epoch: { id: number; epoch: number }
  /** Sums of an account; what came in and went out is in the other tables. */
  accounts: {
    book: string
    account: string
    /** Credits less debits that stand. */
    deposited: string
    charged: string
    /** Refunds taken from the account, paid or under way. */
    refunded: string
    /** All that vouchers allow to be charged; null where deposits alone decide. */
    signed: string | null
    /** What cashes `signed`, in the rail's own form. */
    evidence: string | null
    /** 1 while the payer is about to take the rest. */
    suspended: number
    /** Sum of deposits that the rail was told are used up. */
    told_used: string
  }
  deposits: {
    book: string
    id: string
    account: string
    /** Less than zero for what left by another way than a refund of ours. */
    amount: string
    /** In the sequence in which they came. */
    seq: number
    /** 0 once a reorg undid it. */
    stands: number
  }
  /** Vouchers that were used, so that no restart lets one be used again. */
  vouchers: { book: string; account: string; id: string; until_seconds: number }
  /** What an account has paid once and for all: a route as the settings name it, and a path. */
  once: { book: string; account: string; route: string }
  /** What idempotency keys were charged for. */
  idempotency: {
    book: string
    account: string
    key: string
    /** Digest of method, target and body. */
    request: string
    /** Answers given after the first. */
    retries: number
    until_seconds: number
  }
  refunds: {
    id: string
    book: string
    account: string
    amount: string
    to_address: string
    authorization: string
    state: RefundState
    /** By which the payer finds it on the rail; empty until paid. */
    reference: string
    requested_at_seconds: number
  }
}

export type RefundState = 'pending' | 'paid' | 'failed'

const TABLES = [
  sql`create table if not exists ledger_epoch (id integer primary key, epoch bigint not null)`,
  sql`create table if not exists accounts (
    book text not null, account text not null, deposited text not null, charged text not null, refunded text not null,
    signed text, evidence text, suspended integer not null, told_used text not null, primary key (book, account))`,
  sql`create table if not exists deposits (
    book text not null, id text not null, account text not null, amount text not null, seq bigint not null,
    stands integer not null, primary key (book, id))`,
  sql`create index if not exists deposits_by_account on deposits (book, account, seq)`,
  sql`create table if not exists vouchers (
    book text not null, account text not null, id text not null, until_seconds bigint not null,
    primary key (book, account, id))`,
  sql`create index if not exists vouchers_by_end on vouchers (until_seconds)`,
  sql`create table if not exists once (
    book text not null, account text not null, route text not null, primary key (book, account, route))`,
  sql`create table if not exists idempotency (
    book text not null, account text not null, key text not null, request text not null, retries integer not null,
    until_seconds bigint not null, primary key (book, account, key))`,
  sql`create index if not exists idempotency_by_end on idempotency (until_seconds)`,
  sql`create table if not exists refunds (
    id text primary key, book text not null, account text not null, amount text not null, to_address text not null,
    "authorization" text not null, state text not null, reference text not null, requested_at_seconds bigint not null)`,
  sql`create index if not exists refunds_by_state on refunds (state, requested_at_seconds, id)`,
]

export const createLedgerTables = async (db: Kysely<LedgerTables>): Promise<void> => {
  for (const statement of TABLES) await statement.execute(db)
}
