/**
 * The ledger: what each account has paid, used and taken back, to the smallest unit. A use is reserved, served, and then
 * committed or released. What is reserved is in memory alone; what is committed is durable before the caller goes on. So
 * a crash at any point leaves a use charged once or not at all.
 *
 * Always: charged ≤ signed and charged + refunded + reserved ≤ deposited, but that a deposit which a reorg undoes can
 * take an account below zero: it is then served no more.
 */
import { GatewayError } from '../errors.ts'
import { ACCOUNTS_MAX } from '../limits.ts'
import { createBatches, type Rows } from './batch.ts'
import type { AccountName, DepositRow, IdempotencyRow, LedgerStore, RefundRow, Sums } from './store.ts'

type Writable<T> = { -readonly [Key in keyof T]: T[Key] }

/** An account in memory. Only the ledger writes to it. */
export interface Account extends AccountName, Sums {
  /** For uses under way. */
  readonly reserved: bigint
  /** False once memory was dropped: who still holds it opens the account again. */
  readonly live: boolean
}

type Held = Writable<Account> & {
  /** Changes of it that are not durable yet. */
  writing: number
}

/** Why a use is not possible now. */
export type Shortage = 'suspended' | 'balance' | 'signed'

/** A use that is under way. Ends by exactly one of the two. */
export interface Reservation {
  readonly account: Account
  readonly amount: bigint
  /**
   * Charges it; resolves when that is durable.
   * @param amount what it came to, at most what is reserved
   * @param rows written with the charge or not at all
   * @throws ERR_BUSY when it could not be written: nothing is charged
   */
  commit(rows?: Rows, amount?: bigint): Promise<void>
  /** Gives it back. Does nothing after either of the two. */
  release(): void
}

export interface RefundRequest {
  readonly id: string
  readonly to: string
  readonly authorization: string
  /** Smallest unit; all that can be given back when it is left out. */
  readonly amount?: bigint | undefined
  /** A total that is enough for what was charged, signed in place of a higher one. */
  readonly signed?: { readonly limit: bigint; readonly evidence: string | undefined } | undefined
  readonly nowSeconds: number
}

export interface UsedUp {
  readonly deposits: readonly DepositRow[]
  /** What has to be charged and refunded in all before there are more. */
  readonly nextAt: bigint
}

export interface Ledger {
  /** The account, all zero when nobody has paid for it yet. */
  open(name: AccountName): Account | Promise<Account>
  /** What can still be charged, smallest unit; below zero when a deposit was undone. */
  available(account: Account): bigint
  /** What is there, whoever signed for it: deposited less charged, refunded and reserved. */
  balance(account: Account): bigint
  reserve(account: Account, amount: bigint): Reservation | Shortage
  /** Takes a charge back in part, such as what a stream had paid ahead. Durable when it resolves. */
  giveBack(account: AccountName, amount: bigint): Promise<void>
  /** Writes rows alone. */
  write(rows: Rows): Promise<void>
  /** Lets more be charged. Lower ones than the last change nothing. */
  sign(account: Account, limit: bigint, evidence: string | undefined): Promise<void>
  /** Resolves when the account may have more to spend than now, or when the signal aborts. */
  more(account: Account, signal: AbortSignal): Promise<void>
  hasVoucher: LedgerStore['hasVoucher']
  hasOnce: LedgerStore['hasOnce']
  idempotency(name: AccountName, key: string): Promise<IdempotencyRow | undefined>

  credit(deposit: Omit<DepositRow, 'seq' | 'stands'>): Promise<void>
  revoke(book: string, id: string): Promise<void>
  suspend(name: AccountName, suspended: boolean): Promise<void>
  /** Deposits that are used up and were not told before, the oldest first. */
  usedUp(account: Account): Promise<UsedUp>
  /** They were told. */
  toldUsed(account: Account, deposits: readonly DepositRow[]): Promise<void>

  /**
   * Takes a refund from the account, with the voucher that asked for it. Durable when it resolves.
   * @throws ERR_REFUND_AMOUNT | ERR_BUSY
   */
  refund(account: Account, request: RefundRequest, rows?: Rows): Promise<RefundRow>
  /** A refund was paid, or cannot be and goes back to the account. */
  settleRefund(refund: RefundRow, outcome: { readonly reference: string } | 'failed'): Promise<void>
  pendingRefunds: LedgerStore['pendingRefunds']
  refundOf: LedgerStore['refund']
  accounts: LedgerStore['accounts']
  /** Forgets vouchers and keys that have expired. */
  sweep(nowSeconds: number): Promise<void>
  /** Once nothing is being written. */
  close(): Promise<void>
}

const EMPTY: Sums = {
  deposited: 0n,
  charged: 0n,
  refunded: 0n,
  signed: undefined,
  evidence: undefined,
  suspended: false,
  toldUsed: 0n,
}

/** @param turn see `createBatches` */
export const createLedger = async (store: LedgerStore, turn: () => Promise<void>): Promise<Ledger> => {
  /** The longest unused first. */
  const accounts = new Map<string, Held>()
  const opening = new Map<string, Promise<Held>>()
  /** What deposits will be once what is being written is written. */
  const unwritten = new Map<string, DepositRow>()
  let seq = await store.lastSeq()

  const batches = createBatches<Held>(store, turn, () => {
    // What the database has is no longer known: everything is read again.
    for (const account of accounts.values()) account.live = false
    accounts.clear()
  })

  const busy = (cause?: unknown) =>
    new GatewayError('ERR_BUSY', 'the ledger cannot be written now: try again', { retryable: true, cause })

  /** An account was changed, and has to be the same in the database. Resolves when it is. */
  const changing = async (account: Held, rows: Rows, undo: () => void): Promise<void> => {
    if (!account.live) {
      // Its sums may be old: written, they would undo what came since.
      undo()
      throw busy()
    }
    account.writing++
    try {
      await batches.add(account, rows, undo)
    } catch (error) {
      throw busy(error)
    } finally {
      account.writing--
    }
  }

  const forgetSome = (): void => {
    for (const [key, account] of accounts) {
      if (accounts.size <= ACCOUNTS_MAX) return
      if (account.reserved !== 0n || account.writing > 0) continue
      account.live = false
      accounts.delete(key)
    }
  }

  const load = async (key: string, name: AccountName): Promise<Held> => {
    const sums = (await store.account(name)) ?? EMPTY
    const held: Held = { book: name.book, account: name.account, ...sums, reserved: 0n, live: true, writing: 0 }
    accounts.set(key, held)
    forgetSome()
    return held
  }

  const nameOf = ({ book, account }: AccountName): string => `${book} ${account}`
  const open = (name: AccountName): Held | Promise<Held> => {
    const key = nameOf(name)
    const held = accounts.get(key)
    if (held) {
      if (accounts.size > ACCOUNTS_MAX / 2) {
        accounts.delete(key)
        accounts.set(key, held)
      }
      return held
    }
    const loading = opening.get(key) ?? load(key, name).finally(() => opening.delete(key))
    opening.set(key, loading)
    return loading
  }

  const balance = (account: Account): bigint =>
    account.deposited - account.charged - account.refunded - account.reserved
  const signedRest = ({ signed, charged, reserved }: Account): bigint | undefined =>
    signed === undefined ? undefined : signed - charged - reserved
  const available = (account: Account): bigint => {
    const [held, signed] = [balance(account), signedRest(account)]
    return signed !== undefined && signed < held ? signed : held
  }

  const reserve = (given: Account, amount: bigint): Reservation | Shortage => {
    const account = given as Held
    if (account.suspended) return 'suspended'
    if (balance(account) < amount) return 'balance'
    const signed = signedRest(account)
    if (signed !== undefined && signed < amount) return 'signed'
    account.reserved += amount
    let open_ = true
    return {
      account,
      amount,
      async commit(rows = {}, came = amount) {
        if (!open_) throw new Error('a reservation ends once')
        if (came < 0n || came > amount) throw new Error('a charge is at most what was reserved')
        open_ = false
        account.reserved -= amount
        account.charged += came
        const undo = () => {
          account.charged -= came
        }
        await changing(account, rows, undo)
      },
      release() {
        if (!open_) return
        open_ = false
        account.reserved -= amount
      },
    }
  }

  /** Those who wait for money, by account. */
  const waiting = new Map<string, Set<() => void>>()
  const tellMore = (name: AccountName): void => {
    for (const wake of waiting.get(nameOf(name)) ?? []) wake()
  }

  const depositKey = (book: string, id: string) => JSON.stringify([book, id])
  /** One change of a deposit after the other. */
  let deposits: Promise<unknown> = Promise.resolve()
  const changeDeposit = async (
    book: string,
    id: string,
    decide: (known: DepositRow | undefined) => DepositRow | undefined,
  ): Promise<void> => {
    const turnOfThis = deposits.then(async () => {
      const key = depositKey(book, id)
      const known = unwritten.get(key) ?? (await store.deposit(book, id))
      const row = decide(known)
      if (!row) return { written: Promise.resolve() }
      const account = await open(row)
      const difference = worth(row) - (known ? worth(known) : 0n)
      account.deposited += difference
      unwritten.set(key, row)
      const written = changing(account, { deposit: row }, () => {
        account.deposited -= difference
      }).finally(() => {
        if (unwritten.get(key) === row) unwritten.delete(key)
        tellMore(row)
      })
      return { written }
    })
    deposits = turnOfThis.catch(() => {})
    // Those that come together are written together.
    await (
      await turnOfThis
    ).written
  }

  return {
    open,
    available,
    balance,
    reserve,

    async giveBack(name, amount) {
      const account = await open(name)
      if (amount > account.charged) throw new Error('what is given back was charged before')
      account.charged -= amount
      await changing(account, {}, () => {
        account.charged += amount
      })
    },

    write: (rows) =>
      batches
        .add(undefined, rows, () => {})
        .catch((error: unknown) => {
          throw busy(error)
        }),

    async sign(given, limit, evidence) {
      const account = given as Held
      const { signed: before, evidence: evidenceBefore } = account
      if (limit < account.charged + account.reserved || (before !== undefined && before >= limit)) return
      account.signed = limit
      account.evidence = evidence
      await changing(account, {}, () => {
        account.signed = before
        account.evidence = evidenceBefore
      })
      tellMore(account)
    },

    more: (account, signal) =>
      new Promise((resolve) => {
        const name = nameOf(account)
        const all = waiting.get(name) ?? new Set()
        waiting.set(name, all)
        const wake = () => {
          signal.removeEventListener('abort', wake)
          all.delete(wake)
          if (all.size === 0) waiting.delete(name)
          resolve()
        }
        all.add(wake)
        signal.addEventListener('abort', wake)
      }),

    hasVoucher: store.hasVoucher,
    hasOnce: store.hasOnce,
    idempotency: store.idempotency,

    credit: (deposit) =>
      changeDeposit(deposit.book, deposit.id, (known) => {
        if (known?.stands) return undefined
        return { ...deposit, seq: known?.seq ?? ++seq, stands: true }
      }),

    revoke: (book, id) => changeDeposit(book, id, (known) => (known?.stands ? { ...known, stands: false } : undefined)),

    async suspend(name, suspended) {
      const account = await open(name)
      const before = account.suspended
      if (before === suspended) return
      account.suspended = suspended
      await changing(account, {}, () => {
        account.suspended = before
      })
    },

    async usedUp(account) {
      const all = await store.deposits(account)
      const used = account.charged + account.refunded
      let sum = 0n
      const usedUp = all.filter(({ amount }) => {
        sum += amount
        return sum <= used && sum > account.toldUsed
      })
      sum = 0n
      const next = all.find(({ amount }) => (sum += amount) > used)
      // Without one the next to come is used up no sooner.
      return { deposits: usedUp, nextAt: next ? sum : sum + 1n }
    },

    async toldUsed(given, rows) {
      const account = given as Held
      const sum = rows.reduce((total, { amount }) => total + amount, 0n)
      account.toldUsed += sum
      await changing(account, {}, () => {
        account.toldUsed -= sum
      })
    },

    async refund(given, { id, to, authorization, amount, signed, nowSeconds }, rows = {}) {
      const account = given as Held
      const before = { signed: account.signed, evidence: account.evidence }
      const used = account.charged + account.reserved
      const limit = signed === undefined || signed.limit < used ? before.signed : signed.limit
      const evidence = limit === before.signed ? before.evidence : signed?.evidence
      // What is signed can be cashed: it is not there to be given back.
      const kept = limit !== undefined && limit > used ? limit : used
      const rest = account.deposited - account.refunded - kept
      const wanted = amount ?? rest
      if (wanted <= 0n || wanted > rest) {
        const text = `${rest > 0n ? rest : 0n} of the smallest unit can be given back`
        throw new GatewayError('ERR_REFUND_AMOUNT', text, { more: { refundable: String(rest > 0n ? rest : 0n) } })
      }
      const { book, account: name } = account
      const row: RefundRow = {
        ...{ id, book, account: name, amount: wanted, to, authorization },
        ...{ state: 'pending', reference: '', requestedAtSeconds: nowSeconds },
      }
      account.refunded += wanted
      account.signed = limit
      account.evidence = evidence
      await changing(account, { ...rows, refund: row, forgetsOnce: { book, account: name } }, () => {
        account.refunded -= wanted
        account.signed = before.signed
        account.evidence = before.evidence
      })
      return row
    },

    async settleRefund(refund, outcome) {
      const account = await open(refund)
      const failed = outcome === 'failed'
      const state = failed ? 'failed' : 'paid'
      const back = failed ? refund.amount : 0n
      account.refunded -= back
      await changing(account, { refund: { ...refund, state, reference: failed ? '' : outcome.reference } }, () => {
        account.refunded += back
      })
    },

    pendingRefunds: store.pendingRefunds,
    refundOf: store.refund,
    accounts: store.accounts,
    sweep: store.sweep,

    async close() {
      await batches.idle()
      await store.close()
    },
  }
}

/** What a deposit adds to its account. */
const worth = ({ amount, stands }: DepositRow): bigint => (stands ? amount : 0n)
