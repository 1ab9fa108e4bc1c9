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
import type { Log } from '../effects/log.ts'
import type { Random } from '../effects/random.ts'
import type { SqlStore } from '../effects/store.ts'
import { IndexerError } from './errors.ts'
import { createFeed, type Feed } from './graphql/feed.ts'
import { createGraphqlServer, GRAPHQL_PATH } from './graphql/server.ts'
import type { Database } from './schema.ts'
import { createProjection, openStore } from './store.ts'

export interface IndexerEffects {
  readonly clock: Clock
  readonly random: Random
  readonly chain: Chain
  readonly sql: SqlStore
  readonly log: Log
}

export interface IndexerSettings {
  readonly registry: Address
  /** First block that can hold an event: that of the deployment, or 0. */
  readonly fromBlock: number
  /** A block this far below the head counts as final, where the chain does not say which is. */
  readonly finalityBlocks: number
  /** Follows only up to this many blocks below the head; 0 for all. */
  readonly confirmations: number
  /** Looks for new blocks this often, milliseconds. */
  readonly pollMs: number
}

export interface Indexer {
  /** Answers `/graphql`, `/health` and `/ready`. */
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

/** Name of the database in the store. */
const DATABASE = 'directory'

interface Opened {
  readonly db: Kysely<Database>
  readonly follower: Follower
  readonly feed: Feed
  readonly graphql: (request: Request) => Promise<Response>
}

/**
 * Makes the directory of a registry. Nothing is opened yet: a new database asks the chain what it will be about when
 * it is first used, and an old one answers queries even when no chain can be reached.
 */
export const createIndexer = (effects: IndexerEffects, settings: IndexerSettings): Indexer => {
  const { clock, log } = effects
  let opening: Promise<Opened> | undefined
  let caughtUpAtMs: number | undefined
  const isReady = () => caughtUpAtMs !== undefined && clock.nowMs() - caughtUpAtMs < READY_MS

  const opened = (): Promise<Opened> =>
    (opening ??= open(effects, settings).catch((error: unknown) => {
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

  const app = new Hono()
  app.all(GRAPHQL_PATH, async (context) => {
    try {
      const { graphql } = await opened()
      return await graphql(context.req.raw)
    } catch (error) {
      const known = error instanceof ChainError || error instanceof IndexerError
      log.warn('graphql.not-open', { code: known ? error.code : 'ERR_BUG' })
      const notReady = { code: 'ERR_NOT_READY', retryable: true }
      return context.json({ errors: [{ message: 'the directory is not open yet', extensions: notReady }] }, 503)
    }
  })
  app.get('/health', (context) => context.json({ ok: true }))
  app.get('/ready', (context) => context.json({ ready: isReady() }, isReady() ? 200 : 503))

  return {
    fetch: async (request) => app.fetch(request),
    step,
    async run(signal) {
      try {
        await runSteps(effects, step, settings.pollMs, signal)
      } finally {
        // Who waits for what is new would keep a server from closing.
        const open = await opening?.catch(() => undefined)
        open?.feed.close()
      }
    },
    close: async () => (await opening?.catch(() => undefined))?.db.destroy(),
  }
}

const open = async (effects: IndexerEffects, settings: IndexerSettings): Promise<Opened> => {
  const { chain, clock, log } = effects
  const { registry } = settings
  const rpc = createRpc(chain)
  const db = new Kysely<Database>({ dialect: effects.sql.dialect(DATABASE) })
  try {
    const source = await openStore(db, registry, async () => ({
      chainId: await rpc.chainId(),
      registry,
      payments: await paymentsOf(chain, registry),
    }))
    const { chainId, payments } = source
    const following = { ...settings, chainId, contracts: { registry, payments } }
    const now = () => nowSeconds(clock)
    const feed = createFeed(db)
    const directory = { db, feed, clock, source, nowSeconds: now, readHeader: (number: number) => rpc.block(number) }
    return {
      db,
      feed,
      follower: createFollower(effects, following, feed.through(createProjection(db))),
      graphql: createGraphqlServer(directory, log),
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
