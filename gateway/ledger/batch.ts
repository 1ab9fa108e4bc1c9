/**
 * Gathers what is to be written into transactions: all that comes up before a transaction begins is in it, and while one
 * is being written the next one gathers. So many charges share one flush to the disk, and none waits for a timer.
 */
import type {
  AccountName,
  Changes,
  DepositRow,
  IdempotencyRow,
  LedgerStore,
  OnceRow,
  RefundRow,
  Sums,
  VoucherRow,
} from './store.ts'

/** Rows that go with a change of an account, if any. */
export interface Rows {
  readonly voucher?: VoucherRow
  readonly once?: OnceRow
  readonly forgetsOnce?: AccountName
  readonly idempotency?: IdempotencyRow
  readonly deposit?: DepositRow
  readonly refund?: RefundRow
}

export interface Batches<Account extends AccountName & Sums> {
  /**
   * Adds to the next transaction: the account as it will be when that begins, and rows.
   * @param undo takes the change back out of memory when the transaction fails
   * @returns resolves when it is durable
   * @throws what the store throws; then nothing of the transaction is there
   */
  add(account: Account | undefined, rows: Rows, undo: () => void): Promise<void>
  /** Resolves when nothing is being written. */
  idle(): Promise<void>
}

interface Batch<Account> {
  readonly accounts: Set<Account>
  readonly rows: Rows[]
  readonly undos: (() => void)[]
  readonly durable: PromiseWithResolvers<void>
}

const createBatch = <Account>(): Batch<Account> => {
  const durable = Promise.withResolvers<void>()
  // Whoever added hears of it; nobody may have.
  durable.promise.catch(() => {})
  return { accounts: new Set(), rows: [], undos: [], durable }
}

/**
 * @param turn resolves when what is ready now has had its turn: requests that came together are charged together
 * @param failed is told once memory is as it was before all that is not written
 */
export const createBatches = <Account extends AccountName & Sums>(
  store: Pick<LedgerStore, 'write'>,
  turn: () => Promise<void>,
  failed: () => void,
): Batches<Account> => {
  let next = createBatch<Account>()
  let writing: Promise<void> | undefined

  const take = (): Batch<Account> => {
    const batch = next
    next = createBatch()
    return batch
  }

  const undo = (batches: readonly Batch<Account>[]): void => {
    for (const { undos } of batches.toReversed()) for (const each of undos.toReversed()) each()
  }

  const run = async (): Promise<void> => {
    for (;;) {
      await turn()
      if (next.undos.length === 0) return
      const batch = take()
      try {
        await store.write(changesOf(batch))
        batch.durable.resolve()
      } catch (error) {
        // What gathered meanwhile builds on what is not written.
        const later = take()
        undo([batch, later])
        failed()
        for (const { durable } of [batch, later]) durable.reject(error)
      }
    }
  }

  return {
    add(account, rows, undoes) {
      if (account) next.accounts.add(account)
      next.rows.push(rows)
      next.undos.push(undoes)
      const { promise } = next.durable
      writing ??= run().finally(() => {
        writing = undefined
      })
      return promise
    },
    idle: () => writing ?? Promise.resolve(),
  }
}

/** Of rows of one key the last counts: a statement may not meet a row twice. */
const changesOf = <Account extends AccountName & Sums>({ accounts, rows }: Batch<Account>): Changes => {
  const vouchers: VoucherRow[] = []
  const once: OnceRow[] = []
  const onceForgotten: AccountName[] = []
  const idempotency = new Map<string, IdempotencyRow>()
  const deposits = new Map<string, DepositRow>()
  const refunds = new Map<string, RefundRow>()
  for (const row of rows) {
    if (row.voucher) vouchers.push(row.voucher)
    if (row.once) once.push(row.once)
    if (row.forgetsOnce) onceForgotten.push(row.forgetsOnce)
    if (row.idempotency) idempotency.set(keyOf(row.idempotency, row.idempotency.key), row.idempotency)
    if (row.deposit) deposits.set(keyOf({ book: row.deposit.book, account: '' }, row.deposit.id), row.deposit)
    if (row.refund) refunds.set(row.refund.id, row.refund)
  }
  return {
    accounts: [...accounts],
    vouchers,
    once,
    onceForgotten,
    idempotency: [...idempotency.values()],
    deposits: [...deposits.values()],
    refunds: [...refunds.values()],
  }
}

const keyOf = ({ book, account }: AccountName, key: string): string => JSON.stringify([book, account, key])
