/**
 * Reads what the ledger keeps for channels, without opening the ledger: a gateway may be running, and a second one would
 * end its right to write.
 */
import { Kysely, type Dialect } from 'kysely'
import { createLedgerTables, type LedgerTables } from '../../ledger/schema.ts'
import type { EvidenceBook } from './vouchers.ts'

export interface LedgerBook extends EvidenceBook {
  /** Rails whose ids begin like this. */
  railIds(prefix: string): Promise<readonly string[]>
  close(): Promise<void>
}

/** @param dialect of the ledger's database */
export const openLedgerBook = async (dialect: Dialect): Promise<LedgerBook> => {
  const db = new Kysely<LedgerTables>({ dialect })
  await createLedgerTables(db)
  const accounts = db.selectFrom('accounts').select(['account', 'evidence'])
  return {
    async of(railId, account) {
      const row = await accounts.where('book', '=', railId).where('account', '=', account).executeTakeFirst()
      return row?.evidence ?? undefined
    },
    async list(railId, after, count) {
      const some = accounts.where('book', '=', railId).where('account', '>', after).orderBy('account').limit(count)
      return (await some.execute()).map(({ account, evidence }) => ({ account, evidence: evidence ?? undefined }))
    },
    async railIds(prefix) {
      const rows = await db.selectFrom('accounts').select('book').distinct().orderBy('book').execute()
      return rows.map(({ book }) => book).filter((book) => book.startsWith(prefix))
    },
    close: () => db.destroy(),
  }
}
