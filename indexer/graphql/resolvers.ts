/** Rows as nodes. Each node keeps the block it was seen at, so that what hangs on it is seen at the same. */
import { toHex } from '../../protocol/bytes.ts'
import { type ChainText, chainText } from '../../protocol/text.ts'
import { formatVendorUri } from '../../protocol/vendor-uri.ts'
import { decodeAmount, decodeWords, planKey } from '../columns.ts'
import { endpointsOf } from '../rows.ts'
import type { EvidenceColumns, GapRow, OrderRow, PlanRow, VendorRow, Versioned } from '../schema.ts'
import type { At, BlockInput } from './block-at.ts'
import type { PlansArguments, RequestContext, Seen } from './context.ts'
import { type HistoryArguments, historyOf, type Rows, type Version } from './history.ts'
import {
  type OrderFilter,
  orderList,
  type OrderOrder,
  type OrderStatus,
  planList,
  type Sorted,
  type VendorFilter,
  vendorList,
  type VendorOrder,
  restsOnProbes,
} from './lists.ts'
import { readMeta } from './meta.ts'
import { formatNodeId, readNode } from './node.ts'
import { type Connection, connection, countRows, type PageArguments, pageRequest, readPage } from './page.ts'
import { probesShown } from './probes.ts'
import { evidenceOf, orderAt, somebody, vendorAt } from './reads.ts'
import { scalars } from './scalars.ts'
import { subscriptionResolvers } from './subscriptions.ts'
import { readSearch } from './search.ts'
import { orderCountOf, readStats, type VolumesArguments, volumesOf } from './sums.ts'

interface AtBlock {
  readonly block?: BlockInput | null
}

type ListArguments<Filter, Order> = PageArguments &
  AtBlock & { readonly filter?: Filter | null; readonly orderBy?: Order | null }

/** A page of a top-level list. */
const page = async <Row extends object>(
  { db }: RequestContext,
  { list, sorting }: Sorted,
  args: PageArguments,
  at: At,
): Promise<Connection<Seen<Row>>> => {
  const request = pageRequest(sorting, args)
  const rows = await readPage<Row>(db, list, request)
  return connection(
    request,
    rows,
    (row) => ({ row, at }),
    (part) => countRows(db, list, request, part),
  )
}

const text = ({ text: cleaned, bytes }: ChainText) => ({ text: cleaned, bytes: () => toHex(bytes) })

const versionEvidence = {
  evidence: ({ row }: Seen<EvidenceColumns & { from_block: number }>) => evidenceOf(row, row.from_block),
}

const statusOf = async ({ row, at }: Seen<OrderRow>, _: unknown, context: RequestContext): Promise<OrderStatus> => {
  if (row.cancelled === 1) return 'CANCELLED'
  const { timestampSeconds } = at.timestampSeconds === undefined ? await context.at({ number: at.number }) : at
  return row.ends_at > (timestampSeconds ?? 0) ? 'RUNNING' : 'ENDED'
}

const history = <Table extends Versioned>(table: Table) => ({
  history: (seen: Seen<Rows[Table]>, args: HistoryArguments, context: RequestContext) =>
    historyOf(context, table, seen, args),
})

/** What a version is called by the kind of thing it is one of. */
const versions = <Kind extends string, Row extends EvidenceColumns>(kind: Kind) => ({
  [kind]: ({ seen }: Version<Row>) => seen,
  evidence: ({ seen, fromBlock }: Version<Row>) => evidenceOf(seen.row, fromBlock),
})

const profileOf = ({ row }: Seen<VendorRow>) => ({
  valid: row.profile_valid === 1,
  title: row.title,
  description: row.description,
  logo: row.logo,
  serviceTypes: () => decodeWords(row.service_types),
  regions: () => decodeWords(row.regions),
  raw: () => text(chainText(row.profile)),
})

/** Resolvers of every field that is not a plain member of what its parent resolved to. */
export const resolvers = {
  ...scalars,
  ...subscriptionResolvers,

  Settlement: { INSTANT: 'Instant', STREAMED: 'Streamed' },

  Query: {
    async vendors(
      _: unknown,
      args: ListArguments<VendorFilter, VendorOrder> & { search?: string | null },
      context: RequestContext,
    ) {
      if (restsOnProbes(args.filter, args.orderBy)) context.restOn(context.probes)
      const at = await context.at(args.block)
      // What was undone stays in the index, and words that are common by it do not rank.
      if (args.search != null) context.restOn(context.writes)
      const search = await readSearch(context.db, args.search)
      return page<VendorRow>(context, vendorList(args.filter, search, args.orderBy, at), args, at)
    },
    async vendor(_: unknown, args: AtBlock & { id: bigint }, context: RequestContext) {
      return vendorAt(context, args.id, await context.at(args.block))
    },
    async plans(_: unknown, args: PlansArguments & AtBlock, context: RequestContext) {
      const at = await context.at(args.block)
      return page<PlanRow>(context, planList(args.filter, args.orderBy, at), args, at)
    },
    async order(
      _: unknown,
      args: AtBlock & { vendorId: bigint; planId: number; keyHash: string },
      context: RequestContext,
    ) {
      return orderAt(context, args, await context.at(args.block))
    },
    async orders(_: unknown, args: ListArguments<OrderFilter, OrderOrder>, context: RequestContext) {
      const at = await context.at(args.block)
      return page<OrderRow>(context, orderList(args.filter, args.orderBy, at), args, at)
    },
    async node(_: unknown, args: AtBlock & { id: string }, context: RequestContext) {
      return readNode(context, args.id, await context.at(args.block))
    },
    async stats(_: unknown, args: AtBlock, context: RequestContext) {
      return readStats(context, await context.at(args.block))
    },
    async _meta(_: unknown, args: AtBlock, context: RequestContext) {
      return readMeta(context, await context.at(args.block))
    },
  },

  Vendor: {
    id: ({ row }: Seen<VendorRow>) => formatNodeId({ type: 'vendor', vendorId: BigInt(row.id) }),
    uri: ({ row }: Seen<VendorRow>, _: unknown, { source }: RequestContext) =>
      formatVendorUri({ chainId: source.chainId, registry: source.registry, vendorId: BigInt(row.id) }),
    vendorId: ({ row }: Seen<VendorRow>) => BigInt(row.id),
    version: ({ row }: Seen<VendorRow>) => row.version,
    owner: ({ row }: Seen<VendorRow>) => row.owner,
    pendingOwner: ({ row }: Seen<VendorRow>) => somebody(row.pending_owner),
    operator: ({ row }: Seen<VendorRow>) => somebody(row.operator),
    payout: ({ row }: Seen<VendorRow>) => row.payout,
    active: ({ row }: Seen<VendorRow>) => row.active === 1,
    signingKey: ({ row }: Seen<VendorRow>) => row.signing_key,
    encryptionKey: ({ row }: Seen<VendorRow>) => row.encryption_key,
    endpoints: ({ row }: Seen<VendorRow>) => endpointsOf(row).map(text),
    profile: profileOf,
    planCount: ({ row }: Seen<VendorRow>) => row.plan_count,
    probes: async ({ row }: Seen<VendorRow>, _: unknown, context: RequestContext) =>
      probesShown(row, await context.probesOf(row.id)),
    uptime: ({ row }: Seen<VendorRow>, _: unknown, context: RequestContext) => context.uptimeOf(row.id),
    createdBlock: ({ row }: Seen<VendorRow>) => row.created_block,
    orderCount: ({ row, at }: Seen<VendorRow>, _: unknown, context: RequestContext) =>
      orderCountOf(context, row.id, at),
    volumes: ({ row, at }: Seen<VendorRow>, args: VolumesArguments, context: RequestContext) =>
      volumesOf(context, row.id, args, at),
    plans: ({ row, at }: Seen<VendorRow>, args: PlansArguments, context: RequestContext) =>
      context.plansOf(row.id, args, at),
    ...history('vendors'),
    ...versionEvidence,
  },
  VendorVersion: versions<'vendor', VendorRow>('vendor'),

  Plan: {
    id: ({ row }: Seen<PlanRow>) =>
      formatNodeId({ type: 'plan', vendorId: BigInt(row.vendor_id), planId: row.plan_id }),
    planId: ({ row }: Seen<PlanRow>) => row.plan_id,
    vendor: ({ row, at }: Seen<PlanRow>, _: unknown, context: RequestContext) => context.vendor(row.vendor_id, at),
    title: ({ row }: Seen<PlanRow>) => text(chainText(row.title_bytes)),
    token: ({ row }: Seen<PlanRow>) => somebody(row.token),
    price: ({ row }: Seen<PlanRow>) => decodeAmount(row.price),
    periodSeconds: ({ row }: Seen<PlanRow>) => row.period_seconds,
    pricePerDay: ({ row }: Seen<PlanRow>) => decodeAmount(row.price_per_day),
    maxPeriods: ({ row }: Seen<PlanRow>) => row.max_periods,
    settlement: ({ row }: Seen<PlanRow>) => row.settlement,
    onSale: ({ row }: Seen<PlanRow>) => row.on_sale === 1,
    createdBlock: ({ row }: Seen<PlanRow>) => row.created_block,
    ...history('plans'),
    ...versionEvidence,
  },
  PlanVersion: versions<'plan', PlanRow>('plan'),

  Order: {
    id: ({ row }: Seen<OrderRow>) => formatNodeId({ type: 'order', orderId: row.id }),
    orderId: ({ row }: Seen<OrderRow>) => row.id,
    vendor: ({ row, at }: Seen<OrderRow>, _: unknown, context: RequestContext) => context.vendor(row.vendor_id, at),
    vendorId: ({ row }: Seen<OrderRow>) => BigInt(row.vendor_id),
    plan: ({ row, at }: Seen<OrderRow>, _: unknown, context: RequestContext) =>
      context.plan(planKey(BigInt(row.vendor_id), row.plan_id), at),
    planId: ({ row }: Seen<OrderRow>) => row.plan_id,
    keyHash: ({ row }: Seen<OrderRow>) => row.key_hash,
    token: ({ row }: Seen<OrderRow>) => (row.token === '' ? null : somebody(row.token)),
    controller: ({ row }: Seen<OrderRow>) => somebody(row.controller),
    status: statusOf,
    startedAt: ({ row }: Seen<OrderRow>) => row.started_at,
    endsAt: ({ row }: Seen<OrderRow>) => row.ends_at,
    periods: ({ row }: Seen<OrderRow>) => row.periods,
    paid: ({ row }: Seen<OrderRow>) => decodeAmount(row.paid),
    refunded: ({ row }: Seen<OrderRow>) => decodeAmount(row.refunded),
    withdrawn: ({ row }: Seen<OrderRow>) => decodeAmount(row.withdrawn),
    createdBlock: ({ row }: Seen<OrderRow>) => row.created_block,
    ...history('orders'),
    ...versionEvidence,
  },
  OrderVersion: versions<'order', OrderRow>('order'),

  Gap: { evidence: (row: GapRow) => evidenceOf(row, row.block_number) },

  Evidence: {
    finalized: async ({ blockNumber }: { blockNumber: number }, _: unknown, context: RequestContext) =>
      blockNumber <= (await context.finalizedNumber()),
  },

  Node: {
    __resolveType: ({ row }: Seen<VendorRow | PlanRow | OrderRow>) =>
      'key_hash' in row ? 'Order' : 'price' in row ? 'Plan' : 'Vendor',
  },
}
