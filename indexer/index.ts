/**
 * The directory: follows a registry and its payments into SQL and answers GraphQL about them (DESIGN 11). One object
 * follows and serves; both rest on the database alone, so either can be killed at any moment.
 */
import { Hono } from 'hono'
import { Kysely } from 'kysely'
import { createContractReader } from '../chain/contracts.ts'
import { createFollower, type Follower, type Step } from '../chain/follower.ts'
import { createRpc } from '../chain/rpc.ts'
import { isCaughtUp, runSteps } from '../chain/run-steps.ts'
import type { Address } from '../chain/types.ts'
import { type Chain, ChainError } from '../effects/chain.ts'
import { type Clock, nowSeconds } from '../effects/clock.ts'
import type { Heads } from '../effects/heads.ts'
import type { Log } from '../effects/log.ts'
import type { Network } from '../effects/network.ts'
import type { Random } from '../effects/random.ts'
import { type SqlStore, StoreError } from '../effects/store.ts'
import type { Jose } from '../protocol/jose.ts'
import { IndexerError } from './errors.ts'
import type { AllowedDocuments } from './graphql/allowed-documents.ts'
import { createFeed, type Feed } from './graphql/feed.ts'
import { type HeadWatch, watchHead } from './graphql/head.ts'
import { createGraphqlServer, GRAPHQL_PATH, type GraphqlServer } from './graphql/server.ts'
import { createMetrics, type Metrics, type Observed } from './metrics.ts'
import { createProber, type Prober, type ProberSettings } from './prober/index.ts'
import type { Database } from './schema.ts'
import { createProjection, openStore } from './store.ts'

export interface IndexerEffects {
  readonly clock: Clock
  readonly random: Random
  readonly chain: Chain
  readonly heads: Heads
  readonly sql: SqlStore
  readonly log: Log
  readonly sha256: (bytes: Uint8Array) => Uint8Array
}

export interface IndexerSettings {
  readonly registry: Address
  /** First block that can hold an event: that of the deployment, or 0. */
  readonly fromBlock: number
  /** A block this far below the head counts as final, where the chain does not say which is. */
  readonly finalityBlocks: number
  /** Follows only up to this many blocks below the head; 0 for all. */
  readonly confirmations: number
  /** Looks for new blocks at least this often, milliseconds: sooner when a head is told. */
  readonly pollMs: number
  /** Name of the database in the store; `directory` when left out. */
  readonly database?: string
  /** If given, GraphQL answers no other documents. */
  readonly allowed?: AllowedDocuments
}

/** What probing needs, for a directory that probes. */
export interface Probing extends ProberSettings {
  readonly network: Network
  readonly jose: Jose
}

export interface Indexer {
  /** Answers `/graphql`, `/health`, `/ready` and `/metrics`. */
  fetch(request: Request): Promise<Response>
  /**
   * One bounded unit of following, for callers that keep their own time.
   * @throws ChainError for a passing fault: step again; FollowError or IndexerError when that cannot help
   */
  step(signal?: AbortSignal): Promise<Step>
  /** Follows until the signal aborts, through any passing fault; then ends all subscriptions. @throws FollowError | IndexerError */
  run(signal: AbortSignal): Promise<void>
  /** Lets go of the database; call it once nothing runs any more. */
  close(): Promise<void>
}

/** Readiness is forgotten when the chain has not answered for so long, milliseconds. */
const READY_MS = 60_000

/** Name of the database in the store, unless the settings have another. */
const DATABASE = 'directory'

interface Opened {
  readonly db: Kysely<Database>
  readonly follower: Follower
  readonly head: HeadWatch
  readonly feed: Feed
  readonly graphql: GraphqlServer
  readonly prober: Prober | undefined
}

/**
 * Makes the directory of a registry. Nothing is opened yet: a new database asks the chain what it will be about when
 * it is first used, and an old one answers queries even when no chain can be reached.
 * @param probing asks vendors' endpoints too, while it follows and is caught up; nobody is asked when it is left out
 */
export const createIndexer = (effects: IndexerEffects, settings: IndexerSettings, probing?: Probing): Indexer => {
  const { clock, log } = effects
  const metrics = createMetrics()
  let opening: Promise<Opened> | undefined
  let caughtUpAtMs: number | undefined
  const isReady = () => caughtUpAtMs !== undefined && clock.nowMs() - caughtUpAtMs < READY_MS

  const opened = (): Promise<Opened> =>
    (opening ??= open(effects, settings, metrics, probing).catch((error: unknown) => {
      opening = undefined
      throw error
    }))

  const step = async (signal?: AbortSignal): Promise<Step> => {
    const { follower } = await opened()
    const stepped = await follower.step(signal)
    if (isCaughtUp(stepped)) caughtUpAtMs = clock.nowMs()
    else if (stepped.did !== 'distrust') caughtUpAtMs = undefined
    return stepped
  }

  const probe = async ({ pauseMs }: Probing, signal: AbortSignal): Promise<void> => {
    while (!signal.aborted) {
      try {
        await clock.sleep(pauseMs, signal)
        // What is old news would be asked of those who moved.
        if (isReady()) await (await opened()).prober?.round(signal)
      } catch (error) {
        if (signal.aborted) return
        if (!(error instanceof StoreError && error.retryable)) throw error
        log.warn('store.fault', { code: error.code })
      }
    }
  }

  const app = new Hono()
  app.all(GRAPHQL_PATH, async (context) => {
    try {
      const { graphql } = await opened()
      return await graphql.fetch(context.req.raw)
    } catch (error) {
      const known = error instanceof ChainError || error instanceof IndexerError || error instanceof StoreError
      log.warn('graphql.not-open', { code: known ? error.code : 'ERR_BUG' })
      const notReady = { code: 'ERR_NOT_READY', retryable: true }
      return context.json({ errors: [{ message: 'the directory is not open yet', extensions: notReady }] }, 503)
    }
  })
  app.get('/health', (context) => context.json({ ok: true }))
  app.get('/metrics', async (context) => {
    const text = await metrics.text(async () => ({
      ready: isReady(),
      ...(await observe(clock, await opening?.catch(() => undefined))),
    }))
    return context.body(text, 200, { 'content-type': metrics.contentType, 'cache-control': 'no-store' })
  })
  app.get('/ready', (context) => context.json({ ready: isReady() }, isReady() ? 200 : 503))

  return {
    fetch: async (request) => app.fetch(request),
    step,
    async run(signal) {
      const ending = new AbortController()
      const until = AbortSignal.any([signal, ending.signal])
      // Whichever fails ends the other.
      const whole = (work: Promise<void>) => work.finally(() => ending.abort())
      const following = whole(runSteps(effects, step, settings.pollMs, until))
      try {
        await Promise.all([following, probing && whole(probe(probing, until))])
      } finally {
        // Who waits for what is new would keep a server from closing.
        const open = await opening?.catch(() => undefined)
        open?.feed.close()
      }
    },
    close: async () => (await opening?.catch(() => undefined))?.db.destroy(),
  }
}

/** What can be told of an open directory; before its first block there is little. */
const observe = async (clock: Clock, opened: Opened | undefined): Promise<Partial<Observed>> => {
  if (!opened) return {}
  const { db, graphql } = opened
  const count = async (table: 'gaps' | 'undecodable_logs') => {
    const { total } = await db
      .selectFrom(table)
      .select(({ fn }) => fn.countAll().as('total'))
      .executeTakeFirstOrThrow()
    return Number(total)
  }
  const head = await opened.head.read().catch(() => undefined)
  return {
    cacheBytes: graphql.keptBytes(),
    gaps: await count('gaps'),
    undecodableLogs: await count('undecodable_logs'),
    ...(head ? { headBlock: head.number, lagSeconds: Math.max(0, nowSeconds(clock) - head.timestampSeconds) } : {}),
  }
}

const open = async (
  effects: IndexerEffects,
  settings: IndexerSettings,
  metrics: Metrics,
  probing: Probing | undefined,
): Promise<Opened> => {
  const { chain, clock, log, sha256 } = effects
  const { registry } = settings
  const rpc = createRpc(chain)
  const db = new Kysely<Database>({ dialect: effects.sql.dialect(settings.database ?? DATABASE) })
  try {
    const source = await openStore(db, registry, async () => ({
      chainId: await rpc.chainId(),
      registry,
      payments: await paymentsOf(chain, registry),
    }))
    const { chainId, payments } = source
    const following = { ...settings, chainId, contracts: { registry, payments } }
    const { projection, head } = watchHead(db, createProjection(db))
    const feed = createFeed(db)
    const readHeader = (number: number) => rpc.block(number)
    const prober = probing && createProber({ ...effects, ...probing }, db, source, probing)
    const probes = { revision: () => prober?.revision() ?? 0 }
    return {
      db,
      // Subscribers hear of it last: then everything tells what is new.
      follower: createFollower(effects, following, feed.through(projection)),
      head,
      feed,
      graphql: createGraphqlServer(
        { db, head, feed, probes, source, clock, sha256, readHeader },
        { log, metrics },
        settings.allowed,
      ),
      prober,
    }
  } catch (error) {
    await db.destroy()
    throw error
  }
}

/** @throws ERR_INDEXER_NO_REGISTRY; ChainError when the chain cannot be reached */
const paymentsOf = async (chain: Chain, registry: Address): Promise<Address> => {
  try {
    return await createContractReader(chain).paymentsOf(registry)
  } catch (cause) {
    if (cause instanceof ChainError && cause.retryable) throw cause
    throw new IndexerError('ERR_INDEXER_NO_REGISTRY', 'there is no vendor registry at this address', { cause })
  }
}
