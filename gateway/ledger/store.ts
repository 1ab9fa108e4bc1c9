/** The ledger's database: what is asked of it, and one way to write, which is whole or not at all. */
import { Kysely, type CompiledQuery, type Dialect, type Transaction } from 'kysely'
import { GatewayError } from '../errors.ts'
import { SQL_ROWS_PER_STATEMENT } from '../limits.ts'
import { createLedgerTables, type LedgerTables, type RefundState } from './schema.ts'

/** An account's sums, smallest unit. */
export interface Sums {
  readonly deposited: bigint
  readonly charged: bigint
  readonly refunded: bigint
  readonly signed: bigint | undefined
  readonly evidence: string | undefined
  readonly suspended: boolean
  readonly toldUsed: bigint
}

/** Names an account. */
export interface AccountName {
  readonly book: string
  readonly account: string
}

export interface DepositRow extends AccountName {
  readonly id: string
  readonly amount: bigint
  readonly seq: number
  readonly stands: boolean
}

export interface VoucherRow extends AccountName {
  readonly id: string
  readonly untilSeconds: number
}

export interface OnceRow extends AccountName {
  readonly route: string
}

export interface IdempotencyRow extends AccountName {
  readonly key: string
  readonly request: string
  readonly retries: number
  readonly untilSeconds: number
}

export interface RefundRow extends AccountName {
  /** 22 base64url characters. */
  readonly id: string
  readonly amount: bigint
  readonly to: string
  readonly authorization: string
  readonly state: RefundState
  readonly reference: string
  readonly requestedAtSeconds: number
}

/** What one transaction writes. Rows of one key come once. */
export interface Changes {
  readonly accounts: readonly (AccountName & Sums)[]
  readonly deposits: readonly DepositRow[]
  readonly vouchers: readonly VoucherRow[]
  readonly once: readonly OnceRow[]
  /** Routes that an account has to pay again. */
  readonly onceForgotten: readonly AccountName[]
  readonly idempotency: readonly IdempotencyRow[]
  readonly refunds: readonly RefundRow[]
}

export interface LedgerStore {
  account(name: AccountName): Promise<Sums | undefined>
  /** In the sequence of their names: of the book, after that account, so many. */
  accounts(book: string, after: string, count: number): Promise<readonly (AccountName & Sums)[]>
  deposit(book: string, id: string): Promise<DepositRow | undefined>
  /** Those of an account that stand, the oldest first. */
  deposits(name: AccountName): Promise<readonly DepositRow[]>
  lastSeq(): Promise<number>
  hasVoucher(name: AccountName, id: string): Promise<boolean>
  hasOnce(name: AccountName, route: string): Promise<boolean>
  idempotency(name: AccountName, key: string): Promise<IdempotencyRow | undefined>
  refund(id: string): Promise<RefundRow | undefined>
  /** In the sequence in which they were asked for. */
  pendingRefunds(): Promise<readonly RefundRow[]>
  /**
   * Durable when it resolves, else not there at all.
   * @throws ERR_INTERNAL when another process has opened the ledger
   */
  write(changes: Changes): Promise<void>
  /** Forgets vouchers and keys that have expired by that time. */
  sweep(nowSeconds: number): Promise<void>
  close(): Promise<void>
}

/** Opens the ledger, and shuts out every process that has it open. */
export const openLedgerStore = async (dialect: Dialect): Promise<LedgerStore> => {
  const db = new Kysely<LedgerTables>({ dialect })
  try {
    await createLedgerTables(db)
    return createStore(db, await raiseEpoch(db))
  } catch (error) {
    await db.destroy()
    throw error
  }
}

const raiseEpoch = (db: Kysely<LedgerTables>): Promise<number> =>
  db.transaction().execute(async (tx) => {
    await tx
      .insertInto('ledger_epoch')
      .values({ id: 1, epoch: 0 })
      .onConflict((c) => c.doNothing())
      .execute()
    await tx
      .updateTable('ledger_epoch')
      .set((eb) => ({ epoch: eb('epoch', '+', 1) }))
      .execute()
    const { epoch } = await tx.selectFrom('ledger_epoch').select('epoch').executeTakeFirstOrThrow()
    return epoch
  })

const createStore = (db: Kysely<LedgerTables>, epoch: number): LedgerStore => {
  // Built once each: to build a query takes longer than to answer these.
  const accountByName = db.selectFrom('accounts').selectAll().where('book', '=', '').where('account', '=', '').compile()
  const voucherById = db
    .selectFrom('vouchers')
    .select('id')
    .where('book', '=', '')
    .where('account', '=', '')
    .where('id', '=', '')
    .compile()
  const onceByRoute = db
    .selectFrom('once')
    .select('route')
    .where('book', '=', '')
    .where('account', '=', '')
    .where('route', '=', '')
    .compile()
  const keyByName = db
    .selectFrom('idempotency')
    .selectAll()
    .where('book', '=', '')
    .where('account', '=', '')
    .where('key', '=', '')
    .compile()
  /** Changes nothing, and holds the row until the transaction has ended: who takes the ledger over waits for it. */
  const holdEpoch = db.updateTable('ledger_epoch').set({ epoch }).where('epoch', '=', epoch).compile()
  const first = async <Row>(query: CompiledQuery<Row>, ...parameters: string[]): Promise<Row | undefined> =>
    (await db.executeQuery<Row>({ ...query, parameters })).rows[0]
  const bulk = createWriters(db)

  return {
    async account({ book, account }) {
      const row = await first(accountByName, book, account)
      return row && sumsOf(row)
    },
    async accounts(book, after, count) {
      const query = db.selectFrom('accounts').selectAll().where('book', '=', book).where('account', '>', after)
      const rows = await query.orderBy('account').limit(count).execute()
      return rows.map((row) => ({ book, account: row.account, ...sumsOf(row) }))
    },
    async deposit(book, id) {
      const query = db.selectFrom('deposits').selectAll().where('book', '=', book).where('id', '=', id)
      const row = await query.executeTakeFirst()
      return row && depositOf(row)
    },
    async deposits({ book, account }) {
      const query = db.selectFrom('deposits').selectAll().where('book', '=', book).where('account', '=', account)
      const rows = await query.where('stands', '=', 1).orderBy('seq').execute()
      return rows.map(depositOf)
    },
    async lastSeq() {
      const row = await db.selectFrom('deposits').select('seq').orderBy('seq', 'desc').limit(1).executeTakeFirst()
      return row?.seq ?? 0
    },
    hasVoucher: async ({ book, account }, id) => (await first(voucherById, book, account, id)) !== undefined,
    hasOnce: async ({ book, account }, route) => (await first(onceByRoute, book, account, route)) !== undefined,
    async idempotency({ book, account }, key) {
      const row = await first(keyByName, book, account, key)
      return row && { book, account, key, request: row.request, retries: row.retries, untilSeconds: row.until_seconds }
    },
    async refund(id) {
      const row = await db.selectFrom('refunds').selectAll().where('id', '=', id).executeTakeFirst()
      return row && refundOf(row)
    },
    async pendingRefunds() {
      const query = db.selectFrom('refunds').selectAll().where('state', '=', 'pending')
      return (await query.orderBy('requested_at_seconds').orderBy('id').execute()).map(refundOf)
    },
    async write(changes) {
      await db.transaction().execute(async (tx) => {
        const { numAffectedRows } = await tx.executeQuery(holdEpoch)
        if (numAffectedRows !== 1n) throw new GatewayError('ERR_INTERNAL', 'another process has taken the ledger over')
        await bulk.accounts(tx, changes.accounts)
        await bulk.vouchers(tx, changes.vouchers)
        await bulk.once(tx, changes.once)
        await bulk.idempotency(tx, changes.idempotency)
        await bulk.deposits(tx, changes.deposits)
        await bulk.refunds(tx, changes.refunds)
        for (const { book, account } of changes.onceForgotten) {
          await tx.deleteFrom('once').where('book', '=', book).where('account', '=', account).execute()
        }
      })
    },
    async sweep(nowSeconds) {
      await db.deleteFrom('vouchers').where('until_seconds', '<=', nowSeconds).execute()
      await db.deleteFrom('idempotency').where('until_seconds', '<=', nowSeconds).execute()
    },
    close: () => db.destroy(),
  }
}

const sumsOf = (row: LedgerTables['accounts']): Sums => ({
  deposited: BigInt(row.deposited),
  charged: BigInt(row.charged),
  refunded: BigInt(row.refunded),
  signed: row.signed === null ? undefined : BigInt(row.signed),
  evidence: row.evidence ?? undefined,
  suspended: row.suspended === 1,
  toldUsed: BigInt(row.told_used),
})

const depositOf = (row: LedgerTables['deposits']): DepositRow => ({
  book: row.book,
  id: row.id,
  account: row.account,
  amount: BigInt(row.amount),
  seq: row.seq,
  stands: row.stands === 1,
})

const refundOf = (row: LedgerTables['refunds']): RefundRow => ({
  id: row.id,
  book: row.book,
  account: row.account,
  amount: BigInt(row.amount),
  to: row.to_address,
  authorization: row.authorization,
  state: row.state,
  reference: row.reference,
  requestedAtSeconds: row.requested_at_seconds,
})

type Writer<Item> = (tx: Transaction<LedgerTables>, items: readonly Item[]) => Promise<void>

/**
 * Writes many rows by few statements, each compiled once.
 * @param build the statement for so many rows, whose values are placeholders in the sequence of `valuesOf`
 */
const writer = <Item>(
  build: (count: number) => CompiledQuery,
  valuesOf: (item: Item) => readonly (string | number | null)[],
): Writer<Item> => {
  const compiled = new Map<number, CompiledQuery>()
  return async (tx, items) => {
    for (let from = 0; from < items.length;) {
      const left = items.length - from
      const size = SQL_ROWS_PER_STATEMENT.find((each) => each <= left) ?? 1
      const query = compiled.get(size) ?? build(size)
      compiled.set(size, query)
      await tx.executeQuery({ ...query, parameters: items.slice(from, from + size).flatMap(valuesOf) })
      from += size
    }
  }
}

const createWriters = (db: Kysely<LedgerTables>) => {
  const rows = <Row>(count: number, row: Row): Row[] => Array.from({ length: count }, () => row)
  const none = { book: '', account: '' }
  return {
    accounts: writer<AccountName & Sums>(
      (count) => {
        const sums = { deposited: '', charged: '', refunded: '', signed: '', evidence: '', suspended: 0, told_used: '' }
        return db
          .insertInto('accounts')
          .values(rows(count, { ...none, ...sums }))
          .onConflict((conflict) =>
            conflict.columns(['book', 'account']).doUpdateSet((eb) => ({
              deposited: eb.ref('excluded.deposited'),
              charged: eb.ref('excluded.charged'),
              refunded: eb.ref('excluded.refunded'),
              signed: eb.ref('excluded.signed'),
              evidence: eb.ref('excluded.evidence'),
              suspended: eb.ref('excluded.suspended'),
              told_used: eb.ref('excluded.told_used'),
            })),
          )
          .compile()
      },
      ({ book, account, deposited, charged, refunded, signed, evidence, suspended, toldUsed }) => [
        ...[book, account, String(deposited), String(charged), String(refunded)],
        ...[signed === undefined ? null : String(signed), evidence ?? null, suspended ? 1 : 0, String(toldUsed)],
      ],
    ),
    vouchers: writer<VoucherRow>(
      (count) =>
        db
          .insertInto('vouchers')
          .values(rows(count, { ...none, id: '', until_seconds: 0 }))
          .onConflict((conflict) => conflict.doNothing())
          .compile(),
      ({ book, account, id, untilSeconds }) => [book, account, id, untilSeconds],
    ),
    once: writer<OnceRow>(
      (count) =>
        db
          .insertInto('once')
          .values(rows(count, { ...none, route: '' }))
          .onConflict((conflict) => conflict.doNothing())
          .compile(),
      ({ book, account, route }) => [book, account, route],
    ),
    idempotency: writer<IdempotencyRow>(
      (count) =>
        db
          .insertInto('idempotency')
          .values(rows(count, { ...none, key: '', request: '', retries: 0, until_seconds: 0 }))
          .onConflict((conflict) =>
            conflict.columns(['book', 'account', 'key']).doUpdateSet((eb) => ({
              request: eb.ref('excluded.request'),
              retries: eb.ref('excluded.retries'),
              until_seconds: eb.ref('excluded.until_seconds'),
            })),
          )
          .compile(),
      ({ book, account, key, request, retries, untilSeconds }) => [book, account, key, request, retries, untilSeconds],
    ),
    deposits: writer<DepositRow>(
      (count) =>
        db
          .insertInto('deposits')
          .values(rows(count, { book: '', id: '', account: '', amount: '', seq: 0, stands: 0 }))
          .onConflict((conflict) =>
            conflict.columns(['book', 'id']).doUpdateSet((eb) => ({
              account: eb.ref('excluded.account'),
              amount: eb.ref('excluded.amount'),
              seq: eb.ref('excluded.seq'),
              stands: eb.ref('excluded.stands'),
            })),
          )
          .compile(),
      ({ book, id, account, amount, seq, stands }) => [book, id, account, String(amount), seq, stands ? 1 : 0],
    ),
    refunds: writer<RefundRow>(
      (count) =>
        db
          .insertInto('refunds')
          .values(
            rows(count, {
              ...{ id: '', ...none, amount: '', to_address: '', authorization: '' },
              ...{ state: 'pending' as RefundState, reference: '', requested_at_seconds: 0 },
            }),
          )
          .onConflict((conflict) =>
            conflict.column('id').doUpdateSet((eb) => ({
              state: eb.ref('excluded.state'),
              reference: eb.ref('excluded.reference'),
            })),
          )
          .compile(),
      (refund) => [
        ...[refund.id, refund.book, refund.account, String(refund.amount), refund.to, refund.authorization],
        ...[refund.state, refund.reference, refund.requestedAtSeconds],
      ],
    ),
  }
}
