/** Which request costs what: the routes of the settings, ready to be looked up. */
import { CommandError } from '../effects/command-error.ts'
import { formatAmount, parseAmount } from '../protocol/amount.ts'
import type { CostPer } from '../protocol/payment-headers.ts'
import { GatewayError } from './errors.ts'
import type { Currency, DirectRail, Rail } from './rail.ts'
import type { GatewaySettings, PriceSetting, RouteSettings } from './settings.ts'

/** Parts of a smallest unit that a price for a bit is counted in, decimals. */
const BIT_DECIMALS = 18
const BIT_SCALE = 10n ** BigInt(BIT_DECIMALS)

/** A price of a route in one currency. */
export class Price {
  readonly currency: Currency
  readonly per: CostPer
  /** Smallest unit; of a price per bit so many 10^-18 of it. */
  readonly #units: bigint

  /** @throws ERR_SETTINGS_INVALID when the text has more decimals than the currency */
  constructor(text: string, per: CostPer, currency: Currency) {
    const units = parseAmount(text, currency.decimals + (per === 'bit' ? BIT_DECIMALS : 0))
    if (units === undefined) {
      const most = `${currency.code} has ${currency.decimals} decimals`
      throw new CommandError('ERR_SETTINGS_INVALID', `the price ${text} cannot be paid: ${most}`)
    }
    this.currency = currency
    this.per = per
    this.#units = units
  }

  /** What an answer costs, smallest unit; per bit nothing before it flows. */
  get amount(): bigint {
    return this.per === 'bit' ? 0n : this.#units
  }

  /** What so many bytes of body cost all together, smallest unit, rounded up. */
  ofBytes(bytes: number): bigint {
    return (BigInt(bytes) * 8n * this.#units + BIT_SCALE - 1n) / BIT_SCALE
  }

  /** The most bytes that so much pays for. */
  bytesFor(amount: bigint): number {
    if (this.#units === 0n) return Number.MAX_SAFE_INTEGER
    const bytes = (amount * BIT_SCALE) / (8n * this.#units)
    return bytes > BigInt(Number.MAX_SAFE_INTEGER) ? Number.MAX_SAFE_INTEGER : Number(bytes)
  }

  /** As `Content-Cost` has it: whole units. */
  get header(): string {
    return formatAmount(this.#units, this.currency.decimals + (this.per === 'bit' ? BIT_DECIMALS : 0))
  }

  /** As offers have it: smallest units, per bit with decimals. */
  get offered(): string {
    return formatAmount(this.#units, this.per === 'bit' ? BIT_DECIMALS : 0)
  }
}

/** A rail of a route, with what the route costs there. */
export interface Way<R extends Rail | DirectRail = Rail | DirectRail> {
  readonly rail: R
  readonly price: Price
}

export interface PricedRoute {
  /** As the settings name it: method and pattern. */
  readonly name: string
  readonly per: CostPer
  /** Whether the payer chooses the amount; the price is the least. */
  readonly donation: boolean
  /** In the sequence of the settings. */
  readonly ways: readonly Way[]
  /** Those of them that keep accounts. */
  readonly accountWays: readonly Way<Rail>[]
  readonly directWays: readonly Way<DirectRail>[]
}

export interface Pricing {
  /**
   * @param path as the request line has it, without the query
   * @returns undefined for what is free
   * @throws ERR_PATH when a service could take the path for one of another price; ERR_METHOD for a method in small letters
   */
  find(method: string, path: string): PricedRoute | undefined
}

/**
 * @param rails by the names that `accounts` gives them
 * @throws ERR_SETTINGS_INVALID
 */
export const createPricing = (
  settings: Pick<GatewaySettings, 'price' | 'per' | 'pay' | 'donation' | 'routes'>,
  rails: ReadonlyMap<string, Rail | DirectRail>,
): Pricing => {
  const base = { match: '/*', price: settings.price, per: settings.per, pay: settings.pay, donation: settings.donation }
  const rules = [...settings.routes.map((route) => ({ ...base, ...definedOf(route) })), base]
  const routes = rules.map((rule) => ({ matches: matcherOf(rule.match), priced: pricedRoute(rule, rails) }))
  const finder =
    (method: string, exactly: boolean): Find =>
    (path) =>
      routes.find(({ matches }) => matches(method, path, exactly))?.priced
  /** What paths of requests cost that were asked for; many are asked for again and again. */
  const known = new Map<string, PricedRoute | undefined>()
  return {
    find(method, path) {
      const key = `${method} ${path}`
      if (known.has(key)) return known.get(key)
      // Methods have capitals or not (RFC 9110 §9.1), and some services take no notice of it.
      if (method !== method.toUpperCase()) throw new GatewayError('ERR_METHOD', 'write the method in capitals')
      // Other forms of a target name paths too (RFC 9112 §3.2), and some services read them.
      const isPath = path.startsWith('/') && !path.includes('#')
      if (!isPath && !(method === 'OPTIONS' && path === '*')) throw ambiguous()
      const route = unambiguous(path, finder(method, true), finder(method, false))
      if (known.size >= KNOWN_PATHS_MAX) known.clear()
      known.set(key, route)
      return route
    },
  }
}

const KNOWN_PATHS_MAX = 4_096

type Find = (path: string) => PricedRoute | undefined

/**
 * Services read paths in ways of their own: they undo escapes and dots, or take no notice of capitals and of a slash at the
 * end. None of these may be a way around a price.
 * @param exactly finds by the path as it is written
 * @param widely finds as a service does that takes no notice of capitals and of a slash at the end
 */
const unambiguous = (path: string, exactly: Find, widely: Find): PricedRoute | undefined => {
  const plain = plainPath(path)
  const [written, route] = [exactly(path), widely(path)]
  if (plain !== path && (exactly(plain) !== written || widely(plain) !== route)) throw ambiguous()
  // Of two prices either may be the one that the service means; where only one of them is a price, it is that.
  if (written && written !== route) throw ambiguous()
  return route
}

const ambiguous = () =>
  new GatewayError(
    'ERR_PATH',
    'write the path and query alone as the service has it, without escapes, dots, parameters and empty parts',
  )

/** As the most eager service reads it: unescaped, again and again, then without parameters, dots and empty parts. */
const plainPath = (path: string): string => {
  let plain = path
  for (let times = 0; times < 3 && plain.includes('%'); times++) {
    plain = unescaped(plain)
  }
  const parts: string[] = []
  const all = plain
    .replaceAll('\\', '/')
    .split('/')
    .map((part) => part.split(';', 1)[0] ?? '')
  for (const part of all) {
    if (part === '..') parts.pop()
    else if (part !== '.' && part !== '') parts.push(part)
  }
  const ends = /^\.{0,2}$/.test(all.at(-1) ?? '') && parts.length > 0 ? '/' : ''
  return `/${parts.join('/')}${ends}`
}

/** Undoes all escapes that can be: one that is none, or is no UTF-8, keeps no other from being read. */
const unescaped = (path: string): string =>
  path.replaceAll(/(?:%[0-9a-f]{2})+/gi, (run) => {
    try {
      return decodeURIComponent(run)
    } catch {
      return run.replaceAll(/%[0-7][0-9a-f]/gi, (one) => decodeURIComponent(one))
    }
  })

const definedOf = (route: RouteSettings) =>
  Object.fromEntries(Object.entries(route).filter(([, value]) => value !== undefined)) as unknown as RouteSettings

const pricedRoute = (
  { match, price, per = 'access', pay, donation = false }: RouteSettings,
  rails: ReadonlyMap<string, Rail | DirectRail>,
): PricedRoute | undefined => {
  if (price === undefined || price === 'free') return undefined
  const names = pay ?? [...rails.keys()]
  const ways = names.flatMap((name) => {
    const rail = rails.get(name)
    if (!rail) throw new CommandError('ERR_SETTINGS_INVALID', `${match} pays to "${name}", which is not in accounts`)
    const text = textOf(price, rail.currency)
    return text === undefined ? [] : [{ rail, price: new Price(text, per, rail.currency) }]
  })
  if (ways.length === 0) throw new CommandError('ERR_SETTINGS_INVALID', `${match} has a price and nobody to pay it to`)
  if (donation && per === 'bit') {
    throw new CommandError('ERR_SETTINGS_INVALID', `${match} cannot be a donation per bit: say access or once`)
  }
  const accountWays = ways.filter((way): way is Way<Rail> => way.rail.scheme !== 'x402')
  // One payment pays for one answer of a known price.
  const directWays =
    per === 'access' && !donation ? ways.filter((way): way is Way<DirectRail> => way.rail.scheme === 'x402') : []
  const name = match.startsWith('/') ? `* ${match}` : match
  return { name, per, donation, ways: [...accountWays, ...directWays], accountWays, directWays }
}

const textOf = (price: PriceSetting, { code }: Currency): string | undefined =>
  typeof price === 'string' ? price : price[code]

const matcherOf = (match: string): ((method: string, path: string, exactly: boolean) => boolean) => {
  const [method, pattern] = match.startsWith('/') ? [undefined, match] : (match.split(' ', 2) as [string, string])
  const isPrefix = pattern.endsWith('*')
  const parts = (isPrefix ? pattern.slice(0, -1) : pattern).split(/(:[A-Za-z]\w*)/)
  const source = parts.map((part) => (/^:[A-Za-z]/.test(part) ? '[^/]+' : part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')))
  const exact = new RegExp(`^${source.join('')}${isPrefix ? '' : '$'}`)
  const wide = new RegExp(`^${source.join('')}${isPrefix ? '' : '/*$'}`, 'i')
  // HEAD and OPTIONS ask what the others cost.
  const asks = (asked: string) => asked === 'HEAD' || asked === 'OPTIONS'
  return (asked, path, exactly) =>
    (method === undefined || method === asked || asks(asked)) && (exactly ? exact : wide).test(path)
}
