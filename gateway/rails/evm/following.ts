/**
 * Follows the vendor's channels and credit orders on one chain, once for all rails of that chain, and tells the ledger of
 * each rail what came in, what left, and what a reorg undid.
 */
import { createContractReader } from '../../../chain/contracts.ts'
import { createFollower, type FollowEffects, type Follower } from '../../../chain/follower.ts'
import type { Projection } from '../../../chain/projection.ts'
import { isCaughtUp, runSteps, type Step } from '../../../chain/run-steps.ts'
import type { Address, Hex } from '../../../chain/types.ts'
import { readChannel, readPayers, readRequested, type ChannelView } from './channel-view.ts'
import { createRailProjection } from './events.ts'
import type { Deposits } from '../../rail.ts'
import type { Outbox } from './outbox.ts'
import { createShared } from './shared.ts'
import type { RailDatabase } from './store.ts'
import { tellLedgers, type Scope } from './tell.ts'

export interface FollowingSettings {
  readonly chainId: bigint
  readonly registry: Address
  readonly payments: Address
  readonly vendorId: bigint
  readonly startBlock: number
  readonly finalityBlocks: number
  /** How many blocks a deposit must be deep to count. */
  readonly confirmations: number
  readonly pollMs: number
}

export interface Following {
  /** Whether everything up to the newest confirmed block is read and told. */
  isCaughtUp(): boolean
  /** A channel as the followed blocks make it. */
  channel(channelId: Hex): Promise<ChannelView | undefined>
  /** Who paid into a channel; undefined for one that is not known. */
  payer(channelId: string): Address | undefined
  /** Channels whose payer asked for what is left. */
  withdrawing(): Promise<readonly Hex[]>
  /**
   * Tells one rail's ledger until the signal aborts; nobody is told before all rails run.
   * @throws FollowError when this is not the chain that was followed
   */
  run(railId: string, deposits: Deposits, signal: AbortSignal): Promise<void>
}

export const createFollowing = async (
  effects: FollowEffects,
  settings: FollowingSettings,
  db: RailDatabase,
  outbox: Pick<Outbox, 'idOf'>,
  scopes: readonly Scope[],
): Promise<Following> => {
  const { registry, payments, vendorId, startBlock: fromBlock, pollMs, ...following } = settings
  const kept = createRailProjection(db, vendorId)
  const ledgers = new Map<string, Deposits>()
  let channels = new Map<Hex, Promise<ChannelView | undefined>>()
  const payers = await readPayers(db)
  let caughtUp = false

  const projection: Projection = {
    recorded: () => kept.recorded(),
    async apply(batch) {
      await kept.apply(batch)
      if (batch.events.length > 0) channels = new Map()
      for (const event of batch.events) {
        if (event.type === 'ChannelDeposited' && event.vendorId === vendorId) payers.set(event.channelId, event.payer)
      }
    },
    async rollBack(to) {
      await kept.rollBack(to)
      channels = new Map()
    },
  }

  const channel = (channelId: Hex): Promise<ChannelView | undefined> => {
    // One that is asked before a change and answered after it must not be kept.
    const current = channels
    const known = current.get(channelId) ?? readChannel(db, channelId)
    current.set(channelId, known)
    // Of strangers' ids there is no end, and what failed is asked again.
    known.then(
      (found) => found ?? current.delete(channelId),
      () => current.delete(channelId),
    )
    return known
  }

  const follower: Follower = createFollower(
    effects,
    { ...following, contracts: { registry, payments }, fromBlock, pollMs },
    projection,
  )

  const step = async (signal: AbortSignal): Promise<Step> => {
    const done = await follower.step(signal)
    // Between the two halves of a reorg nobody is told that money is gone which is about to be back.
    if (!isCaughtUp(done) || ledgers.size < scopes.length) return done
    await tellLedgers({ db, outbox, channel, log: effects.log, scopes }, ledgers)
    caughtUp = true
    return done
  }

  const loop = createShared((signal) => runSteps(effects, step, pollMs, signal))

  return {
    isCaughtUp: () => caughtUp,
    channel,
    payer: (channelId) => payers.get(channelId),
    async withdrawing() {
      const asked = await readRequested(db)
      const views = await Promise.all(asked.map(channel))
      return asked.filter((_, at) => (views[at]?.withdrawableAt ?? 0) > 0)
    },
    async run(railId, deposits, signal) {
      ledgers.set(railId, deposits)
      try {
        await loop(signal)
      } finally {
        ledgers.delete(railId)
      }
    },
  }
}

/** The Payments contract of a registry; asked of the chain once, for it never changes. */
export const paymentsOf = async (
  db: RailDatabase,
  chain: FollowEffects['chain'],
  registry: Address,
): Promise<Address> => {
  const known = await db.selectFrom('contracts').select('payments').where('registry', '=', registry).executeTakeFirst()
  if (known) return known.payments as Address
  const payments = await createContractReader(chain).paymentsOf(registry)
  await db.insertInto('contracts').values({ registry, payments }).execute()
  return payments
}
