/** The market for tests with plans that are priced in tokens, and a buyer that has tokens and no coin. */
import { registryCall } from '../../chain/contracts.ts'
import type { Address } from '../../chain/types.ts'
import { deployToken, type TestToken } from '../../scripts/tokens.ts'
import { importAccount } from './account.ts'
import { openTestMarket, PERIOD_SECONDS, type TestMarket } from './test-market.ts'

/** Smallest units for an hour. */
export const PRICE = 2_500_000n
/** Plans: in a stablecoin, by the second and at once, and in a token that has only what it must. */
export const STABLE_PLAN = 3
export const INSTANT_PLAN = 4
export const OLD_PLAN = 5

/** Has tokens and no coin. */
export const PENNILESS_KEY = `0x${'be'.repeat(32)}` as const
/** What each buyer has of each token. */
export const HAS = 100n * PRICE

export interface TokenMarket extends TestMarket {
  readonly stablecoin: TestToken
  readonly old: TestToken
  /** The account of `fundedKey`. */
  readonly funded: Address
  readonly penniless: Address
}

export const openTokenMarket = async (): Promise<TokenMarket> => {
  const market = await openTestMarket()
  const request = (method: string, params: readonly unknown[]) => market.chain.request(method, params)
  const stablecoin = await deployToken(request, 'Stablecoin')
  const old = await deployToken(request, 'OldToken')
  const terms = { price: PRICE, periodSeconds: PERIOD_SECONDS, maxPeriods: 10 }
  const plans = [
    { ...terms, token: stablecoin.address, settlement: 'Streamed', title: 'hour, in dollars' },
    { ...terms, token: stablecoin.address, settlement: 'Instant', title: 'hour, in dollars, at once' },
    { ...terms, token: old.address, settlement: 'Streamed', title: 'hour, in old ones' },
  ] as const
  for (const plan of plans) await market.asVendor(registryCall(market.registry, 'addPlan', 1n, plan))
  const [funded, penniless] = [market.fundedKey, PENNILESS_KEY].map((key) => importAccount(key).address) as [
    Address,
    Address,
  ]
  for (const owner of [funded, penniless]) {
    await stablecoin.mint(owner, HAS)
    await old.mint(owner, HAS)
  }
  await market.keep()
  await market.reset()
  return Object.assign(market, { stablecoin, old, funded, penniless })
}
