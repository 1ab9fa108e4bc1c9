/** A client that pays: the real library on a machine that may crash or be restored, and the person who wants things. */
import { createBuyer } from '../../buyer/lib/index.ts'
import { createPayingFetch, type PayingFetch } from '../../buyer/lib/paying/index.ts'
import type { Address } from '../../chain/types.ts'
import type { Clock } from '../../effects/clock.ts'
import type { Streams } from '../../effects/streams.ts'
import { costsMoney } from '../../protocol/payment-headers.ts'
import { openVoucher } from '../../protocol/voucher.ts'
import { at } from '../arbitraries.ts'
import { drawClockErrors } from '../clock.ts'
import { createSimHost, type SimHost } from '../host.ts'
import { createSimNativeJose } from '../jose.ts'
import { accountOf, addressOf } from '../world/accounts.ts'
import type { World } from '../world/world.ts'
import type { Eve } from './eve.ts'
import { goodAt, UNIT, type Good } from './goods.ts'
import { ORIGIN, type Shop } from './shop.ts'
import { bodyOf } from './upstream.ts'

const PASSPHRASE = 'a client of a simulation'
const SCRYPT_LOG_N = 10

/** A person tries again after so long, and so often. */
const RETRY_MS = 15_000
const TRIES = 4

/** No request may cost more, smallest unit; and no vendor get more. */
const CAPS = { request: 20_000n * UNIT, vendor: 10n ** 9n * UNIT, day: 10n ** 10n * UNIT }
const MOST_WEI = 10n ** 6n * UNIT

/** What somebody wants of the service: one request, with one idempotency key, however often it is sent. */
export interface Wish {
  readonly key: string
  readonly good: Good
  /** `served`: all of it came. `told`: the client said why not. */
  state: 'open' | 'served' | 'told'
  code: string
  isUnderWay: boolean
}

export interface Payer {
  readonly name: string
  readonly host: SimHost
  readonly address: Address
  readonly wishes: readonly Wish[]
  /** Whether its store was ever put back to an earlier state. */
  isRestored(): boolean
  /** Whether it ever asked for the rest of an account: it then pays by another one. */
  hasLeft(): boolean
  init(): Promise<void>
  start(): void
  crash(): void
  /** Puts its store back. */
  restore(state: number): void
  want(good: Good): void
  /** Tries again what was not served. */
  insist(): void
  refund(path: string, to: Address | undefined): Promise<void>
  deposit(path: string, amount: bigint): Promise<void>
  withdraw(index: number, to: Address): Promise<void>
}

export const createPayer = (world: World, shop: Shop, eve: Eve, index: number): Payer => {
  const { loop, trace, random, chain, contracts, reach } = world
  const { audit } = shop
  const name = `client-${index + 1}`
  const account = accountOf(world.accounts, 'buyer', index)
  const own = random.fork(name)
  const host = createSimHost({ loop, network: world.network, random, trace }, name, drawClockErrors(own))
  const ahead = own.pick([0, 1, 4])
  const deposit = own.pick([1_000n, 9_000n, 40_000n]) * UNIT
  const reader = createSimNativeJose({ bytes: (length) => new Uint8Array(length) }, { take: noKeys })
  const wishes: Wish[] = []
  let live: { readonly paying: Promise<PayingFetch>; readonly clock: Clock } | undefined
  let made = 0
  let [restored, left] = [false, false]
  let firstState = 0

  const cumulativeOf = async (text: string): Promise<bigint | undefined> => {
    const { claims } = await openVoucher(reader, text, shop.keys.encryption.privateKey)
    return claims.cumulative === undefined ? undefined : BigInt(claims.cumulative)
  }

  /** Tells the audit what leaves this machine, before anybody on the way sees it. */
  const watched = (streams: Streams): Streams => ({
    async open(request, limits) {
      const header = (each: string) => request.headers.get(each) ?? ''
      const { pathname, search } = new URL(request.url)
      const isVoucher = request.method === 'POST' && /^\/(vouchers|refund)$/.test(pathname)
      const text = isVoucher ? await request.clone().text() : header('payment-voucher')
      if (text === '') return streams.open(request, limits)
      const cumulative = await cumulativeOf(text)
      const accountName = header('payment-account-address')
      const proved = {
        ...{ client: name, account: isVoucher ? await accountIn(text) : accountName, proof: header('payment-proof') },
        ...{ method: request.method, target: pathname + search, digest: header('content-digest') },
        ...{ idempotencyKey: header('idempotency-key'), amount: header('payment-amount') },
      }
      audit.sent(proved, costsMoney(request.method) ? goodAt(pathname) : undefined, cumulative)
      return streams.open(request, limits)
    },
  })

  const accountIn = async (text: string): Promise<string> => {
    const { claims } = await openVoucher(reader, text, shop.keys.encryption.privateKey)
    return claims.account ?? ''
  }

  const boot = () => {
    const effects = host.boot()
    const { life, network } = effects
    const jose = createSimNativeJose(effects.random.fork('jose'), world.keys)
    const whole = { ...effects, chain: chain.door(name, life), jose, streams: watched(eve.between(network)) }
    const settings = {
      ...{ registry: contracts.registry, passphrase: () => Promise.resolve(PASSPHRASE), scryptLogN: SCRYPT_LOG_N },
      ...{ spendCapWei: MOST_WEI, vendor: shop.uri, ahead, caps: () => CAPS, deposit: () => deposit },
    }
    life.onEnd(() => {
      if (wishes.some(({ isUnderWay }) => isUnderWay)) reach('client crashed while paying')
      for (const wish of wishes) wish.isUnderWay = false
    })
    return { effects: world.sabotage.paying?.(whole) ?? whole, settings }
  }

  /** A program that cannot start is started again. */
  const open = async ({ effects, settings }: ReturnType<typeof boot>): Promise<PayingFetch> => {
    for (;;) {
      try {
        return await createPayingFetch(effects, settings)
      } catch (error) {
        trace.add('client', name, 'open', codeOf(error).code)
        await effects.clock.sleep(RETRY_MS)
      }
    }
  }

  const requestOf = ({ key, good }: Wish): Request =>
    new Request(ORIGIN + good.path, {
      method: good.method,
      headers: { 'idempotency-key': key },
      ...(good.method === 'POST' && { body: bodyOf(key) }),
    })

  const once = async (wish: Wish): Promise<boolean> => {
    const paying = await live?.paying
    if (!paying) return false
    const { good } = wish
    const before = [...audit.charged()].some((each) => each.endsWith(` ${wish.key}`))
    const options = good.per === 'donation' ? { give: () => 4_321n * UNIT } : {}
    const answer = await paying.fetch(requestOf(wish), options)
    let bytes = 0
    for await (const piece of answer.body ?? []) bytes += piece.length
    if (!answer.ok) return false
    wish.state = 'served'
    if (before) reach('charged answer lost and served again')
    tellServed(good, bytes)
    return true
  }

  const tellServed = (good: Good, bytes: number): void => {
    if (good.per === 'free') return reach('request served for nothing')
    if (good.per === 'donation') reach('request given to')
    if (good.path.startsWith('/credit')) reach('request paid from credit')
    trace.add('client', name, 'served', good.path, bytes)
    reach('request served')
  }

  const pursue = async (wish: Wish): Promise<void> => {
    const here = live
    if (!here || wish.isUnderWay || wish.state === 'served') return
    if (wishes.some((each) => each.isUnderWay && each.good.path === wish.good.path))
      reach('several requests at once on one account')
    wish.isUnderWay = true
    wish.state = 'open'
    for (let tries = 0; tries < TRIES; tries++) {
      try {
        if (await once(wish)) break
      } catch (error) {
        const { code, message, retryable } = codeOf(error)
        trace.add('client', name, 'fetch', wish.good.path, code, message)
        wish.code = `${code}: ${message}`
        if (!retryable) {
          wish.state = 'told'
          reach('client told why it is not served')
          break
        }
      }
      await here.clock.sleep(RETRY_MS)
    }
    wish.isUnderWay = false
  }

  /** What the person has it do; why it could not is no matter here. */
  const doing = async (what: string, work: (paying: PayingFetch) => Promise<void>): Promise<void> => {
    const paying = await live?.paying
    if (!paying) return
    try {
      await work(paying)
    } catch (error) {
      trace.add('client', name, what, codeOf(error).code)
    }
  }

  return {
    name,
    host,
    address: addressOf(account),
    wishes,
    isRestored: () => restored,
    hasLeft: () => left,
    async init() {
      const { effects, settings } = boot()
      const { registry, passphrase, scryptLogN, spendCapWei } = settings
      await createBuyer(effects, { registry, passphrase, scryptLogN, spendCapWei }).init(account.privateKey)
      firstState = host.states() - 1
      host.crash()
    },
    start() {
      if (host.isRunning()) return
      const booted = boot()
      live = { paying: open(booted), clock: booted.effects.clock }
    },
    crash: () => host.crash(),
    restore(state) {
      host.crash()
      host.restore(firstState + (state % (host.states() - firstState)))
      restored = true
      reach('client restored to an earlier state')
    },
    want(good) {
      const wish: Wish = { key: `${name}-${++made}`, good, state: 'open', code: '', isUnderWay: false }
      wishes.push(wish)
      if (host.isRunning()) void pursue(wish)
    },
    insist() {
      if (!host.isRunning()) return
      for (const wish of wishes) if (wish.state !== 'served') void pursue(wish)
    },
    refund: (path, to) =>
      doing('refund', async (paying) => {
        const place = await paying.place(ORIGIN + path)
        const [checked] = place.choices
        if (!checked) return
        left = true
        const { state, amount } = await paying.refund(place, checked, to)
        world.tell(`${name}: a refund of ${amount} is ${state}`)
      }),
    deposit: (path, amount) =>
      doing('deposit', async (paying) => {
        const place = await paying.place(ORIGIN + path)
        const [checked] = place.choices
        if (!checked) return
        await (await paying.deposit(place, checked, amount)).acknowledge()
        reach('deposit by hand')
      }),
    withdraw: (which, to) =>
      doing('withdraw', async (paying) => {
        const channels = (await paying.accounts()).filter(({ scheme }) => scheme === 'channel')
        const channel = at(channels, which)
        if (!channel) return
        left = true
        const { step } = await paying.withdraw(channel.account, to)
        reach(step === 'withdrawn' ? 'withdrawal ended' : 'withdrawal asked for')
        world.tell(`${name}: the withdrawal of ${channel.account.slice(0, 10)} is ${step}`)
      }),
  }
}

const noKeys = (): never => {
  throw new Error('a checker makes no keys')
}

/** An error with a code is an answer to live with; any other is a bug and ends the run. */
const codeOf = (error: unknown): { readonly code: string; readonly message: string; readonly retryable: boolean } => {
  const { code, message, retryable = false } = error as Error & { code?: string; retryable?: boolean }
  if (code === undefined) throw error
  return { code, message, retryable }
}
