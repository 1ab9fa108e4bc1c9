/** Carries out commands in a world of metered access. What takes time goes on while later commands begin. */
import type { Address } from '../../chain/types.ts'
import { at } from '../arbitraries.ts'
import type { SimHost } from '../host.ts'
import type { MeteredAction } from './commands.ts'
import { goods, UNIT, type Good } from './goods.ts'
import type { Payer } from './payer.ts'
import { SHOP } from './shop.ts'
import type { Metered } from './world.ts'

/** A wait is given so many blocks at most. */
const BLOCKS_PER_WAIT = 60

const sentence = (who: string, { do: name, ...fields }: MeteredAction): string => {
  const details = Object.entries(fields).filter(([field]) => field !== 'client' && field !== 'pauseSeconds')
  const told = details.map(([field, value]) => `${field} ${JSON.stringify(value)}`).join(', ')
  return told === '' ? `${who} ${name}` : `${who} ${name} (${told})`
}

export interface MeteredPerformer {
  perform(action: MeteredAction): Promise<void>
  /** Nothing goes wrong any more by itself: clocks, upstream, whoever is on the way. */
  steady(): void
}

export const createMeteredPerformer = ({ world, shop, payers, eve }: Metered): MeteredPerformer => {
  const { loop, chain, history } = world
  const random = world.random.fork('perform')
  const jumpedMs = new Map<SimHost, number>()
  let accounts = 0
  let isSteady = false

  const payerOf = (index: number) => at(payers, index) as Payer
  const hostOf = (action: { readonly who: 'gateway' | 'client'; readonly client: number }): SimHost =>
    action.who === 'gateway' ? shop.host : payerOf(action.client).host
  const goodOf = (index: number) => goods[index] as Good
  const pathOf = (credit: boolean) => (credit ? '/credit/1' : '/cheap')
  const freshAccount = () => `0xcafe${(++accounts).toString(16).padStart(36, '0')}` as Address

  const reorg = async (action: Extract<MeteredAction, { do: 'reorg' }>): Promise<void> => {
    const depth = Math.min(action.depth, chain.head().number - chain.finalized())
    if (depth < 1) return
    const choose = (hashes: readonly string[]) => {
      const kept = hashes.filter(() => random.chance(action.keep))
      return action.shuffle ? random.shuffle(kept) : kept
    }
    const undone = await world.reorg({ depth, length: depth + action.grow, choose })
    world.tell(`the chain replaced its last ${undone.length} blocks`)
    const mined = new Set(history.canonical().flatMap(({ block }) => block.transactions))
    for (const event of undone.flatMap(({ events }) => events)) {
      const isDeposit = event.type === 'ChannelDeposited' || event.type === 'OrderPaid'
      if (isDeposit && !mined.has(event.evidence.transactionHash)) world.reach('reorg undid a deposit into an account')
    }
  }

  const act = async (action: MeteredAction): Promise<void> => {
    switch (action.do) {
      case 'fetch':
        for (let time = 0; time < action.times; time++) payerOf(action.client).want(goodOf(action.good))
        return
      case 'insist':
        return payerOf(action.client).insist()
      case 'fetch-and-die': {
        const payer = payerOf(action.client)
        payer.want(goodOf(action.good))
        return void loop.schedule(action.afterMs, () => {
          if (!isSteady) payer.crash()
        })
      }
      case 'deposit':
        return void payerOf(action.client).deposit(pathOf(action.credit), BigInt(action.amount) * UNIT)
      case 'refund':
        return void payerOf(action.client).refund(pathOf(action.credit), action.own ? undefined : freshAccount())
      case 'withdraw':
        return void payerOf(action.client).withdraw(action.channel, freshAccount())
      case 'restore-client':
        return payerOf(action.client).restore(action.state)
      case 'crash': {
        const host = hostOf(action)
        if (action.afterWrites === 0) host.crash()
        else host.crashAfterWrites(action.afterWrites)
        return
      }
      case 'trouble':
        return shop.upstream.trouble(action.kind, action.requests)
      case 'replay':
        return void eve.replay(action.heard, action.change)
      case 'change':
        return eve.meddle({ how: 'change', change: action.change }, action.requests)
      case 'keep-back':
        return eve.meddle({ how: 'keep-back' }, action.requests)
      case 'lie':
        return eve.meddle({ how: 'lie', lie: action.lie, total: BigInt(action.total) * UNIT }, action.requests)
      case 'wait': {
        const ms = action.seconds * 1000
        world.pace(Math.max(world.knobs.blockMs, Math.ceil(ms / BLOCKS_PER_WAIT)))
        await loop.run({ timeMs: loop.nowMs() + ms })
        return world.pace(world.knobs.blockMs)
      }
      case 'reorg':
        return loop.runUntil(reorg(action), 1_000)
      case 'restore-transactions':
        return loop.runUntil(chain.restoreDropped(), 1_000)
      case 'cut':
        world.reach('client cut off from the gateway')
        return world.network.partition(payerOf(action.client).name, SHOP)
      case 'join':
        for (const { name } of payers) world.network.join(name, SHOP)
        return
      case 'jump': {
        const host = hostOf(action)
        jumpedMs.set(host, (jumpedMs.get(host) ?? 0) + action.seconds * 1000)
        world.reach('clock of a machine jumped')
        return host.jumpClock(action.seconds * 1000)
      }
      case 'storm': {
        const { rate } = action
        world.reach('storm of faults')
        return world.faults.rage(
          action.of === 'node'
            ? { 'rpc-loss': rate / 2, 'rpc-rate-limit': rate, 'rpc-stale': rate }
            : { 'request-loss': rate, 'response-loss': rate, duplicate: rate, reset: rate / 4 },
        )
      }
      case 'calm':
        return world.faults.calm()
    }
  }

  return {
    perform: (action) => {
      const name =
        'client' in action && !('who' in action && action.who === 'gateway') ? payerOf(action.client).name : SHOP
      world.tell(`> ${sentence(name, action)}`)
      return act(action)
    },
    steady() {
      isSteady = true
      shop.upstream.calm()
      eve.calm()
      for (const host of [shop.host, ...payers.map((each) => each.host)]) {
        host.crashAfterWrites(Infinity)
        host.jumpClock(-(jumpedMs.get(host) ?? 0))
      }
      jumpedMs.clear()
    },
  }
}
