/** A directory's database as it is after many registrations, written without a chain. */
import { Kysely } from 'kysely'
import { type Address, type Evidence, type Hash, ZERO_ADDRESS } from '../../../chain/types.ts'
import { createSqlStore } from '../../../effects/store-node.ts'
import { planRow, vendorRow } from '../../../indexer/rows.ts'
import { createReadingIndexes, type Database } from '../../../indexer/schema.ts'
import { openStore, type Source } from '../../../indexer/store.ts'
import { utf8 } from '../../../protocol/bytes.ts'
import { chainText } from '../../../protocol/text.ts'

const VENDORS_PER_BLOCK = 100
const PLANS_PER_VENDOR = 2
/** Few enough values for SQLite, many enough rows that a statement's own cost does not count. */
const ROWS_PER_STATEMENT = 500

export const SOURCE: Source = {
  chainId: 31_337n,
  registry: `0x${'a'.repeat(40)}` as Address,
  payments: `0x${'b'.repeat(40)}` as Address,
}

const hex = (value: number, digits: number) => `0x${value.toString(16).padStart(digits, '0')}`
export const address = (value: number) => hex(value, 40) as Address
export const hash = (value: number) => hex(value, 64) as Hash
export const text = (value: string) => chainText(utf8(value))

const REGIONS = ['eu', 'us', 'asia', 'africa']

const evidenceOf = (vendorId: number): Evidence => {
  const blockNumber = 1 + Math.floor(vendorId / VENDORS_PER_BLOCK)
  const transactionIndex = vendorId % VENDORS_PER_BLOCK
  return {
    blockNumber,
    blockHash: hash(blockNumber),
    transactionHash: hash(1_000_000 + vendorId),
    transactionIndex,
    logIndex: transactionIndex,
  }
}

const vendorOf = (vendorId: number) =>
  vendorRow(
    {
      vendorId: BigInt(vendorId),
      version: 1 + PLANS_PER_VENDOR,
      owner: address(vendorId),
      pendingOwner: ZERO_ADDRESS,
      operator: address(vendorId + 1),
      payout: address(vendorId + 2),
      // One of eight has closed.
      active: vendorId % 8 !== 0,
      signingKey: hash(vendorId),
      encryptionKey: hash(vendorId + 1),
      endpoints: [text(`http://198.51.100.${vendorId % 250}:${8000 + (vendorId % 1000)}`)],
      profile: text(
        JSON.stringify({
          title: `Vendor ${vendorId}`,
          description: `Proxies since block ${1 + Math.floor(vendorId / VENDORS_PER_BLOCK)}, paid by the hour`,
          serviceTypes: ['proxy'],
          regions: [REGIONS[vendorId % REGIONS.length]],
        }),
      ),
      planCount: PLANS_PER_VENDOR,
      createdBlock: evidenceOf(vendorId).blockNumber,
    },
    evidenceOf(vendorId),
  )

const planOf = (vendorId: number, planId: number) =>
  planRow(
    {
      vendorId: BigInt(vendorId),
      planId,
      token: ZERO_ADDRESS,
      price: 10n ** 15n * BigInt(1 + (vendorId % 97)),
      periodSeconds: 3600 * planId,
      maxPeriods: 720,
      settlement: 'Streamed',
      title: text(`${planId} h`),
      onSale: true,
      createdBlock: evidenceOf(vendorId).blockNumber,
    },
    evidenceOf(vendorId),
  )

/** Writes vendors 1 to this number, each with its plans, under a head that is one block above them. */
export const seedDirectory = async (folder: string, vendors: number): Promise<void> => {
  const db = new Kysely<Database>({ dialect: createSqlStore(folder).dialect('directory') })
  try {
    await openStore(db, SOURCE.registry, async () => SOURCE)
    await db.transaction().execute(async (transaction) => {
      const insert = async <Row>(table: 'vendors' | 'plans' | 'blocks', rows: readonly Row[]) => {
        for (let from = 0; from < rows.length; from += ROWS_PER_STATEMENT) {
          await transaction
            .insertInto(table)
            .values(rows.slice(from, from + ROWS_PER_STATEMENT) as never)
            .execute()
        }
      }
      for (let first = 1; first <= vendors; first += ROWS_PER_STATEMENT) {
        const ids = Array.from({ length: Math.min(ROWS_PER_STATEMENT, vendors - first + 1) }, (_, i) => first + i)
        await insert('vendors', ids.map(vendorOf))
        const planIds = Array.from({ length: PLANS_PER_VENDOR }, (_, i) => i + 1)
        await insert(
          'plans',
          ids.flatMap((vendorId) => planIds.map((planId) => planOf(vendorId, planId))),
        )
      }
      const head = 2 + Math.floor(vendors / VENDORS_PER_BLOCK)
      const headers = Array.from({ length: head + 1 }, (_, number) => ({
        number,
        hash: hash(number),
        parent_hash: hash(Math.max(0, number - 1)),
        timestamp_seconds: 1_700_000_000 + 12 * number,
      }))
      await insert('blocks', headers)
      const checkpoint = { id: 1, finalized_number: Math.max(0, head - 64), head_number: head }
      await transaction.insertInto('checkpoint').values(checkpoint).execute()
      await createReadingIndexes(transaction)
    })
  } finally {
    await db.destroy()
  }
}
