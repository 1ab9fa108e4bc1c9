/**
 * For tests that cross folders: a chain, vendors and buyers, all real and on loopback, in one temporary folder. What
 * waits for minutes in life waits for seconds here, by shorter settings and a hurried clock.
 */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createBuyer, type Buyer, type BuyerEffects } from '../buyer/lib/index.ts'
import { createContractReader, paymentsCall } from '../chain/contracts.ts'
import { createAccount } from '../chain/transactions.ts'
import type { Hex } from '../chain/types.ts'
import type { Clock } from '../effects/clock.ts'
import { createNodeEffects } from '../effects/node.ts'
import { fromHex } from '../protocol/bytes.ts'
import { createJose } from '../protocol/jose.ts'
import { createChrove, type Chrove, type Serving } from '../scripts/chrove.ts'
import { startEmbeddedChain, type EmbeddedChain } from '../scripts/embedded-chain.ts'
import { freePort } from '../scripts/ports.ts'
import { unsealVendorKeys, type VendorKeys } from '../vendor/keys.ts'

/** The same everywhere: nothing here is secret. */
export const PASSPHRASE = 'test'
/** The cheapest that files may have: opening them is not what these tests are about. */
const SCRYPT_LOG_N = 10
const VENDOR_POLL_MS = 50
/** How much faster than in life a buyer's waiting passes. */
const HURRY = 20

export interface Market {
  readonly chain: EmbeddedChain
  /** Removed when the market closes. */
  readonly folder: string
  /** Private key of an account with money that nobody else here has. */
  account(): Hex
  /** Does this before the market closes, the last one first. */
  beforeClose(close: () => Promise<unknown>): void
  close(): Promise<void>
}

export const openMarket = async (): Promise<Market> => {
  const folder = await mkdtemp(join(tmpdir(), 'chrove-test-'))
  const chain = await startEmbeddedChain()
  const closers = [() => rm(folder, { recursive: true, force: true }), () => chain.close()]
  let accounts = 0
  return {
    chain,
    folder,
    account() {
      const key = chain.accounts[accounts++]
      if (key === undefined) throw new Error('the chain has no more accounts')
      return key
    },
    beforeClose: (close) => void closers.push(close as () => Promise<void>),
    async close() {
      for (const close of closers.toReversed()) await close()
    },
  }
}

export interface Shop {
  readonly home: string
  /** Its URI. */
  readonly uri: string
  readonly vendorId: bigint
  readonly keys: VendorKeys
  /** Where its own server answers, which need not be where buyers are sent. */
  readonly url: string
  readonly socks5Port: number
  /** Serves in this process until stopped, or until the market closes. */
  serve(): Promise<Serving>
}

export interface ShopPlan {
  readonly title: string
  /** Options of `chrove vendor plan add` for each plan; one by the hour when left out. */
  readonly plans?: readonly (readonly string[])[]
  /** What is registered, given the shop's own address; just that when left out. */
  readonly endpoints?: (own: string) => readonly string[]
}

const ONE_HOUR = ['--title', 'One hour', '--price', '0.001', '--period', '1h']

/** Registers a vendor with the commands that vendors have. */
export const openShop = async (
  market: Market,
  { title, plans = [ONE_HOUR], endpoints = (own) => [own] }: ShopPlan,
): Promise<Shop> => {
  const { chain, folder } = market
  const home = join(folder, title.toLowerCase().replaceAll(' ', '-'))
  const [http, socks5] = [await freePort(), await freePort()]
  const url = `http://127.0.0.1:${http}`
  const chrove = createChrove({ home, passphrase: PASSPHRASE, accountKey: market.account() })
  await chrove.run('vendor', 'init', '--rpc', chain.url, '--registry', chain.registry)
  const { uri, vendorId } = await chrove.run(
    ...['vendor', 'register', '--title', title, ...endpoints(url).flatMap((endpoint) => ['--endpoint', endpoint])],
    ...['--listen', `127.0.0.1:${http}`, '--socks5', `127.0.0.1:${socks5}`, '--allow-private'],
    ...['--socks5-listen', `127.0.0.1:${socks5}`, '--confirmations', '0', '--yes'],
  )
  for (const plan of plans) await chrove.run('vendor', 'plan', 'add', ...plan, '--yes')
  await hurrySettings(join(home, 'vendor.json'))
  return {
    home,
    uri: String(uri),
    vendorId: BigInt(String(vendorId)),
    keys: unsealVendorKeys(new Uint8Array(await readFile(join(home, 'vendor-keys.json'))), PASSPHRASE),
    url,
    socks5Port: socks5,
    async serve() {
      const serving = await chrove.serve('vendor', 'serve')
      market.beforeClose(serving.stop)
      return serving
    },
  }
}

const hurrySettings = async (file: string): Promise<void> => {
  const settings = JSON.parse(await readFile(file, 'utf8')) as object
  await writeFile(file, JSON.stringify({ ...settings, pollMs: VENDOR_POLL_MS }))
}

/** Passes the time of waiting faster than other time. */
const hurried = (clock: Clock): Clock => ({
  nowMs: () => clock.nowMs(),
  sleep: (ms, signal) => clock.sleep(ms / HURRY, signal),
})

export interface OpenedBuyer {
  readonly buyer: Buyer
  /** The same home, from the command line. */
  readonly chrove: Chrove
  readonly home: string
  readonly accountKey: Hex
}

/**
 * A buyer with money.
 * @param name of its folder
 * @param change replaces some of its effects
 */
export const openBuyer = async (
  market: Market,
  name: string,
  change: (effects: BuyerEffects) => Partial<BuyerEffects> = () => ({}),
): Promise<OpenedBuyer> => {
  const home = join(market.folder, name)
  const accountKey = market.account()
  const buyer = buyerAt(market, home, change)
  await buyer.init(accountKey)
  const chrove = createChrove({ home, passphrase: PASSPHRASE })
  await chrove.run('init', '--rpc', market.chain.url, '--registry', market.chain.registry)
  return { buyer, chrove, home, accountKey }
}

/** The buyer of a home that there is already. */
export const buyerAt = (
  { chain }: Market,
  home: string,
  change: (effects: BuyerEffects) => Partial<BuyerEffects> = () => ({}),
): Buyer => {
  const node = createNodeEffects({ service: 'test', home, rpc: chain.url, logLevel: 'silent' })
  const effects = { ...node, clock: hurried(node.clock), jose: createJose() }
  return createBuyer(
    { ...effects, ...change(effects) },
    {
      registry: chain.registry,
      spendCapWei: 10n ** 18n,
      passphrase: () => Promise.resolve(PASSPHRASE),
      scryptLogN: SCRYPT_LOG_N,
    },
  )
}

/** Pays for a period of a vendor's first plan in the name of any key. */
export const payFor = async (market: Market, { vendorId }: Pick<Shop, 'vendorId'>, keyHash: Hex): Promise<void> => {
  const { registry, chainId, url } = market.chain
  const { chain, clock } = createNodeEffects({ service: 'test', home: market.folder, rpc: url, logLevel: 'silent' })
  const reader = createContractReader(chain)
  const payments = await reader.paymentsOf(registry)
  const { price } = await reader.plan(registry, vendorId, 1)
  const payer = createAccount({ chain, clock: hurried(clock) }, chainId, fromHex(market.account()))
  const call = paymentsCall(payments, 'buy', vendorId, 1, keyHash, 1, payer.address)
  await payer.send(await payer.quote({ ...call, valueWei: price }))
}
