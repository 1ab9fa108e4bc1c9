/** One run of the market world: faults rage while commands are carried out, then all faults stop and all must be well. */
import { registryCall } from '../chain/contracts.ts'
import type { ChroveEvent } from '../chain/events.ts'
import { ZERO_ADDRESS } from '../chain/types.ts'
import { commandList, type Command } from './commands.ts'
import type { Plan, Scenario } from './campaign.ts'
import { breachOf, outcomeOf, type Outcome } from './outcome.ts'
import { createSimNativeJose } from './jose.ts'
import { createPerformer } from './perform.ts'
import { checkAuthority } from './properties/authority.ts'
import { checkCashed, checkChannels, checkNamed } from './properties/channels.ts'
import { endTwoEach, checkDelivery, checkRevoked } from './properties/delivery.ts'
import { checkDirectoryAtEnd } from './properties/directory.ts'
import { checkHeld, checkMoney } from './properties/money.ts'
import { createAnswerCheck } from './properties/paid-access.ts'
import { checkPurchases } from './properties/purchases.ts'
import { retell } from './properties/retell.ts'
import { checkVendorStores } from './properties/vendor-store.ts'
import { checkViews } from './properties/views.ts'
import { hireCaretaker } from './world/caretaker.ts'
import type { Ground } from './world/deployment.ts'
import { openMarketWorld, type Market } from './world/market.ts'
import { planOf, type MarketModel } from './world/model.ts'
import { REACHABLE, type Reachable } from './world/reached.ts'
import { registeredForm } from '../vendor/keys.ts'
import type { Breach, Sabotage, World } from './world/world.ts'

/** The contract's balance is looked at after so many commands. */
const COMMANDS_PER_LOOK = 10

/** Virtual time that the second phase may take, milliseconds. */
const RECOVERY_MS = 4 * 3_600_000
const STEP_MS = 20_000
const STEPS_MAX = 200
const CATCH_UP_MS = 300_000
/** What a program sent before it died has reached its node by then. */
const ARRIVAL_MS = 10_000
/** While checks need the chain to stand still. */
const NO_BLOCKS_MS = 10 * RECOVERY_MS

const runMarket = async (ground: Ground, { seed, commands }: Plan<Command>, sabotage: Sabotage): Promise<Outcome> => {
  let market: Market | undefined
  let done = 0
  let fault: Breach | undefined
  try {
    const jose = createSimNativeJose({ bytes: (length) => new Uint8Array(length) }, { take: noKeys })
    market = await openMarketWorld(ground, seed, sabotage, createAnswerCheck(jose))
    const { world, vendors, buyers, tills, indexer } = market
    const performer = createPerformer(market)
    const caretaker = hireCaretaker(world, [...vendors, ...buyers, ...tills, indexer], ({ name }) => {
      world.tell(`${name} has crashed`)
      const kind = (['vendor', 'buyer', 'till'] as const).find((each) => name.startsWith(each)) ?? 'indexer'
      world.reach(`${kind} crashed`)
    })
    for (const { pauseSeconds, ...action } of commands) {
      await performer.perform(action)
      await world.loop.run({ timeMs: world.loop.nowMs() + pauseSeconds * 1000 })
      done++
      if (done % COMMANDS_PER_LOOK === 0) {
        await world.loop.runUntil(checkHeld(world), STEP_MS)
        checkVendorStores(market)
        checkChannels(market)
      }
      if (world.breached()) break
    }
    if (!world.breached()) {
      world.tell('all faults stop, and everything is started again')
      performer.steady()
      world.network.heal()
      caretaker.restartAll()
      await recover(market)
    }
  } catch (error) {
    fault = breachOf(error)
  }
  if (market) reachAtEnd(market.world)
  return outcomeOf(market?.world, fault, done)
}

const noKeys = (): never => {
  throw new Error('a checker makes no keys')
}

/** What the chain tells at the end. */
const reachAtEnd = (world: World): void => {
  for (const { events, market } of world.history.canonical()) {
    for (const event of events) for (const name of reachedBy(event, market)) world.reach(name)
  }
  const { market, block } = world.history.head()
  for (const order of market.orders.values()) {
    if (!order.cancelled && order.endsAt <= block.timestampSeconds) world.reach('order ended by itself')
  }
}

/** @param market after the event's block */
const reachedBy = (event: ChroveEvent, market: MarketModel): readonly Reachable[] => {
  switch (event.type) {
    case 'OrderWithdrawn': {
      const order = market.orders.get(event.orderId)
      const isNative = order && planOf(market, order)?.terms.token === ZERO_ADDRESS
      return event.amount > 0n ? [isNative ? 'withdraw paid' : 'withdraw paid in the token'] : []
    }
    case 'PayoutKept':
      return [event.token === ZERO_ADDRESS ? 'payout kept' : 'payout kept in the token']
    case 'OrderPaid': {
      const isNative = planOf(market, event)?.terms.token === ZERO_ADDRESS
      const isInstant = event.controller === ZERO_ADDRESS
      const order = market.orders.get(event.orderId)
      const isRun = order?.startedAt === event.startedAt && order.periods === event.periods
      return [
        ...(isInstant ? ([isNative ? 'instant plan bought' : 'instant plan bought in the token'] as const) : []),
        ...(isRun && order.paid > event.amount ? (['order bought again after its end'] as const) : []),
      ]
    }
    default:
      return []
  }
}

/** The second phase. */
const recover = async (market: Market): Promise<void> => {
  const { world, buyers, tills } = market
  const { loop, chain, knobs } = world
  const step = (ms: number) => loop.run({ timeMs: loop.nowMs() + ms })
  const until = <T>(work: Promise<T>) => loop.runUntil(work, RECOVERY_MS)

  await until(chain.restoreDropped())
  world.pace(knobs.blockMs)
  for (let steps = 0; buyers.some(({ intents }) => intents.some(({ state }) => state === 'open')); steps++) {
    if (steps === STEPS_MAX) return world.breach('purchases end once faults stop', 'one is still open')
    await step(STEP_MS)
    if (world.breached()) return
  }
  // A change of keys that is under way comes first: judged before it is mined, the listing would seem right.
  await step(ARRIVAL_MS + knobs.blockMs)
  await until(repairListings(market))
  for (const buyer of buyers) await until(buyer.resume())
  // Vendors see what is deep enough at one turn, and act on it at the next.
  const settleMs = (knobs.confirmations + 2) * knobs.blockMs + 3 * knobs.pollMs
  await step(settleMs)
  await until(checkDelivery(market))
  if (world.breached()) return
  await until(endTwoEach(market))
  for (const till of tills) await until(till.claim())
  await step(settleMs)
  checkVendorStores(market)
  for (const check of [checkRevoked, checkPurchases]) if (!world.breached()) await until(check(market))
  world.pace(NO_BLOCKS_MS)
  // A block that was being made when blocks stopped is made.
  await step(1)
  if (!world.breached()) await until(checkDirectoryAtEnd(market, CATCH_UP_MS))
  if (!world.breached()) await until(checkViews(world))
  if (world.breached()) return
  const retold = await until(retell(world))
  checkAuthority(world, retold)
  checkChannels(market)
  checkNamed(market, retold)
  checkCashed(market)
  await until(checkMoney(world, retold))
}

/** What a vendor does when it finds that its listing is not what it should be. */
const repairListings = async ({ world, vendors }: Market): Promise<void> => {
  const { registry } = world.contracts
  for (const vendor of vendors) {
    const listed = world.history.head().market.vendors.get(vendor.vendorId)
    const { signingKey, encryptionKey } = registeredForm(vendor.keys())
    if (listed?.signingKey !== signingKey || listed.encryptionKey !== encryptionKey) {
      const call = registryCall(registry, 'setKeys', vendor.vendorId, signingKey, encryptionKey)
      await vendor.send('its keys again', call)
    }
  }
}

export const marketScenario: Scenario<Command> = {
  name: 'market',
  commandList,
  run: runMarket,
  reachable: REACHABLE,
}
