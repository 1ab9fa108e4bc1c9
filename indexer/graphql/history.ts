/** What a vendor, a plan or an order was from block to block. */
import type { OrderRow, PlanRow, VendorRow, Versioned } from '../schema.ts'
import type { Moment } from './block-at.ts'
import type { RequestContext, Seen } from './context.ts'
import { type Direction, historyList } from './lists.ts'
import type { Connection, PageArguments } from './page.ts'
import { pagesPer } from './pages-per.ts'

/** A row as it stood from a block until another, if that is known. */
export interface Version<Row> {
  readonly seen: Seen<Row>
  readonly fromBlock: number
  readonly toBlock: number | null
}

/** Rows of the tables whose history can be read. */
export interface Rows {
  readonly vendors: VendorRow
  readonly plans: PlanRow
  readonly orders: OrderRow
}

export interface HistoryArguments extends PageArguments {
  readonly direction: Direction
}

/** Versions of a row up to the block that it is seen at. */
export const historyOf = async <Table extends Versioned>(
  context: RequestContext,
  table: Table,
  { row, at }: Seen<Rows[Table]>,
  args: HistoryArguments,
): Promise<Connection<Version<Rows[Table]>>> =>
  context
    .shared(['history', table, args, at.number], () =>
      pagesPer(context.db, historyList(table, args.direction, at), args, 'id', (version: Rows[Table]) =>
        versionOf(context, version, at),
      ),
    )
    .load(row.id)

/** What followed on a version is told up to the block that is answered for. */
const versionOf = <Row extends Rows[Versioned]>(context: RequestContext, row: Row, at: Moment): Version<Row> => ({
  seen: { row, at: context.moment(row.from_block) },
  fromBlock: row.from_block,
  toBlock: row.to_block > at.number ? null : row.to_block,
})
