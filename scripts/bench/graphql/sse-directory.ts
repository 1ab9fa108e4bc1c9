/** A directory whose vendors change when the parent process says so, served to subscribers. */
import { Kysely } from 'kysely'
import type { ChroveEvent } from '../../../chain/events.ts'
import type { Block, Evidence } from '../../../chain/types.ts'
import { ZERO_ADDRESS } from '../../../chain/types.ts'
import { createClock } from '../../../effects/clock.ts'
import { sha256 } from '../../../effects/digest-node.ts'
import { serveHttp } from '../../../effects/http-server.ts'
import { silentLog } from '../../../effects/log.ts'
import { createSqlStore } from '../../../effects/store-node.ts'
import { createFeed } from '../../../indexer/graphql/feed.ts'
import { watchHead } from '../../../indexer/graphql/head.ts'
import { createGraphqlServer } from '../../../indexer/graphql/server.ts'
import { createMetrics } from '../../../indexer/metrics.ts'
import type { Database } from '../../../indexer/schema.ts'
import { createProjection, openStore } from '../../../indexer/store.ts'
import { address, hash, SOURCE, text } from './seed.ts'

/** Vendors that change in each block. */
const VENDORS = 20

const [, , folder = ''] = process.argv
const db = new Kysely<Database>({ dialect: createSqlStore(folder).dialect('events') })
await openStore(db, SOURCE.registry, async () => SOURCE)
const { projection: watched, head } = watchHead(db, createProjection(db))
const feed = createFeed(db)
const projection = feed.through(watched)

const block = (number: number): Block => ({
  number,
  hash: hash(number + 1),
  parentHash: hash(number),
  timestampSeconds: 1_700_000_000 + number,
})
const evidence = (number: number, place: number): Evidence => ({
  ...{ blockNumber: number, blockHash: hash(number + 1), transactionHash: hash(1_000_000 * number + place) },
  ...{ transactionIndex: place, logIndex: place },
})
const profile = (number: number) =>
  text(JSON.stringify({ title: `Changed in block ${number}`, serviceTypes: ['proxy'] }))

/** Each vendor is registered in block 1, and has another profile in each block after it. */
const eventOf = (number: number, place: number): ChroveEvent => {
  const of = { contract: SOURCE.registry, evidence: evidence(number, place), vendorId: BigInt(place + 1) }
  if (number > 1) return { type: 'ProfileChanged', ...of, version: number, profile: profile(number) }
  const keys = { signingKey: hash(1), encryptionKey: hash(2) }
  const who = { owner: address(place), operator: ZERO_ADDRESS, payout: address(place) }
  const endpoints = [text('http://198.51.100.7:8080')]
  return { type: 'VendorRegistered', ...of, version: 1, ...who, ...keys, endpoints, profile: profile(number) }
}

const write = (number: number) =>
  projection.apply({
    blocks: [block(number)],
    events: number === 0 ? [] : Array.from({ length: VENDORS }, (_, place) => eventOf(number, place)),
    undecodable: [],
    head: block(number),
    finalized: block(0),
  })

let newest = 0
await write(newest)
await write(++newest)

const directory = { db, head, feed, probes: { revision: () => 0 }, source: SOURCE, clock: createClock(), sha256 }
const readHeader = async (number: number) => block(number)
const graphql = createGraphqlServer({ ...directory, readHeader }, { log: silentLog, metrics: createMetrics() })
const listener = await serveHttp((request) => graphql.fetch(request), { host: '127.0.0.1', port: 0 })

process.on('message', (events: number) => {
  const last = newest + events / VENDORS
  const writeAll = async () => {
    while (newest < last) await write(++newest)
  }
  writeAll().catch((error: unknown) => {
    throw error
  })
})
process.send?.(listener.address.port)
