/** What the followed events mean for accounts, told to the ledger. Crashes are repeated, and nothing is told by halves. */
import type { Hash, Hex } from '../../../chain/types.ts'
import type { Log } from '../../../effects/log.ts'
import type { Deposit, Deposits } from '../../rail.ts'
import type { ChannelView } from './channel-view.ts'
import { refundOfRow } from './refund-ids.ts'
import type { Outbox } from './outbox.ts'
import type { RailDatabase, RailTables } from './store.ts'

/** What of the chain concerns a rail. */
export interface Scope {
  readonly railId: string
  /** Whether the channel is one of this rail's. */
  readonly takesChannel?: (view: ChannelView) => boolean
  /** Whether what is paid for this plan is credit of this rail's. */
  readonly takesPlan?: (planId: number) => boolean
}

export interface TellParts {
  readonly db: RailDatabase
  readonly outbox: Pick<Outbox, 'idOf'>
  readonly channel: (channelId: Hex) => Promise<ChannelView | undefined>
  readonly log: Log
  readonly scopes: readonly Scope[]
}

type EventRow = RailTables['events']

const EVENTS_AT_ONCE = 1_000

const idOf = ({ block_hash, log_index }: Pick<EventRow, 'block_hash' | 'log_index'>): string =>
  `${block_hash}:${log_index}`

/**
 * Tells each rail's ledger what is new.
 * @param ledgers by the rails' ids, one for each scope
 */
export const tellLedgers = async (parts: TellParts, ledgers: ReadonlyMap<string, Deposits>): Promise<void> => {
  // First, for what is told of one event may rest on another: all that the ledger may come to know has to be known here.
  while ((await assignSome(parts)) === EVENTS_AT_ONCE);
  await tellUndone(parts, ledgers)
  while ((await tellSome(parts, ledgers)) === EVENTS_AT_ONCE);
}

const tellUndone = async ({ db, channel }: TellParts, ledgers: ReadonlyMap<string, Deposits>): Promise<void> => {
  const rows = await db.selectFrom('undone').selectAll().orderBy('block_hash').orderBy('log_index').execute()
  for (const row of rows) {
    const { account, told_by } = row
    // A rail that was taken out of the settings since has no ledger.
    const deposits = ledgers.get(told_by)
    if (deposits) await Promise.all([deposits.revoke(idOf(row)), suspendAsIs(deposits, channel, account)])
    await db
      .deleteFrom('undone')
      .where('block_hash', '=', row.block_hash)
      .where('log_index', '=', row.log_index)
      .execute()
  }
}

/** Decides by which rail the ledger hears of events. @returns of how many */
const assignSome = async (parts: TellParts): Promise<number> => {
  const rows = await untold(parts.db).where('told_by', 'is', null).execute()
  const told: { readonly row: EventRow; readonly told_by: string }[] = []
  for (const row of rows) told.push({ row, told_by: (await scopeOf(parts, row))?.railId ?? '' })
  await parts.db.transaction().execute(async (tx) => {
    for (const { row, told_by } of told) await update(tx, row, { told_by })
  })
  return rows.length
}

/** @returns how many events were told */
const tellSome = async (parts: TellParts, ledgers: ReadonlyMap<string, Deposits>): Promise<number> => {
  const { db, log } = parts
  const rows = await untold(db).execute()
  // Together, so that the ledger takes them in one transaction.
  await Promise.all(rows.map((row) => tellEvent(parts, ledgers.get(row.told_by ?? ''), row)))
  await db.transaction().execute(async (tx) => {
    for (const row of rows) await update(tx, row, { is_told: 1 })
  })
  const requests = rows.filter(({ type, told_by }) => type === 'WithdrawalRequested' && told_by !== '').length
  if (requests > 0) log.warn('rails.withdrawal-requested', { channels: requests })
  return rows.length
}

const untold = (db: RailDatabase) =>
  db
    .selectFrom('events')
    .selectAll()
    .where('is_told', '=', 0)
    .orderBy('block_number')
    .orderBy('log_index')
    .limit(EVENTS_AT_ONCE)

const update = (tx: RailDatabase, row: EventRow, change: Partial<Pick<EventRow, 'told_by' | 'is_told'>>) =>
  tx
    .updateTable('events')
    .set(change)
    .where('block_number', '=', row.block_number)
    .where('log_index', '=', row.log_index)
    .execute()

const scopeOf = async ({ channel, scopes }: TellParts, row: EventRow): Promise<Scope | undefined> => {
  if (row.type === 'OrderPaid') return scopes.find(({ takesPlan }) => takesPlan?.(row.plan_id ?? 0))
  const view = await channel(row.account as Hex)
  return view && scopes.find(({ takesChannel }) => takesChannel?.(view))
}

const tellEvent = async (
  { outbox, channel }: TellParts,
  deposits: Deposits | undefined,
  row: EventRow,
): Promise<void> => {
  if (!deposits) return
  const { account } = row
  const deposit: Deposit = { id: idOf(row), account, amount: BigInt(row.amount) }
  switch (row.type) {
    case 'ChannelDeposited':
    case 'OrderPaid':
      return deposits.credit(deposit)
    case 'ChannelRefunded': {
      // What the ledger asked for it has taken from the account already.
      const sentFor = await outbox.idOf(row.transaction_hash as Hash)
      return refundOfRow(sentFor) === undefined ? deposits.debit(deposit) : undefined
    }
    case 'WithdrawalRequested':
      return suspendAsIs(deposits, channel, account)
    case 'ChannelWithdrawn':
      await Promise.all([
        deposit.amount > 0n ? deposits.debit(deposit) : undefined,
        suspendAsIs(deposits, channel, account),
      ])
      return
    default:
      // A claim moves to the vendor what was charged already.
      return
  }
}

/** By what is true now, which later events may have changed again. */
const suspendAsIs = async (deposits: Deposits, channel: TellParts['channel'], account: string): Promise<void> => {
  if (!account.startsWith('0x')) return
  const view = await channel(account as Hex)
  await deposits.suspend(account, (view?.withdrawableAt ?? 0) > 0)
}
