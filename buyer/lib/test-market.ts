/**
 * A market for tests: the real contracts on EDR, one vendor that answers over HTTP with the real protocol, and buyers
 * that can die between any two steps. Nothing here waits: sleeping moves the clock, and makes a block.
 */
import { readFileSync } from 'node:fs'
import { orderIdOf, registryCall } from '../../chain/contracts.ts'
import { createAccount } from '../../chain/transactions.ts'
import { parseAddress, ZERO_ADDRESS, type Address, type Hex } from '../../chain/types.ts'
import type { Chain } from '../../effects/chain.ts'
import type { Clock } from '../../effects/clock.ts'
import { silentLog } from '../../effects/log.ts'
import { NetworkError, type Network } from '../../effects/network.ts'
import { fromHex, toHex, utf8 } from '../../protocol/bytes.ts'
import { openCode, sealAnswer, type OpenedCode } from '../../protocol/cert-info.ts'
import type { Server } from '../../protocol/credentials.ts'
import { createJose, type Jose } from '../../protocol/jose.ts'
import { thumbprintOf } from '../../protocol/keys.ts'
import { signPriceContent, type PriceContent } from '../../protocol/price.ts'
import { problemResponse } from '../../protocol/problem.ts'
import { formatVendorUri } from '../../protocol/vendor-uri.ts'
import { askNode } from '../../sim/chain-door.ts'
import { openEdr, type Edr } from '../../sim/edr.ts'
import { createSimFiles } from '../../sim/files.ts'
import { createLife, never } from '../../sim/life.ts'
import { rsaKeyPair } from '../../sim/rsa-keys.ts'
import { createBuyer, type Buyer, type BuyerSettings } from './index.ts'

/** Wei for an hour of plan 1 (streamed), plan 2 (instant). */
export const PRICE_WEI = 36_000n
export const PERIOD_SECONDS = 3600
export const ENDPOINT = 'http://vendor.example:8080/base'
export const SERVERS: Server[] = [
  {
    type: 'socks5',
    server_name: 'one',
    config: { address: '203.0.113.5', port: 1080, username: 'user', password: 'secret' },
  },
]

const SIGNING = rsaKeyPair(0)
const ENCRYPTION = rsaKeyPair(1)
const jose = createJose()

/** What reaches the vendor; may be replaced in a test. */
export type Answering = (request: Request, honest: (request: Request) => Promise<Response>) => Promise<Response>

export interface Incarnation {
  readonly buyer: Buyer
  /** Sentences that were told while waiting. */
  readonly told: string[]
  /** Resolves to what the work gives, or to `dead` when the process dies first. */
  live<T>(work: Promise<T>): Promise<T | 'dead'>
  /** How many steps it took: each write of a file, each question to the node and each answer. */
  steps(): number
}

export interface StartPlan {
  /** It dies after so many steps. */
  readonly diesAfter?: number
  /** In place of a cap far above all prices; undefined for none. */
  readonly spendCapWei?: bigint | undefined
  /** How far its clock is behind the vendor's. */
  readonly behindMs?: number
  readonly settings?: Partial<BuyerSettings>
  /** Those of another buyer, in place of the market's. */
  readonly files?: Map<string, Uint8Array>
  /** What its node answers, in place of the truth. */
  readonly node?: (truth: Chain) => Chain
}

export interface TestMarket {
  readonly registry: Address
  readonly payments: Address
  readonly vendor: string
  readonly clock: Clock
  readonly chain: Chain
  /** Puts the chain back to where only the vendor is registered, and forgets all files. */
  reset(): Promise<void>
  /** Makes the present state the one that `reset` goes back to. */
  keep(): Promise<void>
  /** A buyer's process. */
  start(plan?: StartPlan): Incarnation
  /** Private key of an account with money. */
  readonly fundedKey: Hex
  balanceWei(address: Address): Promise<bigint>
  /** Files of the buyer. */
  readonly files: Map<string, Uint8Array>
  answer: Answering
  /** Payment methods of the vendor's price document. */
  methods: PriceContent['PaymentChannels']
  /** Reaches the vendor, and nobody else. */
  readonly network: Network
  /** Requests that reached the vendor. */
  readonly requests: string[]
  passSeconds(seconds: number): Promise<void>
  /** The node forgets what is not in a block yet. */
  forget(): Promise<void>
  /** Sends a call of the vendor. */
  asVendor(call: { readonly to: Address; readonly data: Hex }): Promise<void>
}

const signTime = (tsSeconds: number) => jose.sign(utf8(String(tsSeconds)), SIGNING.privateKey)

const readBytecode = (): Hex =>
  (JSON.parse(readFileSync('artifacts/contracts/VendorRegistry.sol/VendorRegistry.json', 'utf8')) as { bytecode: Hex })
    .bytecode

export const openTestMarket = async (): Promise<TestMarket> => {
  const edr: Edr = await openEdr()
  const chain: Chain = { request: (method, params) => askNode(edr.request, method, params) }
  const [vendorAccount, buyerAccount] = edr.accounts as [Edr['accounts'][number], Edr['accounts'][number]]

  const deployment = await edr.request('eth_sendTransaction', [
    { from: vendorAccount.address, data: readBytecode(), gas: '0xe4e1c0' },
  ])
  await edr.request('evm_mine')
  const receipt = (await edr.request('eth_getTransactionReceipt', [deployment])) as { contractAddress: string }
  const registry = parseAddress(receipt.contractAddress) as Address
  let nowMs = 0
  const clock: Clock = {
    nowMs: () => nowMs,
    sleep: async (ms, signal) => {
      signal?.throwIfAborted()
      nowMs += ms
      await edr.request('evm_mine')
    },
  }
  const synchronize = async (): Promise<void> => {
    const { timestamp } = (await edr.request('eth_getBlockByNumber', ['latest', false])) as { timestamp: string }
    nowMs = Number(timestamp) * 1000
  }
  const openVendor = () => createAccount({ chain, clock }, edr.chainId, fromHex(vendorAccount.privateKey))
  let vendorEvm = openVendor()
  const asVendor: TestMarket['asVendor'] = async (call) => void (await vendorEvm.send(await vendorEvm.quote(call)))
  const plan = { token: ZERO_ADDRESS, price: PRICE_WEI, periodSeconds: PERIOD_SECONDS, maxPeriods: 10 }
  await asVendor(
    registryCall(registry, 'register', {
      operator: ZERO_ADDRESS,
      payout: vendorEvm.address,
      signingKey: toHex(thumbprintOf(SIGNING.publicKey)),
      encryptionKey: toHex(thumbprintOf(ENCRYPTION.publicKey)),
      endpoints: ['http://gone.example', ENDPOINT],
      profile: JSON.stringify({ title: 'Flying\u001b[31m Ghost', description: 'quick', serviceTypes: ['proxy'] }),
    }),
  )
  await asVendor(registryCall(registry, 'addPlan', 1n, { ...plan, settlement: 'Streamed', title: 'hour' }))
  await asVendor(registryCall(registry, 'addPlan', 1n, { ...plan, settlement: 'Instant', title: 'hour, at once' }))
  await edr.keep()
  await synchronize()

  const uri = { chainId: edr.chainId, registry, vendorId: 1n }
  const vendor = formatVendorUri(uri)
  const payments = parseAddress(
    `0x${((await chain.request('eth_call', [registryCall(registry, 'payments'), 'latest'])) as string).slice(-40)}`,
  ) as Address

  const network: Network = {
    fetch: async (request) => {
      market.requests.push(`${request.method} ${request.url.split('?')[0]}`)
      if (new URL(request.url).host !== 'vendor.example:8080') {
        throw new NetworkError('ERR_NETWORK_UNREACHABLE', 'nothing answers')
      }
      return market.answer(request, (asked) => honestVendor(market, asked))
    },
    connect: () => Promise.reject(new NetworkError('ERR_NETWORK_UNREACHABLE', 'nothing answers')),
    listen: () => Promise.reject(new NetworkError('ERR_NETWORK_ADDRESS_IN_USE', 'nothing listens here')),
  }
  const market: TestMarket = {
    registry,
    payments,
    vendor,
    clock,
    chain,
    fundedKey: buyerAccount.privateKey,
    files: new Map(),
    network,
    requests: [],
    answer: (request, honest) => honest(request),
    methods: [],
    asVendor,
    async reset() {
      await edr.reset()
      // It counts its own nonces, and the chain has forgotten some.
      vendorEvm = openVendor()
      await synchronize()
      market.files.clear()
      market.requests.length = 0
      market.answer = (request, honest) => honest(request)
      market.methods = []
    },
    keep: () => edr.keep(),
    balanceWei: async (address) => BigInt((await chain.request('eth_getBalance', [address, 'latest'])) as string),
    async passSeconds(seconds) {
      await edr.request('evm_increaseTime', [seconds])
      await edr.request('evm_mine')
      await synchronize()
    },
    async forget() {
      const waiting = (await edr.request('eth_pendingTransactions')) as { hash: string }[]
      for (const { hash } of waiting) await edr.request('hardhat_dropTransaction', [hash])
    },
    start: (how = {}) => startBuyer(market, how),
  }
  return market
}

let keysMade = 0
/** Real but for the keys of orders, which take long to make. */
const quickJose: Jose = { ...jose, generateKeyPair: () => Promise.resolve(rsaKeyPair(2 + (keysMade++ % 20))) }

const startBuyer = (market: TestMarket, plan: StartPlan): Incarnation => {
  const { diesAfter = Infinity, behindMs = 0, settings } = plan
  const { files: disk = market.files, node = (truth: Chain) => truth } = plan
  const spendCapWei = 'spendCapWei' in plan ? plan.spendCapWei : 10n ** 18n
  const life = createLife()
  let steps = 0
  const step = (): void => {
    if (++steps > diesAfter) life.end()
  }
  const asked = node(market.chain)
  const underWay = new Set<Promise<unknown>>()
  const chain: Chain = {
    request: async (method, params) => {
      step()
      if (!life.isAlive()) return never()
      const asking = asked.request(method, params)
      underWay.add(asking)
      const answer = await asking.finally(() => underWay.delete(asking))
      step()
      return life.isAlive() ? answer : never()
    },
  }
  const files = createSimFiles(disk, life, step)
  let drawn = disk.size
  const told: string[] = []
  const effects = {
    chain,
    clock: { ...market.clock, nowMs: () => market.clock.nowMs() - behindMs },
    files,
    jose: quickJose,
    log: silentLog,
    // Different bytes each time are all that is needed.
    random: { bytes: (length: number) => crypto.getRandomValues(new Uint8Array(length)).fill(++drawn & 255, 0, 1) },
    network: market.network,
  }
  const buyer = createBuyer(effects, {
    registry: market.registry,
    ...(spendCapWei === undefined ? {} : { spendCapWei }),
    passphrase: () => Promise.resolve('test'),
    scryptLogN: 10,
    ...settings,
  })
  // What the node was asked before reaches it still, and would else reach the chain of the next process or test.
  const death = new Promise<'dead'>((resolve) =>
    life.onEnd(() => void Promise.allSettled(underWay).then(() => resolve('dead'))),
  )
  return { buyer, told, live: (work) => Promise.race([work, death]), steps: () => steps }
}

/** The vendor as it should be. It believes every order, as far as these tests go. */
const honestVendor = async (market: TestMarket, request: Request): Promise<Response> => {
  const url = new URL(request.url)
  const nowSeconds = Math.floor(market.clock.nowMs() / 1000)
  if (url.pathname === '/base/price.json') {
    const timeSignature = await signTime(nowSeconds)
    const content = priceContent(market, nowSeconds)
    return Response.json(await signPriceContent(jose, content, SIGNING.privateKey, timeSignature))
  }
  const code = request.method === 'POST' ? await request.text() : (url.searchParams.get('code') ?? '')
  const policy = { vendor: market.vendor, nowSeconds, legacy: false }
  const opened = await openCode(jose, code, ENCRYPTION.privateKey, policy)
  return new Response(await sealFor(market, opened, nowSeconds))
}

const priceContent = ({ registry, methods }: TestMarket, ts: number): PriceContent => {
  const jwk = ({ kty, n, e }: { kty: string; n: string; e: string }) => ({ kty, n, e })
  return {
    ContractAddress: registry,
    Price: { symbol: 'ETH', amount: '0', unit: 'Hour' },
    PaymentChannels: methods,
    PublicKey: jwk(SIGNING.publicKey),
    PublicKeyEnc: jwk(ENCRYPTION.publicKey),
    ts,
    brandinfo: { Logo: '', title: 'Flying Ghost', description: '' },
  }
}

/** An answer that fits the code; `changes` replace parts of it. */
export const sealFor = async (
  { vendor }: TestMarket,
  opened: OpenedCode,
  tsSeconds: number,
  changes: { readonly orderId?: string } = {},
): Promise<string> => {
  const plan = opened.planId ?? 1
  const order = { id: changes.orderId ?? orderIdOf(1n, plan, toHex(opened.keyId)), vendor, plan }
  const timeSignature = await signTime(tsSeconds)
  const answer = { servers: SERVERS, tsSeconds, expiresSeconds: tsSeconds + PERIOD_SECONDS, order }
  return sealAnswer(jose, answer, opened, { privateKey: SIGNING.privateKey, timeSignature })
}

/** For vendors that misbehave. */
export const openAtVendor = (market: TestMarket, code: string): Promise<OpenedCode> =>
  openCode(jose, code, ENCRYPTION.privateKey, {
    vendor: market.vendor,
    nowSeconds: Math.floor(market.clock.nowMs() / 1000),
    legacy: false,
  })

/** "Not paid", as a vendor says it. */
export const notPaid = (): Response =>
  problemResponse({ status: 402, code: 'ERR_NOT_PAID', title: 'Not paid', detail: 'pay first', retryAfterSeconds: 5 })
