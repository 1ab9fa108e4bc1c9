/** Carries out commands in a market. What takes time goes on while later commands begin. */
import { paymentsCall, registryCall } from '../chain/contracts.ts'
import { ZERO_ADDRESS, type Address, type Hex } from '../chain/types.ts'
import type { Socks5Server } from '../protocol/credentials.ts'
import { at } from './arbitraries.ts'
import type { Action, Who } from './commands.ts'
import type { SimHost } from './host.ts'
import { createMoneyPerformer } from './perform-money.ts'
import { checkDirectoryNow } from './properties/directory.ts'
import { checkLogin, noteRevoked } from './properties/paid-access.ts'
import { strangerOf } from './world/accounts.ts'
import type { BuyerActor } from './world/buyer.ts'
import type { HistoryBlock } from './world/history.ts'
import type { Market } from './world/market.ts'
import { isRunningAt, planKey } from './world/model.ts'
import type { Payer } from './world/payer.ts'
import { createPerson } from './world/person.ts'
import { visitPage } from './world/page.ts'
import { trueClock, type VendorActor } from './world/vendor.ts'

/** A wait is given so many blocks at most. */
const BLOCKS_PER_WAIT = 60

/** How an action reads in a story. */
const sentence = (who: string, action: Action): string => {
  const { do: name, ...fields } = action
  const details = Object.entries(fields)
    .filter(([field]) => !who.startsWith(field))
    .map(([field, value]) => `${field} ${JSON.stringify(value)}`)
  return [who, name, ...(details.length > 0 ? [`(${details.join(', ')})`] : [])].join(' ')
}

interface Machine {
  readonly name: string
  readonly host: SimHost
}

export interface Performer {
  /** Begins an action. */
  perform(action: Action): Promise<void>
  /** Clocks that jumped are put right, and crashes that were to come do not. */
  steady(): void
}

export const createPerformer = (market: Market): Performer => {
  const { world, vendors, buyers, tills, indexer, adversary } = market
  const { chain, contracts, loop, history } = world
  const { registry, payments } = contracts
  const random = world.random.fork('perform')
  const jumpedMs = new Map<string, number>()
  let strangers = 0
  let refunds = 0
  let isSteady = false

  const vendorOf = (index: number) => at(vendors, index) as VendorActor
  const buyerOf = (index: number) => at(buyers, index) as BuyerActor
  const actorsOf = { vendor: vendors, buyer: buyers, directory: [indexer], till: tills } as const
  const actorOf = (who: Who, index: number) => at<Machine>(actorsOf[who], index) as Machine
  const machines: readonly Machine[] = [...vendors, ...buyers, indexer, ...tills]
  const names = machines.map(({ name }) => name)
  const actWithMoney = createMoneyPerformer(market)

  /** Does what takes time in the background; an error that nobody expects ends the run. */
  const begin = (work: Promise<unknown>) => void work

  const browse = async (buyer: BuyerActor, orderId: Hex): Promise<void> => {
    const held = buyer.held.get(orderId)
    const doors = buyer.doors()
    const server = held?.credentials.servers.find((each): each is Socks5Server => each.type === 'socks5')
    const vendor = vendors.find(({ name }) => name === server?.config.address)
    if (!doors || !server || !vendor) return
    const sinceMs = loop.nowMs()
    const visit = await visitPage(doors, server)
    world.tell(`${buyer.name}: visited through ${vendor.name}: ${visit}`)
    if (visit === 'page') world.reach('page fetched through a bought proxy')
    if (visit === 'refused') {
      world.reach('proxy refused a login')
      noteRevoked(world, orderId)
    }
    if (visit === 'page' || visit === 'login') checkLogin(world, vendor, orderId, sinceMs)
  }

  const reorg = async (action: Extract<Action, { do: 'reorg' }>): Promise<void> => {
    const depth = Math.min(action.depth, chain.head().number - chain.finalized())
    if (depth < 1) return
    const choose = (hashes: readonly string[]) => {
      const kept = hashes.filter(() => random.chance(action.keep))
      return action.shuffle ? random.shuffle(kept) : kept
    }
    const undone = await world.reorg({ depth, length: depth + action.grow, choose })
    tellReorg(undone)
  }

  const tellReorg = (undone: readonly HistoryBlock[]) => {
    const now = history.head().market.orders
    world.tell(`the chain replaced its last ${undone.length} blocks`)
    const before = undone.flatMap(({ block }) => block.transactions)
    const mined = history.canonical().flatMap(({ block }) => block.transactions)
    const after = mined.filter((hash) => before.includes(hash))
    const lost = undone.flatMap(({ events }) => events)
    for (const event of lost) {
      if (event.type === 'OrderPaid' && !now.has(event.orderId)) world.reach('reorg undid a payment')
      if (event.type === 'OrderCancelled' && !now.get(event.orderId)?.cancelled)
        world.reach('reorg undid a cancellation')
      if (mined.includes(event.evidence.transactionHash)) continue
      if (event.type === 'ChannelDeposited') world.reach('reorg undid a deposit')
      if (event.type === 'ChannelClaimed') world.reach('reorg undid a claim')
      if (event.type === 'OrderRefunded') world.reach('reorg undid a refund')
    }
    if (before.filter((hash) => after.includes(hash)).join() !== after.join())
      world.reach('reorg changed the order of transactions')
  }

  const stranger = async (text: string): Promise<void> => {
    const account = strangerOf(world.accounts, strangers++)
    const person = createPerson(world, 'stranger', account, { chain: chain.node, clock: trueClock(loop) })
    const key = `0x${'5a'.repeat(32)}` as const
    const keys = { signingKey: key, encryptionKey: key }
    const input = { operator: ZERO_ADDRESS, payout: person.address, ...keys, endpoints: ['203.0.113.9'], profile: text }
    await person.send('registration', registryCall(registry, 'register', input))
  }

  /** One of a vendor's plans; with `money` one that is priced in that. */
  const planOf = (vendor: VendorActor, plan: number, money?: Address): number => {
    const { plans, vendors: listed } = history.head().market
    const ids = Array.from({ length: listed.get(vendor.vendorId)?.planCount ?? 1 }, (_, index) => index + 1)
    const chosen = ids.filter((planId) => {
      const token = plans.get(planKey(vendor.vendorId, planId))?.terms.token
      return money === undefined || token === money
    })
    return at(chosen, plan) ?? 1
  }

  const act = async (action: Action): Promise<void> => {
    switch (action.do) {
      case 'buy-and-die': {
        const { buyer, vendor, plan, afterMs } = action
        void act({ do: 'buy', buyer, vendor, plan, periods: 1 })
        return void loop.schedule(afterMs, () => {
          if (!isSteady) buyerOf(buyer).crash()
        })
      }
      case 'buy': {
        const vendor = vendorOf(action.vendor)
        const { vendors: listed } = history.head().market
        if (listed.get(vendor.vendorId)?.active === false) world.reach('vendor inactive while asked to sell')
        return buyerOf(action.buyer).want({
          vendor: vendor.uri,
          planId: planOf(vendor, action.plan, ZERO_ADDRESS),
          periods: action.periods,
        })
      }
      case 'extend': {
        const buyer = buyerOf(action.buyer)
        const extend = at(buyer.orders(), action.order)
        return extend && buyer.want({ extend, periods: action.periods })
      }
      case 'collect': {
        const buyer = buyerOf(action.buyer)
        const order = at(buyer.orders(), action.order)
        return order && begin(buyer.collect(order, action.refresh))
      }
      case 'browse': {
        const buyer = buyerOf(action.buyer)
        const order = at([...buyer.held.keys()], action.order)
        return order && begin(browse(buyer, order))
      }
      case 'cancel': {
        const buyer = buyerOf(action.buyer)
        const { market: known, block } = history.head()
        const running = buyer.orders().filter((orderId) => {
          const order = known.orders.get(orderId)
          return order && order.controller !== ZERO_ADDRESS && isRunningAt(order, block.timestampSeconds)
        })
        // Now and then one that cannot be cancelled.
        const order = at(action.order === 0 ? buyer.orders() : running, action.order)
        const refundTo = `0xcafe${(++refunds).toString(16).padStart(36, '0')}` as Address
        return order && begin(buyer.cancel(order, refundTo))
      }
      case 'search':
        return begin(buyerOf(action.buyer).search())
      case 'ask-directory':
        return begin(checkDirectoryNow(market))
      case 'withdraw': {
        const vendor = vendorOf(action.vendor)
        const orders = [...history.head().market.orders.values()].filter(({ vendorId }) => vendorId === vendor.vendorId)
        const ids = orders.map(({ orderId }) => orderId)
        if (ids.length === 0) return
        if (orders.some(({ arrears }) => arrears > 0n)) world.reach('arrears withdrawn')
        return begin(vendor.send('withdrawal', paymentsCall(payments, 'withdraw', ids)))
      }
      case 'move': {
        const vendor = vendorOf(action.vendor)
        const endpoints = action.listDeadFirst ? ['nobody.example', `http://${vendor.name}:80/`] : [vendor.name]
        world.reach('vendor moved to another endpoint')
        return begin(vendor.send('new endpoints', registryCall(registry, 'setEndpoints', vendor.vendorId, endpoints)))
      }
      case 'describe': {
        const vendor = vendorOf(action.vendor)
        return begin(vendor.send('new profile', registryCall(registry, 'setProfile', vendor.vendorId, action.text)))
      }
      case 'set-active': {
        const vendor = vendorOf(action.vendor)
        const what = action.active ? 'opening' : 'closing'
        return begin(vendor.send(what, registryCall(registry, 'setActive', vendor.vendorId, action.active)))
      }
      case 'set-sale': {
        const vendor = vendorOf(action.vendor)
        const plan = planOf(vendor, action.plan)
        if (!action.onSale) world.reach('plan taken from sale')
        const call = registryCall(registry, 'setPlanOnSale', vendor.vendorId, plan, action.onSale)
        return begin(vendor.send(`sale of plan ${plan}: ${action.onSale}`, call))
      }
      case 'add-plan': {
        const vendor = vendorOf(action.vendor)
        const terms = { price: BigInt(action.price), periodSeconds: action.periodSeconds, maxPeriods: 1000 }
        const money = action.native ? ZERO_ADDRESS : world.token.address
        const plan = { ...terms, token: money, settlement: 'Streamed' as const, title: 'one more' }
        return begin(vendor.send('a new plan', registryCall(registry, 'addPlan', vendor.vendorId, plan)))
      }
      case 'rotate-keys':
        return begin(vendorOf(action.vendor).rotateKeys())
      case 'register':
        return begin(stranger(action.text))
      case 'wait': {
        // Where polls are far apart, more time passes at the same cost.
        const ms = action.seconds * 1000 * Math.max(1, world.knobs.pollMs / 5_000)
        world.pace(Math.max(world.knobs.blockMs, Math.ceil(ms / BLOCKS_PER_WAIT)))
        await loop.run({ timeMs: loop.nowMs() + ms })
        return world.pace(world.knobs.blockMs)
      }
      case 'reorg':
        return loop.runUntil(reorg(action), 1_000)
      case 'restore':
        await loop.runUntil(chain.restoreDropped(), 1_000)
        return world.reach('dropped transaction restored')
      case 'crash': {
        const { host } = actorOf(action.who, action.index)
        if (action.afterWrites === 0) host.crash()
        else host.crashAfterWrites(action.afterWrites)
        return
      }
      case 'partition': {
        const [a, b] = [at(names, action.a) as string, at(names, action.b) as string]
        if (a === b) return
        world.reach('hosts partitioned')
        return world.network.partition(a, b)
      }
      case 'join':
        for (const a of names) for (const b of names) if (a < b) world.network.join(a, b)
        return
      case 'jump': {
        const { host, name } = actorOf(action.who, action.index)
        jumpedMs.set(name, (jumpedMs.get(name) ?? 0) + action.seconds * 1000)
        world.noteJump(name)
        world.reach('clock jumped')
        return host.jumpClock(action.seconds * 1000)
      }
      case 'storm': {
        const { rate } = action
        world.reach('nodes stormed with faults')
        return world.faults.rage(
          action.of === 'node'
            ? { 'rpc-loss': rate / 2, 'rpc-rate-limit': rate, 'rpc-stale': rate }
            : { 'request-loss': rate, 'response-loss': rate, reset: rate / 4 },
        )
      }
      case 'calm':
        return world.faults.calm()
      case 'replay': {
        const exchange = at(adversary.heard(), action.heard)
        return exchange && begin(adversary.send(exchange.code, vendorOf(action.vendor).name))
      }
      case 'pry': {
        const exchange = at(adversary.heard(), action.heard)
        return exchange && begin(pry(exchange, action.key))
      }
      case 'impersonate': {
        const buyer = buyerOf(action.buyer)
        return begin(impersonate(buyer, action.order, action.other))
      }
      case 'freeload': {
        const vendor = vendorOf(action.vendor)
        return begin(adversary.freeload(vendor, planOf(vendor, action.plan)))
      }
      case 'garbage':
        return begin(adversary.garbage(vendorOf(action.vendor).name))
      default:
        return begin(actWithMoney(action))
    }
  }

  const pry = async (exchange: Parameters<typeof adversary.open>[0], key: number): Promise<void> => {
    if (!(await adversary.open(exchange, key))) return world.reach('stranger could not read an answer')
    const owner = await adversary.ownerOf(exchange)
    if (owner !== adversary.keyHash(key)) world.breach('no credential for another key', 'a stranger opened an answer')
  }

  /** Logs in with the name of one order and the password of another. */
  const impersonate = async (buyer: BuyerActor, order: number, other: number): Promise<void> => {
    const all = [...buyer.held.values()].flatMap(({ credentials }) => credentials.servers)
    const servers = all.filter((each): each is Socks5Server => each.type === 'socks5')
    const [victim, own] = [at(servers, order), at(servers, other)]
    const doors = buyer.doors()
    if (!victim || !own || !doors || victim.config.username === own.config.username) return
    const forged = { ...victim, config: { ...victim.config, password: own.config.password } }
    const visit = await visitPage(doors, forged)
    if (visit === 'page' || visit === 'login')
      world.breach('no credential without payment', `${buyer.name} logged in with the password of another order`)
    if (visit === 'refused') world.reach('proxy refused a login')
  }

  const whoActs = (action: Action): string => {
    if ('buyer' in action) return buyerOf(action.buyer).name
    if ('payer' in action) return (at(market.payers, action.payer) as Payer).name
    return 'vendor' in action ? vendorOf(action.vendor).name : 'world'
  }

  return {
    perform: (action) => {
      world.tell(`> ${sentence(whoActs(action), action)}`)
      return act(action) ?? Promise.resolve()
    },
    steady: () => {
      isSteady = true
      for (const actor of machines) {
        actor.host.crashAfterWrites(Infinity)
        const ms = jumpedMs.get(actor.name)
        if (ms === undefined) continue
        actor.host.jumpClock(-ms)
        world.noteJump(actor.name)
      }
      jumpedMs.clear()
    },
  }
}
