/**
 * Decides about each request: free, paid, or refused; and takes a paid one from the reservation to the charge. A server
 * asks before it serves, then commits the use before the last byte of the answer leaves, or releases it.
 */
import type { Clock } from '../effects/clock.ts'
import { nowSeconds } from '../effects/clock.ts'
import { base64url, utf8 } from '../protocol/bytes.ts'
import { formatAmount } from '../protocol/amount.ts'
import { costsMoney, IDEMPOTENCY_KEY, parseCost, paymentHeaders } from '../protocol/payment-headers.ts'
import { announcedDigest, UNPROVED_BODY } from '../protocol/payment-proof.ts'
import { GatewayError } from './errors.ts'
import { IDEMPOTENCY_SECONDS, IDEMPOTENT_RETRIES_MAX } from './limits.ts'
import type { Rows } from './ledger/batch.ts'
import type { Account, Ledger, Reservation } from './ledger/index.ts'
import type { IdempotencyRow } from './ledger/store.ts'
import { createMeter, type Meter } from './meter.ts'
import type { Endpoints } from './offers.ts'
import type { PricedRoute, Pricing, Way } from './pricing.ts'
import type { DirectRail, Rail } from './rail.ts'
import { wantsSignedReceipt, type Receipts } from './receipts.ts'
import { voucherRow, type Incoming, type LiveVoucher, type VoucherBook } from './vouchers.ts'

/** Header lines of an answer, name and value. */
export type HeaderLines = readonly (readonly [name: string, value: string])[]

/** A request that may be served. Ends once, by `commit` or `release`, whichever comes first. */
export interface Use {
  readonly route: PricedRoute
  /** Whose body costs by the bit; then it flows by this. */
  readonly meter: Meter | undefined
  /** What the answer says about the cost; of a body by the bit, as it is before it flows. */
  headers(): HeaderLines
  /**
   * Charges; resolves once that is durable.
   * @returns what the answer says about the cost
   * @throws ERR_BUSY | ERR_PAYMENT_FAILED: nothing is charged, and nothing may be served
   */
  commit(): Promise<HeaderLines>
  /**
   * Nothing was served: nothing is charged, but what flowed of a body by the bit. After `commit` it waits until that has
   * ended.
   */
  release(): Promise<void>
}

export interface AdmissionParts {
  readonly clock: Clock
  readonly ledger: Ledger
  readonly vouchers: VoucherBook
  readonly receipts: Receipts
  readonly pricing: Pricing
  readonly endpoints: Endpoints
  readonly sha256: (bytes: Uint8Array) => Uint8Array
  /** The scheme that clients see, for URLs. */
  readonly scheme: 'http' | 'https'
  /** A charge was made, and may have used up deposits. */
  charged(account: Account, rail: Rail): void
  /** The money of an account came to its end. */
  short(account: Account, rail: Rail): void
}

/** @returns undefined for what is free and says nothing about cost */
export type Admit = (request: Incoming) => Promise<Use | undefined>

const NO_ROWS: Rows = {}

/** Lets a use end once; what it holds against others is let go when that is durable or has failed, and not before. */
const holding = async (free: () => void, admit: () => Promise<Use>): Promise<Use> => {
  let ending: Promise<unknown> | undefined
  const ended = <T>(work: Promise<T>): Promise<T> => {
    const end = work.finally(free)
    ending = end
    return end
  }
  try {
    const use = await admit()
    return {
      ...use,
      commit: () => (ending ? Promise.reject(new Error('a use ends once')) : ended(use.commit())),
      async release() {
        if (!ending) await ended(use.release())
        // What a body by the bit had paid ahead and did not get back.
        else await ending.catch(() => use.release())
      },
    }
  } catch (error) {
    free()
    throw error
  }
}

export const createAdmission = (parts: AdmissionParts): Admit => {
  const { clock, ledger, vouchers, receipts, pricing, endpoints, scheme } = parts
  /** Idempotency keys and payments whose request is under way. */
  const underWay = new Set<string>()
  /** What is being paid once and for all, until that has ended: who comes meanwhile waits, and need not pay. */
  const payingOnce = new Map<string, Promise<void>>()
  const costLines = new Map<Way, HeaderLines>()

  /** What is the same for each answer of a route. */
  const costHeaders = (way: Way): HeaderLines => {
    const known = costLines.get(way)
    if (known) return known
    const lines: HeaderLines = [
      [paymentHeaders.cost, way.price.header],
      [paymentHeaders.serviceAccount, way.rail.serviceAccount],
      [paymentHeaders.costPer, way.price.per],
      [paymentHeaders.costCurrency, way.rail.currency.code],
      [paymentHeaders.refundEndpoint, endpoints.refund],
    ]
    costLines.set(way, lines)
    return lines
  }

  const unpaid = (route: PricedRoute): Use => {
    const [way] = route.ways
    const lines = way ? costHeaders(way) : []
    return { route, meter: undefined, headers: () => lines, commit: async () => lines, release: async () => {} }
  }

  const balanceLine = ({ rail, account }: LiveVoucher) =>
    [paymentHeaders.balance, signedAmount(ledger.balance(account), rail.currency.decimals)] as const
  const usageLine = ({ rail, account }: LiveVoucher) =>
    [paymentHeaders.usage, formatAmount(account.charged, rail.currency.decimals)] as const

  const headersBefore = (way: Way, voucher: LiveVoucher): HeaderLines => [
    ...costHeaders(way),
    balanceLine(voucher),
    usageLine(voucher),
  ]

  /** What an answer says once this cost has been charged. Takes the account as it is now. */
  const headersAfter = (
    way: Way,
    voucher: LiveVoucher,
    counter: number,
    cost: bigint,
    request: Incoming,
  ): HeaderLines | Promise<HeaderLines> => {
    const text = receipts.text(voucher, counter, cost, nowSeconds(clock))
    const lines = headersBefore(way, voucher)
    if (wantsSignedReceipt(request.header('prefer'))) {
      return receipts.signed(text).then((receipt) => [...lines, [paymentHeaders.receipt, receipt]])
    }
    const receipt = receipts.quick(voucher, text)
    return receipt === undefined ? lines : [...lines, [paymentHeaders.receipt, receipt]]
  }

  /** What the request says it may cost at most, or gives. */
  const amountOf = (request: Incoming, { rail, price }: Way, donation: boolean): bigint | undefined => {
    const text = request.header('payment-amount')
    if (text === undefined) return undefined
    const amount = parseCost(text, rail.currency.decimals)
    if (amount === undefined) {
      const most = `at most ${rail.currency.decimals} decimals`
      throw new GatewayError('ERR_DONATION', `Payment-Amount is a decimal number of ${rail.currency.code} with ${most}`)
    }
    if (amount < price.amount) {
      const says = donation ? 'at least' : 'not less than'
      const text_ = `this costs ${says} ${price.header} ${rail.currency.code}`
      throw new GatewayError('ERR_COST_ABOVE_AMOUNT', text_)
    }
    return amount
  }

  const shortage = (kind: string, voucher: LiveVoucher, amount: bigint): GatewayError => {
    const { account, rail } = voucher
    if (kind === 'suspended') {
      return new GatewayError('ERR_ACCOUNT_SUSPENDED', 'the payer of this account takes its rest out: it is not served')
    }
    if (kind === 'signed') {
      const least = account.charged + account.reserved + amount
      const more = { minimumCumulative: String(least) }
      return new GatewayError('ERR_VOUCHER_USED_UP', `sign a voucher for at least ${least} in all`, { more })
    }
    parts.short(account, rail)
    const missing = amount - ledger.balance(account)
    const { code, decimals } = rail.currency
    const text = `pay at least ${formatAmount(missing, decimals)} ${code} more into this account`
    return new GatewayError('ERR_BALANCE_SHORT', text)
  }

  const reserve = (voucher: LiveVoucher, amount: bigint): Reservation => {
    const reservation = ledger.reserve(voucher.account, amount)
    if (typeof reservation === 'string') throw shortage(reservation, voucher, amount)
    return reservation
  }

  /** Rows that go with the charge of this voucher. */
  const rowsOf = ({ mac, account, id, untilSeconds }: LiveVoucher, more: Rows): Rows =>
    mac ? more : { ...more, voucher: voucherRow(account, id, untilSeconds) }

  const admitAccount = async (request: Incoming, route: PricedRoute, voucher: LiveVoucher): Promise<Use> => {
    const way = route.accountWays.find(({ rail }) => rail === voucher.rail)
    if (!way) throw new GatewayError('ERR_PAYMENT_REQUIRED', 'this route is not paid by this account: see the offers')
    const chosen = amountOf(request, way, route.donation)
    const cost = route.donation ? (chosen ?? way.price.amount) : way.price.amount
    const idempotencyKey = idempotencyKeyOf(request)
    // What flows by the bit is charged as it flows, each time; what cannot be told apart, each time too.
    const asked = route.per === 'bit' || idempotencyKey === undefined ? undefined : digestOf(request)
    const taking = vouchers.take(voucher, request)
    const counter = typeof taking === 'number' ? taking : await taking
    const admitted = { request, route, way, voucher, counter, cost, chosen }
    return holding(
      () => {
        if (!voucher.mac) vouchers.putBack(voucher)
      },
      () =>
        idempotencyKey === undefined || asked === undefined
          ? admitOnce(admitted, NO_ROWS)
          : admitIdempotent(admitted, idempotencyKey, asked),
    )
  }

  interface Admitted {
    readonly request: Incoming
    readonly route: PricedRoute
    readonly way: Way
    readonly voucher: LiveVoucher
    readonly counter: number
    readonly cost: bigint
    /** `Payment-Amount`. */
    readonly chosen: bigint | undefined
  }

  const admitOnce = async (admitted: Admitted, rows: Rows): Promise<Use> => {
    const { route, way, voucher, cost, chosen } = admitted
    if (route.per === 'bit') return metered(admitted, rows, chosen)
    if (route.per !== 'once') return charging(admitted, cost, rows)
    const { book, account } = voucher.account
    const once = { book, account, route: `${route.name} ${pathOf(admitted.request.target)}` }
    const gives = route.donation && chosen !== undefined && chosen > way.price.amount
    const isPaid = async () => !gives && (await ledger.hasOnce(once, once.route))
    const lock = JSON.stringify([book, account, once.route])
    for (;;) {
      if (await isPaid()) return charging(admitted, 0n, rows)
      const other = payingOnce.get(lock)
      if (!other) break
      await other
    }
    const { promise, resolve } = Promise.withResolvers<void>()
    payingOnce.set(lock, promise)
    const free = () => {
      payingOnce.delete(lock)
      resolve()
    }
    // It may have been paid since it was looked up.
    return holding(free, async () =>
      (await isPaid()) ? charging(admitted, 0n, rows) : charging(admitted, cost, { ...rows, once }),
    )
  }

  /** A use of a known cost. */
  const charging = (admitted: Admitted, cost: bigint, rows: Rows): Use => {
    const { request, route, way, voucher, counter } = admitted
    const reservation = reserve(voucher, cost)
    return {
      route,
      meter: undefined,
      headers: () => headersBefore(way, voucher),
      async commit() {
        const all = rowsOf(voucher, rows)
        // Nothing to keep: what is free leaves no trace.
        const written = cost === 0n && all === NO_ROWS ? reservation.release() : reservation.commit(all)
        const told = headersAfter(way, voucher, counter, cost, request)
        if (told instanceof Promise) told.catch(() => {})
        await written
        parts.charged(voucher.account, voucher.rail)
        return told
      },
      release: async () => reservation.release(),
    }
  }

  /** A use whose cost its body tells. */
  const metered = ({ request, route, way, voucher, counter }: Admitted, rows: Rows, most: bigint | undefined): Use => {
    const { price } = way
    const first = reserve(voucher, 1n)
    first.release()
    const meter = createMeter({
      ...{ clock, ledger, voucher, price, most, rows: rowsOf(voucher, rows) },
      more: (signal) => ledger.more(voucher.account, signal),
    })
    const settle = async (): Promise<bigint> => {
      try {
        return await meter.settle()
      } finally {
        parts.charged(voucher.account, voucher.rail)
      }
    }
    return {
      route,
      meter,
      headers: () => headersBefore(way, voucher),
      commit: async () => headersAfter(way, voucher, counter, await settle(), request),
      release: async () => void (await settle()),
    }
  }

  const admitIdempotent = async (admitted: Admitted, key: string, asked: string): Promise<Use> => {
    const { voucher } = admitted
    const { book, account } = voucher.account
    const lock = JSON.stringify([book, account, key])
    if (underWay.has(lock))
      throw new GatewayError('ERR_IDEMPOTENCY_BUSY', 'the first request with this key is under way')
    underWay.add(lock)
    return holding(
      () => underWay.delete(lock),
      () => idempotent(admitted, key, asked),
    )
  }

  const idempotent = async (admitted: Admitted, key: string, asked: string): Promise<Use> => {
    const { voucher } = admitted
    const now = nowSeconds(clock)
    const { book, account } = voucher.account
    const known = await ledger.idempotency(voucher.account, key)
    const row: IdempotencyRow = {
      ...{ book, account, key, request: asked, retries: 0 },
      untilSeconds: now + IDEMPOTENCY_SECONDS,
    }
    if (known === undefined || known.untilSeconds <= now) return admitOnce(admitted, { idempotency: row })
    if (known.request !== asked) {
      throw new GatewayError('ERR_IDEMPOTENCY_REUSED', 'this idempotency key was used for another request')
    }
    if (known.retries >= IDEMPOTENT_RETRIES_MAX) {
      const text = `the same request is answered ${IDEMPOTENT_RETRIES_MAX + 1} times: use a new idempotency key`
      throw new GatewayError('ERR_IDEMPOTENCY_SPENT', text)
    }
    const again = { ...known, retries: known.retries + 1 }
    return charging(admitted, 0n, { idempotency: again })
  }

  /** Tells requests apart that have one key; undefined where nothing says which body this one has. */
  const digestOf = (request: Incoming): string | undefined => {
    const body = bodyNameOf(request)
    if (body === undefined) return undefined
    return base64url.encode(parts.sha256(utf8(`${request.method}\n${request.target}\n${body}`)))
  }

  const admitDirect = async (request: Incoming, route: PricedRoute, way: Way<DirectRail>): Promise<Use | undefined> => {
    const { rail, price } = way
    const url = `${scheme}://${request.host}${request.target}`
    const terms = { price: price.amount, url, method: request.method }
    const never = new AbortController().signal
    const payment = await rail.payment(request.headers(), terms, never)
    if (!payment) return undefined
    const name = { book: rail.id, account: '' }
    const lock = `${rail.id} ${payment.id}`
    const used = () => new GatewayError('ERR_PAYMENT_INVALID', 'this payment was used: make a new one')
    if (underWay.has(lock)) throw used()
    underWay.add(lock)
    const admit = async (): Promise<Use> => {
      if (await ledger.hasVoucher(name, payment.id)) throw used()
      return {
        route,
        meter: undefined,
        headers: () => costHeaders(way),
        async commit() {
          const lines = await payment.settle(never)
          await ledger.write({
            voucher: { ...name, id: payment.id, untilSeconds: nowSeconds(clock) + IDEMPOTENCY_SECONDS },
          })
          return [...costHeaders(way), ...Object.entries(lines)]
        },
        release: async () => {},
      }
    }
    return holding(() => underWay.delete(lock), admit)
  }

  return async (request) => {
    const route = pricing.find(request.method, pathOf(request.target))
    if (!route) return undefined
    if (!costsMoney(request.method)) return unpaid(route)
    const rails = railsOf(route)
    const presented = vouchers.present(request, rails)
    if (presented !== undefined) {
      const voucher = presented instanceof Promise ? await presented : presented
      return admitAccount(request, route, voucher)
    }
    for (const way of route.directWays) {
      const use = await admitDirect(request, route, way)
      if (use) return use
    }
    if (route.donation && route.ways.every(({ price }) => price.amount === 0n)) return unpaid(route)
    throw new GatewayError('ERR_PAYMENT_REQUIRED', 'pay in one of the offered ways, then send Payment-Voucher')
  }
}

/** @throws ERR_IDEMPOTENCY_KEY */
const idempotencyKeyOf = (request: Incoming): string | undefined => {
  const key = request.header('idempotency-key')
  if (key === undefined || IDEMPOTENCY_KEY.test(key)) return key
  throw new GatewayError('ERR_IDEMPOTENCY_KEY', 'an idempotency key is 1 to 128 visible ASCII characters')
}

/** The digest that the body is held against, or `-` for none; undefined for a body that has no digest. */
const bodyNameOf = (request: Incoming): string | undefined => {
  const digest = announcedDigest(request.header('content-digest') ?? '')
  if (digest !== undefined) return digest
  const length = request.header('content-length')
  if (length !== undefined) return length === '0' ? UNPROVED_BODY : undefined
  // These have a body even where nothing says how long it is, as HTTP/2 allows.
  const mayHave = request.method === 'POST' || request.method === 'PUT' || request.method === 'PATCH'
  return mayHave || request.header('transfer-encoding') !== undefined ? undefined : UNPROVED_BODY
}

const pathOf = (target: string): string => {
  const query = target.indexOf('?')
  return query === -1 ? target : target.slice(0, query)
}

/** A balance may be below zero. */
export const signedAmount = (amount: bigint, decimals: number): string =>
  amount < 0n ? `-${formatAmount(-amount, decimals)}` : formatAmount(amount, decimals)

const routeRails = new WeakMap<PricedRoute, readonly Rail[]>()
const railsOf = (route: PricedRoute): readonly Rail[] => {
  const known = routeRails.get(route)
  if (known) return known
  const rails = route.accountWays.map(({ rail }) => rail)
  routeRails.set(route, rails)
  return rails
}
