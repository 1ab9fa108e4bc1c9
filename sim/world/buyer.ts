/** A buyer: the library on a machine that may crash, and the person who wants things and tries again. */
import { createBuyer, type Buyer, type Credentials, type Purchased, type Wanted } from '../../buyer/lib/index.ts'
import { keyringSchema, type KeyringContent } from '../../buyer/lib/keyring-content.ts'
import type { Address, Hex } from '../../chain/types.ts'
import type { Clock } from '../../effects/clock.ts'
import type { Network } from '../../effects/network.ts'
import { unseal } from '../../protocol/sealed-file.ts'
import { drawClockErrors } from '../clock.ts'
import { createSimHost, type SimHost } from '../host.ts'
import { createSimJose, createSimNativeJose } from '../jose.ts'
import { accountOf } from './accounts.ts'
import type { World } from './world.ts'

const PASSPHRASE = 'a buyer of a simulation'
/** The lowest that the file format has: opening the file is not what is studied. */
const SCRYPT_LOG_N = 10

/** A person tries again after so long, and so often. */
const RETRY_MS = 20_000
const TRIES = 12

/** How often what a command says never reaches its person; drawn for each. */
const LOST_OUTPUT = [0, 0.1, 0.4] as const

/** A purchase that a person has decided on: at most one payment may come of it. */
export interface Intent {
  readonly wanted: Wanted
  state: 'open' | 'paid' | 'given-up'
}

/** Credentials as a buyer holds them. */
export interface Held {
  readonly credentials: Credentials
  readonly orderId: Hex
}

export interface BuyerActor {
  readonly name: string
  readonly host: SimHost
  readonly address: Address
  readonly intents: readonly Intent[]
  /** The newest credentials of each order. */
  readonly held: ReadonlyMap<Hex, Held>
  /** Doors of the present incarnation. */
  doors(): { readonly clock: Clock; readonly network: Network } | undefined
  /** Orders that this person knows of. */
  orders(): readonly Hex[]
  /** Makes the keyring; before anything else. */
  init(): Promise<void>
  start(): void
  crash(): void
  want(wanted: Wanted): void
  collect(orderId: Hex, refresh: boolean): Promise<Credentials | undefined>
  cancel(orderId: Hex, refundTo: Address): Promise<void>
  resume(): Promise<void>
  search(): Promise<void>
  keyring(): Promise<KeyringContent>
}

/** An error with a code is an answer to live with; any other is a bug and ends the run. */
const codeOf = (error: unknown): { code: string; retryable: boolean } => {
  const { code, retryable = false } = error as { code?: string; retryable?: boolean }
  if (code === undefined) throw error
  return { code, retryable }
}

export const createBuyerActor = (world: World, index: number): BuyerActor => {
  const { loop, trace, random, chain, contracts } = world
  const name = `buyer-${index + 1}`
  const account = accountOf(world.accounts, 'buyer', index)
  const own = random.fork(name)
  const errors = drawClockErrors(own)
  const host = createSimHost({ loop, network: world.network, random, trace }, name, errors)
  const terminal = own.fork('terminal')
  const lostOutput = terminal.pick(LOST_OUTPUT)
  const intents: Intent[] = []
  /** Purchases that this person has been told of, and those that the program knows were told. */
  const told = new Set<string>()
  const acknowledged = new Set<string>()
  const held = new Map<Hex, Held>()
  const known = new Set<Hex>()
  let live: { readonly buyer: Buyer; readonly clock: Clock; readonly network: Network } | undefined
  let buying = 0
  /** A person buys one thing after the other. */
  let busy: Promise<unknown> = Promise.resolve()
  const next = (work: () => Promise<void>) => {
    busy = busy.then(work)
  }

  const boot = () => {
    const effects = host.boot()
    // Both schemes have to understand each other.
    const jose =
      index === 0 ? createSimJose(loop, world.keys) : createSimNativeJose(effects.random.fork('jose'), world.keys)
    const whole = { ...effects, chain: chain.door(name, effects.life), jose }
    const buyer = createBuyer(world.sabotage.buyer?.(whole, own) ?? whole, {
      registry: contracts.registry,
      directory: 'http://directory/graphql',
      spendCapWei: 10n ** 18n,
      passphrase: () => Promise.resolve(PASSPHRASE),
      scryptLogN: SCRYPT_LOG_N,
    })
    live = { buyer, clock: effects.clock, network: effects.network }
    buying = 0
    effects.life.onEnd(() => {
      if (buying > 0) world.reach('buyer crashed while buying')
    })
    return live
  }

  /** One `chrove buy`: what it says, unless that gets lost. */
  const command = async (buyer: Buyer, wanted: Wanted): Promise<Purchased | undefined> => {
    const bought = await buyer.buy(wanted)
    if (acknowledged.has(bought.purchaseId))
      world.breach('a purchase is told once', `${name} bought, and was given what it had been told of`)
    if (world.sabotage.acknowledgesUnsaid) await buyer.acknowledge(bought)
    if (terminal.chance(lostOutput)) {
      world.reach('output of a purchase lost')
      world.tell(`${name}: does not see that order ${bought.orderId.slice(0, 10)} was paid`)
      return undefined
    }
    return bought
  }

  /** Gives the same command until it has said something new. */
  const pursue = async (intent: Intent): Promise<void> => {
    const here = live
    if (!here) return
    for (let tries = 0; tries < TRIES && intent.state === 'open'; tries++) {
      buying++
      try {
        const said = await command(here.buyer, intent.wanted)
        if (!said) continue
        const { orderId, purchaseId, offer } = said
        if (!told.has(purchaseId)) {
          told.add(purchaseId)
          intent.state = 'paid'
          known.add(orderId)
          if (!offer) world.reach('purchase told by a later command')
          world.reach('extend' in intent.wanted ? 'order extended' : 'order paid')
          world.tell(`${name}: paid order ${orderId.slice(0, 10)}${offer ? '' : ' (by an earlier attempt)'}`)
        }
        await here.buyer.acknowledge(said)
        acknowledged.add(purchaseId)
      } catch (error) {
        const { code, retryable } = codeOf(error)
        trace.add('buyer', name, 'buy', code)
        if (!retryable) intent.state = 'given-up'
        else await here.clock.sleep(RETRY_MS)
      } finally {
        buying--
      }
    }
    if (intent.state === 'open') intent.state = 'given-up'
  }

  /** What a person does after a crash: the same again, of which no end was seen. */
  const pickUp = async (): Promise<void> => {
    for (const intent of intents.filter(({ state }) => state === 'open')) await pursue(intent)
  }

  return {
    name,
    host,
    address: account.address.toLowerCase() as Address,
    intents,
    held,
    doors: () => (host.isRunning() ? live : undefined),
    orders: () => [...known],
    init: async () => void (await boot().buyer.init(account.privateKey)),
    start: () => {
      if (host.isRunning()) return
      boot()
      // What the dead program was at never ends.
      busy = Promise.resolve()
      next(pickUp)
    },
    crash: () => host.crash(),
    want: (wanted) => {
      const intent: Intent = { wanted, state: 'open' }
      intents.push(intent)
      if (host.isRunning()) next(() => pursue(intent))
    },
    collect: async (orderId, refresh) => {
      if (!host.isRunning() || !live) return undefined
      try {
        const credentials = await live.buyer.collect(orderId, { refresh, waitMs: 60_000 })
        held.set(orderId, { credentials, orderId })
        world.reach('credentials collected')
        world.tell(`${name}: has credentials of order ${orderId.slice(0, 10)}`)
        return credentials
      } catch (error) {
        const { code } = codeOf(error)
        if (code === 'ERR_NOT_YET_CONFIRMED') world.reach('credentials refused before payment')
        trace.add('buyer', name, 'collect', code)
        return undefined
      }
    },
    cancel: async (orderId, refundTo) => {
      if (!host.isRunning() || !live) return
      try {
        await live.buyer.cancel(orderId, refundTo)
        world.reach('order cancelled')
        world.tell(`${name}: cancelled order ${orderId.slice(0, 10)}`)
      } catch (error) {
        trace.add('buyer', name, 'cancel', codeOf(error).code)
      }
    },
    resume: async () => {
      if (!host.isRunning() || !live) return
      try {
        await live.buyer.resume()
      } catch (error) {
        trace.add('buyer', name, 'resume', codeOf(error).code)
      }
    },
    search: async () => {
      if (!host.isRunning() || !live) return
      try {
        const { source, total } = await live.buyer.search({})
        if (source === 'directory') world.reach('directory searched')
        trace.add('buyer', name, 'search', source, total)
      } catch (error) {
        trace.add('buyer', name, 'search', codeOf(error).code)
      }
    },
    keyring: async () => {
      if (!live) throw new Error(`${name} was never started`)
      return keyringSchema.parse(unseal(await live.buyer.backup(), PASSPHRASE).value)
    },
  }
}
