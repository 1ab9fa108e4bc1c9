/**
 * All ways of paying on one EVM chain, over one follower, one database and one account that sends: payment channels,
 * purchases of credit, and x402. Docs: docs/payment-rails.md.
 */
import { createContractReader } from '../../../chain/contracts.ts'
import type { FollowEffects } from '../../../chain/follower.ts'
import type { Account } from '../../../chain/transactions.ts'
import type { Address } from '../../../chain/types.ts'
import { CommandError } from '../../../effects/command-error.ts'
import type { SqlStore } from '../../../effects/store.ts'
import { paymentsDomain } from '../../../protocol/typed-data.ts'
import type { Currency, DirectRail, Rail } from '../../rail.ts'
import { createChannelRail } from './channel.ts'
import { createClaims, type Claims } from './claims.ts'
import { createFollowing, paymentsOf } from './following.ts'
import { createOrderRail } from './order.ts'
import { createOutbox } from './outbox.ts'
import { channelRailPrefix, orderRailId, x402RailId } from './rail-ids.ts'
import { openRailDatabase, type RailDatabase } from './store.ts'
import type { Scope } from './tell.ts'
import { createVoucherSource, type EvidenceBook } from './vouchers.ts'
import type { X402Parts } from './x402/index.ts'

export interface EvmEffects extends FollowEffects {
  readonly sql: SqlStore
}

/** A currency of the chain. @property token zero for the native coin */
interface OnChain {
  readonly currency: Currency
  readonly token: Address
}

export interface EvmSettings {
  readonly chainId: bigint
  readonly registry: Address
  readonly vendorId: bigint
  /** First block that can hold events of the registry. */
  readonly startBlock: number
  readonly finalityBlocks: number
  /** How many blocks deep a deposit must be to count, and a refund to be told. */
  readonly confirmations: number
  readonly pollMs: number
  readonly channels: readonly (OnChain & { readonly withdrawDelayMinSeconds: number })[]
  /** @property planIds `Instant` plans whose price is credit */
  readonly orders: readonly (OnChain & { readonly planIds: readonly number[] })[]
  /** Paid by each request. @property payTo who gets it */
  readonly x402: readonly (OnChain & { readonly payTo: Address })[]
  readonly claims: {
    readonly everySeconds: number
    /** Least that a voucher brings to be cashed, smallest unit, by token. */
    readonly least: ReadonlyMap<Address, bigint>
  }
}

export interface EvmRails {
  readonly rails: readonly Rail[]
  readonly direct: readonly DirectRail[]
  /** Cashes vouchers as long as it runs. */
  readonly claims: Claims
  close(): Promise<void>
}

/** Looks for withdrawals that are asked for so often, milliseconds: the shortest delay is 15 minutes. */
const WATCH_MS = 15_000

/**
 * @param account the vendor's; nothing else in this process sends for it
 * @param book what the ledger keeps for channels
 * @throws ERR_SETTINGS_INVALID for plans that are no credit and tokens that x402 cannot be paid in; ChainError
 */
export const openEvmRails = async (
  effects: EvmEffects,
  settings: EvmSettings,
  account: Account,
  book: EvidenceBook,
): Promise<EvmRails> => {
  const { chain } = effects
  const { chainId, registry, vendorId, confirmations } = settings
  const db = await openRailDatabase(effects.sql.dialect('gateway-evm'))
  try {
    const payments = await paymentsOf(db, chain, registry)
    const reader = createContractReader(chain)
    const outbox = createOutbox({ ...effects, db, account })
    const shared = { chainId, registry, payments, vendorId, confirmations }
    const channels = settings.channels.map((one) => {
      return { ...shared, ...one, id: `${channelRailPrefix(chainId, payments, vendorId)}${one.token}` }
    })
    const orders = settings.orders.map((one) => {
      return { ...shared, ...one, id: orderRailId(chainId, payments, vendorId, one.token) }
    })
    await checkPlans(reader, registry, vendorId, settings.orders)
    const scopes: Scope[] = [
      ...channels.map(({ id: railId, token }) => ({
        railId,
        takesChannel: (view: { readonly settings: { readonly token: Address } }) => view.settings.token === token,
      })),
      ...orders.map(({ id: railId, planIds }) => ({ railId, takesPlan: (planId: number) => planIds.includes(planId) })),
    ]
    const following = await createFollowing(effects, { ...settings, payments }, db, outbox, scopes)
    const railIds = channels.map(({ id }) => id)
    const vouchers = createVoucherSource(book, paymentsDomain(chainId, payments), railIds)
    const parts = { ...effects, following, reader, outbox, vouchers, account }
    const direct = settings.x402.length > 0 ? await openX402(parts, settings, db) : []
    const { everySeconds: claimEverySeconds, least } = settings.claims
    return {
      rails: [
        ...channels.map((one) => createChannelRail(parts, one)),
        ...orders.map((one) => createOrderRail(parts, one)),
      ],
      direct,
      claims: createClaims(
        { ...parts, withdrawing: () => following.withdrawing() },
        { payments, claimEverySeconds, watchMs: WATCH_MS, leastOf: (token) => least.get(token) ?? 0n },
      ),
      close: () => db.destroy(),
    }
  } catch (error) {
    await db.destroy()
    throw error
  }
}

/** Its packages are large, and loaded by none who does not use them. */
const openX402 = async (
  parts: X402Parts,
  { chainId, x402 }: EvmSettings,
  db: RailDatabase,
): Promise<readonly DirectRail[]> => {
  const { createX402Rail, readX402Domain } = await import('./x402/index.ts')
  const opened: DirectRail[] = []
  for (const { currency, token, payTo } of x402) {
    const domain = await readX402Domain(db, parts.chain, chainId, token)
    if (!domain)
      throw new CommandError(
        'ERR_SETTINGS_INVALID',
        `x402 cannot be paid in ${currency.code}: the token has no EIP-3009`,
      )
    const id = x402RailId(chainId, token, payTo)
    opened.push(createX402Rail(parts, { id, chainId, currency, token, payTo }, domain))
  }
  return opened
}

/** Money of a plan that can be cancelled is not the vendor's yet: it is no credit. */
const checkPlans = async (
  reader: ReturnType<typeof createContractReader>,
  registry: Address,
  vendorId: bigint,
  orders: EvmSettings['orders'],
): Promise<void> => {
  if (orders.length === 0) return
  const { plans } = await reader.listing(registry, vendorId)
  for (const { planIds, token, currency } of orders) {
    for (const planId of planIds) {
      const plan = plans[planId - 1]
      if (plan?.settlement === 'Instant' && plan.token === token) continue
      throw new CommandError(
        'ERR_SETTINGS_INVALID',
        `plan ${planId} is no credit in ${currency.code}: it must be instant, and in that currency`,
      )
    }
  }
}
