/**
 * The rail's database: deposits, payments that are to be made, the blocks that were signed for them, and where the
 * service's chain ends. A block is in it before anybody else sees it, so that after any crash it is known for ours.
 */
import { Kysely, sql, type Dialect, type Selectable, type Transaction } from 'kysely'
import type { WorkedBlock } from '../../../protocol/nano/block.ts'
import type { OpenDeposit, Payment, Tip } from './payments.ts'

interface Tables {
  nano_deposits: {
    hash: string
    account: string
    /** Raw, decimal. */
    amount: string
    /** Hash of the block before it in the payer's chain: who stands there instead undoes it. */
    previous: string
    /** `seen` until the ledger has it, then `credited`; `received` once it is in our chain, `revoked` once it is undone. */
    state: 'seen' | 'credited' | 'received' | 'revoked'
    /** Order in which they were seen. */
    place: number
  }
  nano_payments: {
    id: string
    kind: Payment['kind']
    link: string
    /** Raw, decimal. */
    amount: string
    account: string
    /** Hash of the confirmed block that made it; null before. */
    made_by: string | null
    /** Order in which they were wanted. */
    place: number
  }
  nano_blocks: {
    hash: string
    payment_id: string
    /** Every field of the block but its work, JSON. */
    block: string
    /** 16 hex digits; may be replaced. */
    work: string
    /** `live` until it is confirmed, or given up for another one in its place; then it may still be confirmed. */
    state: 'live' | 'confirmed' | 'given-up'
  }
  /** One row, once the chain was read. */
  nano_tip: { id: 1; hash: string; balance: string; representative: string }
}

export type DepositState = Tables['nano_deposits']['state']

export interface KnownDeposit extends OpenDeposit {
  readonly previous: string
  readonly state: DepositState
}

export interface LiveBlock {
  readonly hash: string
  readonly payment: Payment
  readonly block: WorkedBlock
}

export interface NanoStore {
  /** Of these, those that are known. */
  depositsOf(hashes: readonly string[]): Promise<readonly KnownDeposit[]>
  /** In that state, the oldest first. */
  depositsIn(state: DepositState): Promise<readonly KnownDeposit[]>
  /** How many are credited and not received. */
  creditedCount(): Promise<number>
  /** Nothing happens to a deposit that is known. */
  addDeposit(deposit: Omit<KnownDeposit, 'state'>): Promise<void>
  setDeposit(hash: string, state: DepositState): Promise<void>

  /** Nothing happens to a payment that is known. */
  want(payments: readonly Payment[]): Promise<void>
  payment(id: string): Promise<{ readonly payment: Payment; readonly madeBy: string | undefined } | undefined>
  /** Not made yet, the oldest first. */
  wanted(): Promise<readonly Payment[]>
  /** Credited deposits of these accounts that no payment receives, the oldest first. */
  openDeposits(accounts: readonly string[]): Promise<readonly OpenDeposit[]>

  /** The block that is being brought about; there is one at most. */
  live(): Promise<LiveBlock | undefined>
  /** Writes down a signed block of a payment, and the payment if it was not wanted before. */
  addBlock(payment: Payment, hash: string, block: WorkedBlock): Promise<void>
  setWork(hash: string, work: string): Promise<void>
  /** Another block has its place. */
  giveUp(hash: string): Promise<void>
  /** Whether this block was signed by us. */
  isOurs(hash: string): Promise<boolean>
  /** The chain is confirmed up to here; of its blocks these are ours, and what they pay is made. */
  advance(tip: Tip, ours: readonly string[]): Promise<void>
  /** A send was received by a block that is not ours. */
  receivedElsewhere(sendHash: string, receiveHash: string): Promise<void>
  tip(): Promise<Tip | undefined>
  close(): Promise<void>
}

const SCHEMA = [
  sql`create table if not exists nano_deposits (
    hash text primary key, account text not null, amount text not null, previous text not null, state text not null,
    place integer not null unique)`,
  sql`create index if not exists nano_deposits_by_state on nano_deposits (state, account, place)`,
  sql`create table if not exists nano_payments (
    id text primary key, kind text not null, link text not null, amount text not null, account text not null,
    made_by text, place integer not null unique)`,
  sql`create index if not exists nano_payments_by_made on nano_payments (made_by, place)`,
  sql`create table if not exists nano_blocks (
    hash text primary key, payment_id text not null, block text not null, work text not null, state text not null)`,
  sql`create index if not exists nano_blocks_by_state on nano_blocks (state)`,
  sql`create index if not exists nano_payments_by_link on nano_payments (link)`,
  sql`create table if not exists nano_tip (
    id integer primary key, hash text not null, balance text not null, representative text not null)`,
]

export const openNanoStore = async (dialect: Dialect): Promise<NanoStore> => {
  const db = new Kysely<Tables>({ dialect })
  await db.transaction().execute(async (tx) => {
    for (const statement of SCHEMA) await statement.execute(tx)
  })
  const inOrder = () => db.selectFrom('nano_deposits').selectAll().orderBy('place')

  return {
    async depositsOf(hashes) {
      if (hashes.length === 0) return []
      return (await inOrder().where('hash', 'in', hashes).execute()).map(toDeposit)
    },

    async depositsIn(state) {
      return (await inOrder().where('state', '=', state).execute()).map(toDeposit)
    },

    async creditedCount() {
      const counted = db.selectFrom('nano_deposits').select((eb) => eb.fn.countAll().as('count'))
      return Number((await counted.where('state', '=', 'credited').executeTakeFirst())?.count ?? 0)
    },

    async addDeposit({ hash, account, amount, previous }) {
      await db.transaction().execute(async (tx) => {
        const place = await nextPlace(tx, 'nano_deposits')
        const row = { hash, account, amount: String(amount), previous, state: 'seen' as const, place }
        await tx
          .insertInto('nano_deposits')
          .values(row)
          .onConflict((conflict) => conflict.doNothing())
          .execute()
      })
    },

    async setDeposit(hash, state) {
      await db.updateTable('nano_deposits').set({ state }).where('hash', '=', hash).execute()
    },

    async want(payments) {
      await db.transaction().execute(async (tx) => {
        for (const payment of payments) await insertPayment(tx, payment)
      })
    },

    async payment(id) {
      const row = await db.selectFrom('nano_payments').selectAll().where('id', '=', id).executeTakeFirst()
      return row && { payment: toPayment(row), madeBy: row.made_by ?? undefined }
    },

    async wanted() {
      const rows = db.selectFrom('nano_payments').selectAll().where('made_by', 'is', null).orderBy('place')
      return (await rows.execute()).map(toPayment)
    },

    async openDeposits(accounts) {
      if (accounts.length === 0) return []
      const rows = inOrder()
        .where('state', '=', 'credited')
        .where('account', 'in', accounts)
        .where(({ not, exists, selectFrom }) =>
          not(
            exists(
              selectFrom('nano_payments')
                .select('id')
                .whereRef('nano_payments.link', '=', 'nano_deposits.hash')
                .where('nano_payments.kind', '=', 'receive'),
            ),
          ),
        )
      return (await rows.execute()).map(toDeposit)
    },

    async live() {
      const row = await db
        .selectFrom('nano_blocks')
        .innerJoin('nano_payments', 'nano_payments.id', 'nano_blocks.payment_id')
        .selectAll('nano_payments')
        .select(['nano_blocks.hash', 'nano_blocks.block', 'nano_blocks.work'])
        .where('nano_blocks.state', '=', 'live')
        .executeTakeFirst()
      return row && { hash: row.hash, payment: toPayment(row), block: toBlock(row.block, row.work) }
    },

    async addBlock(payment, hash, { work, ...block }) {
      await db.transaction().execute(async (tx) => {
        await insertPayment(tx, payment)
        const json = JSON.stringify({ ...block, balance: String(block.balance) })
        const row = { hash, payment_id: payment.id, block: json, work, state: 'live' as const }
        const again = { work, state: 'live' as const }
        // The same payment at the same place is the same block.
        await tx
          .insertInto('nano_blocks')
          .values(row)
          .onConflict((same) => same.column('hash').doUpdateSet(again))
          .execute()
      })
    },

    async setWork(hash, work) {
      await db.updateTable('nano_blocks').set({ work }).where('hash', '=', hash).execute()
    },

    async giveUp(hash) {
      await db.updateTable('nano_blocks').set({ state: 'given-up' }).where('hash', '=', hash).execute()
    },

    async isOurs(hash) {
      return (
        (await db.selectFrom('nano_blocks').select('hash').where('hash', '=', hash).executeTakeFirst()) !== undefined
      )
    },

    async advance({ hash, balance, representative }, ours) {
      await db.transaction().execute(async (tx) => {
        for (const block of ours) {
          await tx.updateTable('nano_blocks').set({ state: 'confirmed' }).where('hash', '=', block).execute()
          const row = await tx
            .selectFrom('nano_blocks')
            .innerJoin('nano_payments', 'nano_payments.id', 'nano_blocks.payment_id')
            .select(['nano_payments.id', 'nano_payments.kind', 'nano_payments.link'])
            .where('nano_blocks.hash', '=', block)
            .executeTakeFirstOrThrow()
          await tx.updateTable('nano_payments').set({ made_by: block }).where('id', '=', row.id).execute()
          if (row.kind === 'receive') await received(tx, row.link)
        }
        const tip = { hash, balance: String(balance), representative }
        await tx
          .insertInto('nano_tip')
          .values({ id: 1, ...tip })
          .onConflict((row) => row.column('id').doUpdateSet(tip))
          .execute()
      })
    },

    async receivedElsewhere(sendHash, receiveHash) {
      await db.transaction().execute(async (tx) => {
        await tx
          .updateTable('nano_payments')
          .set({ made_by: receiveHash })
          .where('id', '=', `receive:${sendHash}`)
          .where('made_by', 'is', null)
          .execute()
        await received(tx, sendHash)
      })
    },

    async tip() {
      const row = await db.selectFrom('nano_tip').selectAll().executeTakeFirst()
      return row && { hash: row.hash, balance: BigInt(row.balance), representative: row.representative }
    },

    close: () => db.destroy(),
  }
}

const insertPayment = async (tx: Transaction<Tables>, { id, kind, link, amount, account }: Payment): Promise<void> => {
  const place = await nextPlace(tx, 'nano_payments')
  const row = { id, kind, link, amount: String(amount), account, made_by: null, place }
  await tx
    .insertInto('nano_payments')
    .values(row)
    .onConflict((conflict) => conflict.doNothing())
    .execute()
}

const nextPlace = async (tx: Transaction<Tables>, table: 'nano_deposits' | 'nano_payments'): Promise<number> => {
  const row = await tx
    .selectFrom(table)
    .select((eb) => eb.fn.max('place').as('last'))
    .executeTakeFirst()
  return (row?.last ?? 0) + 1
}

const received = async (tx: Transaction<Tables>, hash: string): Promise<void> => {
  await tx.updateTable('nano_deposits').set({ state: 'received' }).where('hash', '=', hash).execute()
}

const toDeposit = (row: Selectable<Tables['nano_deposits']>): KnownDeposit => {
  const { hash, account, amount, previous, state } = row
  return { hash, account, amount: BigInt(amount), previous, state }
}

const toPayment = ({
  id,
  kind,
  link,
  amount,
  account,
}: Omit<Selectable<Tables['nano_payments']>, 'place'>): Payment => ({
  ...{ id, kind, link, amount: BigInt(amount), account },
})

/** Rows are written by `addBlock` alone. */
const toBlock = (json: string, work: string): WorkedBlock => {
  const block = JSON.parse(json) as Omit<WorkedBlock, 'work' | 'balance'> & { readonly balance: string }
  return { ...block, balance: BigInt(block.balance), work }
}
