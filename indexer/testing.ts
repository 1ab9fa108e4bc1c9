/** Made-up chains for the directory's tests: what the contracts would have written, with forks. */
import { after } from 'node:test'
import SqliteDatabase from 'better-sqlite3'
import fc from 'fast-check'
import { type Dialect, Kysely, SqliteDialect } from 'kysely'
import type { ChroveEvent, UndecodableLog } from '../chain/events.ts'
import type { Batch, Projection } from '../chain/projection.ts'
import { type Address, type Block, type Evidence, type Hash, type Hex, ZERO_ADDRESS } from '../chain/types.ts'
import { postgresDialect } from '../effects/store-postgres.ts'
import { utf8 } from '../protocol/bytes.ts'
import { chainText } from '../protocol/text.ts'
import type { Database } from './schema.ts'
import { type Source, openStore } from './store.ts'
import { openTestPostgres, type TestPostgres } from './test-postgres.ts'

export const SOURCE: Source = {
  chainId: 31337n,
  registry: `0x${'a'.repeat(40)}` as Address,
  payments: `0x${'b'.repeat(40)}` as Address,
}

export const address = (n: number): Address => `0x${n.toString(16).padStart(40, '0')}` as Address
export const hash = (n: number): Hash => `0x${n.toString(16).padStart(64, '0')}` as Hash
export const text = (value: string) => chainText(utf8(value))

let server: Promise<TestPostgres> | undefined
after(async () => (await server)?.close())

/** A database in memory; with `CHROVE_TEST_STORE=postgres` on the server that `CHROVE_TEST_POSTGRES` names. */
const emptyDatabase = async (): Promise<Dialect> => {
  if (process.env.CHROVE_TEST_STORE !== 'postgres') {
    return new SqliteDialect({ database: new SqliteDatabase(':memory:') })
  }
  server ??= openTestPostgres()
  return postgresDialect(await (await server).create())
}

/** An empty directory. */
export const emptyStore = async (dialect?: Dialect): Promise<Kysely<Database>> => {
  const db = new Kysely<Database>({ dialect: dialect ?? (await emptyDatabase()) })
  await openStore(db, SOURCE.registry, async () => SOURCE)
  return db
}

/** One thing that somebody does; numbers choose among what there is at that moment. */
export interface Operation {
  readonly kind:
    | 'register'
    | 'profile'
    | 'active'
    | 'transfer'
    | 'accept'
    | 'endpoints'
    | 'keys'
    | 'add-plan'
    | 'sale'
    | 'buy'
    | 'cancel'
    | 'refund'
    | 'withdraw'
    | 'nonsense'
  readonly who: number
  readonly value: number
  readonly words: string
}

const KINDS: readonly Operation['kind'][] = [
  'register',
  'profile',
  'active',
  'transfer',
  'accept',
  'endpoints',
  'keys',
  'add-plan',
  'sale',
  'buy',
  'cancel',
  'refund',
  'withdraw',
  'nonsense',
]

const operation: fc.Arbitrary<Operation> = fc.record({
  kind: fc.oneof(fc.constantFrom(...KINDS), fc.constantFrom<Operation['kind']>('register', 'add-plan', 'buy')),
  who: fc.nat(20),
  value: fc.nat(1000),
  words: fc.oneof(fc.constantFrom('proxy', 'fast relay', 'Ünïcode', ''), fc.string({ unit: 'binary' })),
})

/** Operations of some blocks in a row; several of one vendor in a block are likely. */
export const operations = fc.array(fc.array(operation, { maxLength: 6 }), { minLength: 1, maxLength: 8, size: 'max' })

interface Run {
  startedAt: number
  endsAt: number
  cancelled: boolean
}

/** What a block holds. */
export interface Sealed {
  readonly block: Block
  readonly events: readonly ChroveEvent[]
  readonly undecodable: readonly UndecodableLog[]
}

export const genesis: Sealed = {
  block: { number: 0, hash: hash(0xffff), parentHash: hash(0), timestampSeconds: 1_700_000_000 },
  events: [],
  undecodable: [],
}

/**
 * Blocks on top of genesis that do these operations, with the events our contracts write.
 * @param fork distinguishes blocks of different branches: part of every hash
 */
export const seal = (
  script: readonly { readonly fork: number; readonly operations: readonly Operation[] }[],
): Sealed[] => {
  const vendors: { version: number; plans: boolean[]; offered: boolean }[] = []
  const orders = new Map<Hex, Run & { vendorId: bigint }>()
  const sealed: Sealed[] = [genesis]

  for (const { fork, operations: doings } of script) {
    const parent = sealed.at(-1) ?? genesis
    const number = parent.block.number + 1
    const block: Block = {
      number,
      hash: hash(fork * 1_000_000 + number),
      parentHash: parent.block.hash,
      timestampSeconds: parent.block.timestampSeconds + 12,
    }
    const now = block.timestampSeconds
    const events: ChroveEvent[] = []
    const undecodable: UndecodableLog[] = []

    for (const [index, { kind, who, value, words }] of doings.entries()) {
      const evidence: Evidence = {
        blockNumber: number,
        blockHash: block.hash,
        transactionHash: hash(fork * 1_000_000_000 + number * 1000 + index),
        transactionIndex: index,
        logIndex: index * 2 + 1,
      }
      const inRegistry = { contract: SOURCE.registry, evidence }
      const inPayments = { contract: SOURCE.payments, evidence }
      const vendorIndex = vendors.length === 0 ? -1 : who % vendors.length
      const vendor = vendors[vendorIndex]
      const vendorId = BigInt(vendorIndex + 1)
      const profile = text(JSON.stringify({ title: words, serviceTypes: [words], description: `about ${value}` }))

      if (kind === 'nonsense') {
        const log = { address: address(value), topics: [hash(value)], data: '0x00ff' as Hex, evidence }
        undecodable.push({ type: 'Undecodable', reason: 'unknown-event', log })
      } else if (kind === 'register') {
        vendors.push({ version: 1, plans: [], offered: false })
        events.push({
          type: 'VendorRegistered',
          ...inRegistry,
          vendorId: BigInt(vendors.length),
          version: 1,
          owner: address(who),
          operator: ZERO_ADDRESS,
          payout: address(value),
          signingKey: hash(who),
          encryptionKey: hash(value),
          endpoints: [text(words)],
          profile,
        })
      } else if (!vendor) {
        continue
      } else if (kind === 'buy' || kind === 'cancel' || kind === 'refund' || kind === 'withdraw') {
        if (vendor.plans.length === 0) continue
        const planId = (value % vendor.plans.length) + 1
        const keyHash = hash(who % 3)
        const orderId = hash(Number(vendorId) * 1_000_000 + planId * 1000 + (who % 3))
        const run = orders.get(orderId)
        const running = run !== undefined && !run.cancelled && run.endsAt > now
        if (kind === 'buy') {
          const startedAt = running ? run.startedAt : now
          const endsAt = (running ? run.endsAt : now) + (value % 5) + 1
          orders.set(orderId, { startedAt, endsAt, cancelled: false, vendorId })
          const amount = BigInt(value) * 10n ** 20n
          const controller = address(who)
          events.push({
            type: 'OrderPaid',
            ...inPayments,
            orderId,
            vendorId,
            keyHash,
            planId,
            periods: 1,
            startedAt,
            endsAt,
            amount,
            controller,
          })
        } else if (kind === 'cancel' && running) {
          orders.set(orderId, { ...run, cancelled: true, endsAt: now })
          events.push({
            type: 'OrderCancelled',
            ...inPayments,
            orderId,
            vendorId,
            refundTo: address(who),
            refunded: BigInt(value),
            endsAt: now,
          })
        } else if (kind === 'refund' && run) {
          const endsAt = Math.min(run.endsAt, now)
          orders.set(orderId, { ...run, cancelled: run.cancelled || running, endsAt })
          events.push({
            type: 'OrderRefunded',
            ...inPayments,
            orderId,
            vendorId,
            refundTo: address(who),
            refunded: BigInt(value),
            endsAt,
          })
        } else if (kind === 'withdraw' && run) {
          events.push({
            type: 'OrderWithdrawn',
            ...inPayments,
            orderId,
            vendorId,
            payout: address(who),
            amount: BigInt(value),
          })
        }
      } else {
        const change = { ...inRegistry, vendorId, version: vendor.version + 1 }
        const before = events.length
        if (kind === 'profile') events.push({ ...change, type: 'ProfileChanged', profile })
        if (kind === 'active') events.push({ ...change, type: 'ActiveChanged', active: value % 2 === 0 })
        if (kind === 'endpoints')
          events.push({ ...change, type: 'EndpointsChanged', endpoints: [text(words), text('b')] })
        if (kind === 'keys')
          events.push({ ...change, type: 'KeysChanged', signingKey: hash(value), encryptionKey: hash(who) })
        if (kind === 'transfer') {
          vendor.offered = true
          events.push({ ...change, type: 'OwnershipTransferStarted', pendingOwner: address(value) })
        }
        if (kind === 'accept' && vendor.offered) {
          vendor.offered = false
          events.push({ ...change, type: 'OwnershipTransferred', owner: address(value) })
        }
        if (kind === 'add-plan') {
          vendor.plans.push(true)
          events.push({
            ...change,
            type: 'PlanAdded',
            planId: vendor.plans.length,
            token: value % 3 === 0 ? ZERO_ADDRESS : address(7),
            price: BigInt(value + 1) * 10n ** BigInt(value % 30),
            periodSeconds: (value % 4) * 3600 + 1,
            maxPeriods: 12,
            settlement: value % 2 === 0 ? 'Instant' : 'Streamed',
            title: text(words),
          })
        }
        if (kind === 'sale' && vendor.plans.length > 0) {
          const planId = (value % vendor.plans.length) + 1
          const onSale = !vendor.plans[planId - 1]
          vendor.plans[planId - 1] = onSale
          events.push({ ...change, type: 'PlanSaleChanged', planId, onSale })
        }
        vendor.version += events.length - before
      }
    }
    sealed.push({ block, events, undecodable })
  }
  return sealed
}

/** Some blocks as one batch. */
export const batchOf = (sealed: readonly Sealed[], finalized: Block = genesis.block): Batch => {
  const blocks = sealed.map(({ block }) => block)
  const last = blocks.pop()
  if (!last) throw new RangeError('a batch has blocks')
  return {
    blocks: [...blocks, last],
    events: sealed.flatMap(({ events }) => events),
    undecodable: sealed.flatMap(({ undecodable }) => undecodable),
    head: last,
    finalized,
  }
}

/** Branches of a chain: each drops some blocks of the one before and adds its own. */
export type Branches = readonly { readonly undo: number; readonly blocks: readonly (readonly Operation[])[] }[]

export const branches: fc.Arbitrary<Branches> = fc.array(fc.record({ undo: fc.nat(6), blocks: operations }), {
  minLength: 1,
  maxLength: 5,
  size: 'max',
})

/**
 * Leads a projection that has genesis along branches as a follower does, in batches of some blocks.
 * @param told is called after each batch and each rollback with the blocks that count now
 * @returns the canonical chain in the end
 */
export const leadAlong = async (
  projection: Projection,
  all: Branches,
  batchBlocks: number,
  told: (chain: readonly Sealed[]) => Promise<void> = async () => {},
): Promise<Sealed[]> => {
  let script: { fork: number; operations: readonly Operation[] }[] = []
  let chain: Sealed[] = [genesis]
  for (const [fork, { undo, blocks }] of all.entries()) {
    const kept = Math.max(0, script.length - undo)
    const to = chain[kept]
    if (to && kept < chain.length - 1) {
      await projection.rollBack(to.block)
      await told(chain.slice(0, kept + 1))
    }
    script = [...script.slice(0, kept), ...blocks.map((some) => ({ fork: fork + 1, operations: some }))]
    chain = seal(script)
    for (let from = kept + 1; from < chain.length; from += batchBlocks) {
      await projection.apply(batchOf(chain.slice(from, from + batchBlocks)))
      await told(chain.slice(0, from + batchBlocks))
    }
  }
  return chain
}
