/** What the service of a metered world sells, as its gateway's settings and as the checkers have it. */

import { formatAmount } from '../../protocol/amount.ts'

const DECIMALS = 18

/** Answers that cost by the bit come in pieces of so many bytes. */
export const PIECE_BYTES = 64 * 1024

/** Prices are in these, smallest unit: vouchers are worth the gas that cashes them. */
export const UNIT = 10n ** 15n

/** A price for a bit, 10^-18 of the smallest unit: 8 units for 1,000 bytes. */
const BIT_PRICE = UNIT * 10n ** 15n
const BIT_SCALE = 10n ** 18n

/** What so many bytes cost all together, smallest unit. */
export const costOfBytes = (bytes: number): bigint => (BigInt(bytes) * 8n * BIT_PRICE + BIT_SCALE - 1n) / BIT_SCALE

export interface Good {
  readonly path: string
  readonly method: 'GET' | 'POST'
  readonly per: 'access' | 'once' | 'bit' | 'donation' | 'free'
  /** Smallest unit; of a donation the least. */
  readonly price: bigint
  /** Of an answer that costs by the bit, pieces. */
  readonly pieces: number
}

const good = (path: string, more: Partial<Good>): Good => ({
  ...{ path, method: 'GET', per: 'access', price: 100n * UNIT, pieces: 0 },
  ...more,
})

export const goods: readonly Good[] = [
  good('/cheap', {}),
  good('/dear', { price: 5_000n * UNIT }),
  good('/post', { method: 'POST' }),
  good('/once/1', { per: 'once', price: 700n * UNIT }),
  good('/once/2', { per: 'once', price: 700n * UNIT }),
  good('/credit/1', { price: 300n * UNIT }),
  good('/gift', { per: 'donation', price: 100n * UNIT }),
  good('/bits/1', { per: 'bit', price: 0n, pieces: 1 }),
  good('/bits/12', { per: 'bit', price: 0n, pieces: 12 }),
  good('/free/1', { per: 'free', price: 0n }),
]

export const goodAt = (path: string): Good | undefined => goods.find((each) => each.path === path)

const ONCE = '/once/:id'

/** @param row of the ledger: which route, as the gateway names it, and which path of it */
export const goodPaidOnce = (row: string): Good | undefined =>
  goods.find(({ per, path }) => per === 'once' && row === `* ${ONCE} ${path}`)

/** Whole units of the currency. */
const whole = (amount: bigint): string => formatAmount(amount, DECIMALS)

/** Of the gateway's settings. */
export const pricing = {
  price: 'free',
  routes: [
    { match: '/cheap', price: whole(100n * UNIT) },
    { match: '/post', price: whole(100n * UNIT) },
    { match: '/dear', price: whole(5_000n * UNIT) },
    { match: ONCE, per: 'once', price: whole(700n * UNIT) },
    { match: '/credit/:id', price: whole(300n * UNIT), pay: ['credit'] },
    { match: '/gift', donation: true, price: whole(100n * UNIT) },
    { match: '/bits/:id', per: 'bit', price: formatAmount(BIT_PRICE, 2 * DECIMALS) },
  ],
} as const

/** The plan that is sold as credit. */
export const creditPlan = {
  price: 3_000n * UNIT,
  periodSeconds: 3_600,
  maxPeriods: 1_000,
  settlement: 'Instant',
} as const
