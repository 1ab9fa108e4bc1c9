/** A vendor for tests: the real parts, on a database in memory and a clock that stands still. */
import Database from 'better-sqlite3'
import { SqliteDialect } from 'kysely'
import { orderIdOf, type Listing } from '../chain/contracts.ts'
import type { ChroveEvent } from '../chain/events.ts'
import type { Block } from '../chain/types.ts'
import { silentLog } from '../effects/log.ts'
import { toHex, utf8 } from '../protocol/bytes.ts'
import { keyHashOf } from '../protocol/cert-info.ts'
import type { Server } from '../protocol/credentials.ts'
import { createJose, type Jose } from '../protocol/jose.ts'
import { thumbprintOf, type RsaKeyPair } from '../protocol/keys.ts'
import { formatVendorUri, parseVendorUri } from '../protocol/vendor-uri.ts'
import { rsaKeyPair } from '../sim/rsa-keys.ts'
import { createCertInfo, createTimeSigner } from './cert-info.ts'
import { createVendorHttp } from './http.ts'
import type { VendorKeys } from './keys.ts'
import type { PricedListing } from './listing.ts'
import { createPriceDocuments, paymentMethods, type PriceSource } from './price-document.ts'
import { createStaticProvisioner } from './provisioners/static.ts'
import { openVendorStore } from './store.ts'

/** The moment at which these tests happen, unix seconds. */
export const NOW = 1_700_000_000
export const VENDOR = formatVendorUri({ chainId: 31_337n, registry: `0x${'ab'.repeat(20)}`, vendorId: 1n })

const uri = parseVendorUri(VENDOR)
const hash = (seed: number) => toHex(new Uint8Array(32).fill(seed)) as Block['hash']
const address = (seed: number) => toHex(new Uint8Array(20).fill(seed)) as Listing['vendor']['owner']
const text = (value: string) => ({ bytes: utf8(value), text: value })

const keys: VendorKeys = {
  signing: rsaKeyPair(0),
  encryption: rsaKeyPair(1),
  provisioningSecret: new Uint8Array(32).fill(7),
  accountKey: `0x${'11'.repeat(32)}`,
}

const plan = (onSale: boolean): Listing['plans'][number] => ({
  token: address(0),
  price: 1_500_000_000_000_000n,
  periodSeconds: 86_400,
  maxPeriods: 12,
  settlement: 'Streamed',
  onSale,
  title: text('a day'),
})

const TOKEN = address(0x70)

const listing: PricedListing = {
  vendor: {
    owner: address(1),
    pendingOwner: address(0),
    operator: address(0),
    payout: address(1),
    active: true,
    version: 1,
    planCount: 3,
    signingKey: toHex(thumbprintOf(keys.signing.publicKey)),
    encryptionKey: toHex(thumbprintOf(keys.encryption.publicKey)),
    endpoints: [text('http://vendor.example')],
    profile: text('{}'),
  },
  plans: [
    plan(true),
    plan(false),
    { ...plan(true), token: TOKEN, price: 2_500_000n, title: text('a day, in a token') },
  ],
  tokens: new Map([[TOKEN, { address: TOKEN, symbol: 'CTD', decimals: 6 }]]),
}

const servers: readonly Server[] = [
  { type: 'ss', server_name: 'one', config: { address: '203.0.113.5', port: 1984, method: 'aes-256-gcm', key: 'k' } },
]

interface Paid {
  readonly planId: number
  readonly endsAt: number
  readonly vendorId?: bigint
}

export type TestVendor = Awaited<ReturnType<typeof openTestVendor>>

export const openTestVendor = async ({ legacy = false, jose = createJose() } = {}) => {
  const database = new Database(':memory:')
  // The first start lies before every code of these tests.
  const clock = { seconds: NOW - 301 }
  const vendor = await startTestVendor(database, { legacy, jose, height: { number: 0 }, clock })
  clock.seconds = NOW
  return vendor
}

interface Started {
  readonly jose: Jose
  readonly legacy: boolean
  readonly height: { number: number }
  readonly clock: { seconds: number }
}

const startTestVendor = async (database: Database.Database, started: Started) => {
  const { legacy, jose, height, clock } = started
  const store = await openVendorStore(new SqliteDialect({ database }), uri.vendorId)
  const realClock = { nowMs: () => clock.seconds * 1000, sleep: () => Promise.resolve() }
  const source = (): PriceSource => ({
    vendor: uri,
    listing,
    brand: { title: 'Flying Ghost', description: '', logo: '' },
    nativeSymbol: 'ETH',
    signingKey: keys.signing.publicKey,
    encryptionKey: keys.encryption.publicKey,
  })
  const signTime = createTimeSigner(jose, keys)
  const provisioner = createStaticProvisioner(servers)
  const certInfo = await createCertInfo({
    clock: realClock,
    jose,
    store,
    keys,
    vendor: uri,
    legacy,
    signTime,
    openAccess: (order) => provisioner.provision(order),
    paymentMethods: () => paymentMethods(source()),
  })
  const priceDocument = createPriceDocuments({ clock: realClock, jose, signing: keys.signing, signTime, source })

  const apply = async (event: ChroveEvent) => {
    const block = { number: height.number, hash: hash(height.number), parentHash: hash(0), timestampSeconds: NOW }
    await store.apply({
      blocks: [block],
      events: [event],
      undecodable: [],
      head: block,
      finalized: { number: 0, hash: hash(0) },
    })
  }
  const evidence = () => ({
    blockNumber: ++height.number,
    blockHash: hash(height.number),
    transactionHash: hash(9),
    transactionIndex: 0,
    logIndex: 0,
  })
  const identity = (buyer: RsaKeyPair, planId: number, vendorId: bigint) =>
    ({ vendorId, orderId: orderIdOf(vendorId, planId, keyHashOf(buyer.publicKey)) }) as const

  return {
    jose,
    keys,
    uri,
    store,
    clock,
    servers,
    plans: listing.plans.map((terms, index) => ({ ...terms, planId: index + 1 })),
    fetch: createVendorHttp({ certInfo, priceDocument, ready: () => true }, silentLog),
    /** A payment that the chain confirms in a block of its own. */
    pay: (buyer: RsaKeyPair, { planId, endsAt, vendorId = uri.vendorId }: Paid) =>
      apply({
        type: 'OrderPaid',
        contract: address(3),
        ...identity(buyer, planId, vendorId),
        keyHash: keyHashOf(buyer.publicKey),
        planId,
        periods: 1,
        startedAt: NOW - 10,
        endsAt,
        amount: 1n,
        controller: address(2),
        evidence: evidence(),
      }),
    cancel: (buyer: RsaKeyPair, { planId, endsAt, vendorId = uri.vendorId }: Paid) =>
      apply({
        type: 'OrderCancelled',
        contract: address(3),
        ...identity(buyer, planId, vendorId),
        refundTo: address(2),
        refunded: 1n,
        endsAt,
        evidence: evidence(),
      }),
    /** The vendor gives the money back, which ends the order. */
    refund: (buyer: RsaKeyPair, { planId, endsAt, vendorId = uri.vendorId }: Paid) =>
      apply({
        type: 'OrderRefunded',
        contract: address(3),
        ...identity(buyer, planId, vendorId),
        refundTo: address(2),
        refunded: 1n,
        endsAt,
        evidence: evidence(),
      }),
    rollBack: async (number: number) => {
      await store.rollBack({ number, hash: hash(number) })
      height.number = number
    },
    /** The same vendor, started again at this moment on what its database holds. */
    restart: () => startTestVendor(database, started),
  }
}
