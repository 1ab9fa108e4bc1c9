/** What a vendor has earned, read from the chain for its commands. */
import { createContractReader, type Listing, type OrderState } from '../../chain/contracts.ts'
import { createFollower } from '../../chain/follower.ts'
import { isCaughtUp } from '../../chain/run-steps.ts'
import { type Address, ZERO_ADDRESS } from '../../chain/types.ts'
import type { Session } from '../../effects/command.ts'
import type { PaidOrder } from '../orders.ts'
import type { VendorSettings } from '../settings.ts'
import { openVendorStore } from '../store.ts'
import { currencyJson, moneyText, readCurrencies, type Currency } from './money.ts'

/** Reads of the chain under way at once. */
const READS_AT_ONCE = 16

/** An order as the chain has it now. */
export interface Earning {
  readonly order: PaidOrder
  readonly state: OrderState
  /** Of its plan; zero for the coin. */
  readonly token: Address
}

/** Amounts of one currency. */
export interface Sum {
  readonly currency: Currency
  readonly amount: bigint
}

export interface Earnings {
  readonly payments: Address
  readonly listing: Listing
  readonly earnings: readonly Earning[]
  /** The currencies that plans are in, the coin first. */
  readonly currencies: ReadonlyMap<Address, Currency>
  /** What the payout account refused and Payments keeps for it. */
  readonly kept: readonly (Sum & { readonly token: Address })[]
}

/** Reads the vendor's orders into a database of its own: a running service has the other one. */
export const readEarnings = async (session: Session, settings: VendorSettings): Promise<Earnings> => {
  const { effects, signal } = session
  const registry = settings.registry as Address
  const vendorId = BigInt(settings.vendorId)
  const reader = createContractReader(effects.chain)
  const payments = await reader.paymentsOf(registry, 'latest', signal)
  const listing = await reader.listing(registry, vendorId, 'latest', signal)
  const currencies = await readCurrencies(session, [ZERO_ADDRESS, ...listing.plans.map(({ token }) => token)])
  const keptIn = async ([token, currency]: readonly [Address, Currency]) => {
    return { token, currency, amount: await reader.kept(payments, vendorId, token, 'latest', signal) }
  }
  const kept = (await Promise.all([...currencies].map(keptIn))).filter(({ amount }) => amount > 0n)
  const stateOf = async (order: PaidOrder): Promise<Earning> => {
    const { planId, keyHash } = order
    const state = await reader.order(payments, { vendorId, planId, keyHash }, 'latest', signal)
    return { order, state, token: listing.plans[planId - 1]?.token ?? ZERO_ADDRESS }
  }
  const orders = await readOrders(session, settings, payments)
  const earnings: Earning[] = []
  for (let start = 0; start < orders.length; start += READS_AT_ONCE) {
    earnings.push(...(await Promise.all(orders.slice(start, start + READS_AT_ONCE).map(stateOf))))
  }
  return { payments, listing, earnings, currencies, kept }
}

const readOrders = async (session: Session, settings: VendorSettings, payments: Address): Promise<PaidOrder[]> => {
  const { effects, signal } = session
  const { startBlock: fromBlock, finalityBlocks, pollMs } = settings
  const store = await openVendorStore(effects.sql.dialect('vendor-earnings'), BigInt(settings.vendorId))
  try {
    const contracts = { registry: settings.registry as Address, payments }
    const chainId = BigInt(settings.chainId)
    const following = { chainId, contracts, fromBlock, finalityBlocks, confirmations: 0, pollMs }
    const follower = createFollower(effects, following, store)
    session.say('Reading orders from the chain …')
    for (;;) {
      const step = await follower.step(signal)
      if (isCaughtUp(step)) break
      if (step.did === 'distrust') await effects.clock.sleep(pollMs, signal)
    }
    return await store.allOrders()
  } finally {
    await store.close()
  }
}

/** What some orders have earned that was not withdrawn, for each currency of which there is something. */
export const earnedIn = (
  { currencies }: Pick<Earnings, 'currencies'>,
  earnings: readonly Earning[],
): readonly Sum[] => {
  const sums = [...currencies].map(([token, currency]) => {
    const alike = earnings.filter((earning) => earning.token === token)
    return { currency, amount: alike.reduce((sum, { state }) => sum + state.earned, 0n) }
  })
  return sums.filter(({ amount }) => amount > 0n)
}

export const coinIn = (sums: readonly Sum[]): bigint => sums.find(({ currency }) => !currency)?.amount ?? 0n

export const sumsText = (sums: readonly Sum[]): string =>
  sums.map(({ amount, currency }) => moneyText(amount, currency)).join(' and ') || 'nothing'

export const sumsJson = (sums: readonly Sum[]) =>
  sums.map(({ amount, currency }) => ({ ...currencyJson(currency), amount }))
