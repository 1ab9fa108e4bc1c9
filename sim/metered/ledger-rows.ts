/** The ledger of a gateway as its disk has it. */
import type { SimHost } from '../host.ts'

export interface AccountRow {
  /** Of the rail and the account. */
  readonly name: string
  readonly book: string
  readonly account: string
  readonly deposited: bigint
  readonly charged: bigint
  readonly refunded: bigint
  readonly signed: bigint | undefined
  readonly evidence: string | undefined
}

export interface RefundRow {
  readonly id: string
  readonly book: string
  readonly account: string
  readonly amount: bigint
  readonly to: string
  readonly state: 'pending' | 'paid' | 'failed'
  readonly reference: string
}

interface Raw {
  readonly book: string
  readonly account: string
}

const nameOf = ({ book, account }: Raw): string => `${book} ${account}`

const sumBy = <T extends Raw>(rows: readonly T[], amountOf: (row: T) => bigint): ReadonlyMap<string, bigint> => {
  const sums = new Map<string, bigint>()
  for (const row of rows) sums.set(nameOf(row), (sums.get(nameOf(row)) ?? 0n) + amountOf(row))
  return sums
}

export const refundRows = (host: SimHost): readonly RefundRow[] => {
  const rows = host.inspect('gateway', 'select * from refunds') as (Raw & {
    id: string
    amount: string
    to_address: string
    state: RefundRow['state']
    reference: string
  })[]
  return rows.map((row) => ({ ...row, amount: BigInt(row.amount), to: row.to_address }))
}

export const accountRows = (host: SimHost): readonly AccountRow[] => {
  const rows = host.inspect('gateway', 'select * from accounts') as (Raw & {
    deposited: string
    charged: string
    refunded: string
    signed: string | null
    evidence: string | null
  })[]
  return rows.map(({ book, account, deposited, charged, refunded, signed, evidence }) => ({
    ...{ name: nameOf({ book, account }), book, account },
    ...{ deposited: BigInt(deposited), charged: BigInt(charged), refunded: BigInt(refunded) },
    signed: signed === null ? undefined : BigInt(signed),
    evidence: evidence ?? undefined,
  }))
}

/** All tables that hold money, but those of a ledger that is not made yet. */
export const ledgerRows = (host: SimHost) => {
  const [{ tables }] = host.inspect('gateway', `select count(*) as tables from sqlite_master where type = 'table'`) as [
    { tables: number },
  ]
  if (tables < TABLES) return { accounts: [], keys: [], once: [], deposits: new Map(), refunds: new Map() } as const
  const keys = host.inspect('gateway', 'select book, account, key from idempotency') as (Raw & { key: string })[]
  const once = host.inspect('gateway', 'select book, account, route from once') as (Raw & { route: string })[]
  const deposits = host.inspect('gateway', 'select * from deposits where stands = 1') as (Raw & { amount: string })[]
  return {
    accounts: accountRows(host),
    keys: keys.map((row) => ({ ...row, name: nameOf(row) })),
    once: once.map((row) => ({ ...row, name: nameOf(row) })),
    deposits: sumBy(deposits, ({ amount }) => BigInt(amount)),
    refunds: sumBy(
      refundRows(host).filter(({ state }) => state !== 'failed'),
      ({ amount }) => amount,
    ),
  }
}

/** Of the ledger. @see gateway/ledger/schema.ts */
const TABLES = 7
