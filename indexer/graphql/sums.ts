/** How many and how much: of the whole directory, and of a vendor. */
import DataLoader from 'dataloader'
import { type RawBuilder, sql } from 'kysely'
import { type Address, ZERO_ADDRESS } from '../../chain/types.ts'
import { decodeAmount } from '../columns.ts'
import { FILTER_LIST_MAX, TOKENS_TOLD_MAX } from '../limits.ts'
import type { VolumeRow } from '../schema.ts'
import { type At, type Moment, standsAt } from './block-at.ts'
import type { RequestContext } from './context.ts'
import { queryError } from './errors.ts'

export interface VolumesArguments {
  readonly tokens?: readonly string[] | null
}

/** Of all vendors together. */
const ALL = ''

/** @throws ERR_NOT_READY */
export const readStats = async (context: RequestContext, at: At) => {
  const { db } = context
  const totals = await db.selectFrom('totals').selectAll().where(standsAt('totals', at)).executeTakeFirst()
  return {
    block: { number: at.number, hash: at.hash, timestamp: at.timestampSeconds },
    vendors: totals?.vendors ?? 0,
    activeVendors: totals?.active_vendors ?? 0,
    plans: totals?.plans ?? 0,
    plansOnSale: totals?.plans_on_sale ?? 0,
    orders: totals?.orders ?? 0,
    async runningOrders() {
      const running = await db
        .selectFrom('orders')
        .select(({ fn }) => fn.countAll().as('total'))
        .where('ends_at', '>', at.timestampSeconds)
        .where('cancelled', '=', 0)
        // The plus keeps SQLite from reading every row that stands instead of those that run.
        .where(sql<boolean>`+orders.from_block <= ${at.number} and +orders.to_block > ${at.number}`)
        .executeTakeFirstOrThrow()
      return Number(running.total)
    },
    volumes: (args: VolumesArguments) => volumesOf(context, ALL, args, at),
  }
}

/** What was paid to a vendor, by token; most orders first. @throws ERR_FILTER_INVALID */
export const volumesOf = async (context: RequestContext, vendorKey: string, args: VolumesArguments, at: Moment) => {
  const { tokens } = args
  if (tokens && tokens.length > FILTER_LIST_MAX) {
    throw queryError('ERR_FILTER_INVALID', `a filter lists at most ${FILTER_LIST_MAX} values`)
  }
  const wanted = tokens ? oneOf(tokens) : sql`token <> ''`
  const rows = await context
    .shared(['volumes', tokens, at.number], () => volumesLoader(context, wanted, at))
    .load(vendorKey)
  return rows.map(({ token, orders, paid, refunded, withdrawn, volume }) => ({
    token: token === ZERO_ADDRESS ? null : (token as Address),
    orders,
    paid: decodeAmount(paid),
    refunded: decodeAmount(refunded),
    withdrawn: decodeAmount(withdrawn),
    volume: decodeAmount(volume),
  }))
}

const oneOf = (tokens: readonly string[]): RawBuilder<unknown> =>
  tokens.length === 0 ? sql`1 = 0` : sql`token in (${sql.join(tokens)})`

const volumesLoader = ({ db }: RequestContext, wanted: RawBuilder<unknown>, at: Moment) =>
  new DataLoader<string, VolumeRow[]>(async (keys) => {
    const query = sql<VolumeRow>`
      select ranked.* from (
        select volumes.*, row_number() over (partition by vendor_id order by orders desc, token) as place
        from volumes where vendor_id in (${sql.join(keys)}) and ${standsAt('volumes', at)} and ${wanted}
      ) as ranked where place <= ${TOKENS_TOLD_MAX} order by place`
    const byVendor = Map.groupBy((await query.execute(db)).rows, (row) => row.vendor_id)
    return keys.map((key) => byVendor.get(key) ?? [])
  })

/** How many orders a vendor ever had. */
export const orderCountOf = (context: RequestContext, vendorKey: string, at: Moment): Promise<number> =>
  context.shared(['order-counts', at.number], () => orderCountLoader(context, at)).load(vendorKey)

const orderCountLoader = ({ db }: RequestContext, at: Moment) =>
  new DataLoader<string, number>(async (keys) => {
    const counts = await db
      .selectFrom('volumes')
      .select(({ fn }) => ['vendor_id', fn.sum('orders').as('total')])
      .where('vendor_id', 'in', keys)
      .where(standsAt('volumes', at))
      .groupBy('vendor_id')
      .execute()
    const byVendor = new Map(counts.map(({ vendor_id, total }) => [vendor_id, Number(total)]))
    return keys.map((key) => byVendor.get(key) ?? 0)
  })
