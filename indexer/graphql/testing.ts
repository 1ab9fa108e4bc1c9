/** A directory of a made-up chain, asked over HTTP as a client asks it. */
import type { Dialect } from 'kysely'
import { type Clock, createClock } from '../../effects/clock.ts'
import { sha256 } from '../../effects/digest-node.ts'
import { silentLog } from '../../effects/log.ts'
import { createMetrics } from '../metrics.ts'
import { createProjection } from '../store.ts'
import { batchOf, emptyStore, genesis, type Operation, seal, type Sealed, SOURCE } from '../testing.ts'
import type { AllowedDocuments } from './allowed-documents.ts'
import type { Directory } from './context.ts'
import { createFeed } from './feed.ts'
import { type Changing, watchHead } from './head.ts'
import { createGraphqlServer } from './server.ts'

/** An answer whose data has the shape that the test asked for. */
export interface Answer<Data> {
  readonly data: Data
  readonly errors?: readonly { readonly message: string; readonly extensions: { readonly code: string } }[]
}

export const codesOf = ({ errors = [] }: Pick<Answer<unknown>, 'errors'>) =>
  errors.map(({ extensions }) => extensions.code)

export const doing = (kind: Operation['kind'], who: number, value: number, words = 'proxy'): Operation => ({
  kind,
  who,
  value,
  words,
})

/** A chain without forks: each argument is what happens in a block. */
export const chainOf = (...blocks: readonly (readonly Operation[])[]): Sealed[] =>
  seal(blocks.map((operations) => ({ fork: 1, operations })))

export interface DirectoryOptions {
  readonly finalized?: Sealed
  /** By default the chain has all its headers. */
  readonly readHeader?: Directory['readHeader']
  /** By default it shows 7 seconds after the newest block of the chain. */
  readonly clock?: Partial<Clock>
  /** By default the prober finds nothing out. */
  readonly probes?: Changing
  readonly allowed?: AllowedDocuments
  /** An empty database of its own. */
  readonly database?: Dialect
}

export const directoryOf = async (chain: readonly Sealed[], options: DirectoryOptions = {}) => {
  const { finalized = genesis, readHeader = async (number) => chain[number]?.block } = options
  const { probes = { revision: () => 0 } } = options
  const db = await emptyStore(options.database)
  const { projection: watched, head: newest } = watchHead(db, createProjection(db))
  const feed = createFeed(db)
  const projection = feed.through(watched)
  await projection.apply(batchOf(chain, finalized.block))
  const head = chain.at(-1)?.block ?? genesis.block
  const clock: Clock = { ...createClock(), nowMs: () => 1000 * (head.timestampSeconds + 7), ...options.clock }
  const metrics = createMetrics()
  const directory = { db, head: newest, feed, probes, source: SOURCE, clock, sha256, readHeader }
  const { fetch: graphql, keptBytes } = createGraphqlServer(directory, { log: silentLog, metrics }, options.allowed)
  const post = (body: object, given: Readonly<Record<string, string>> = {}): Promise<Response> => {
    const text = JSON.stringify(body)
    const length = String(Buffer.byteLength(text))
    const headers = { 'content-type': 'application/json', 'content-length': length, ...given }
    return graphql(new Request('http://directory/graphql', { method: 'POST', headers, body: text }))
  }
  return {
    db,
    feed,
    projection,
    directory,
    metrics,
    graphql,
    keptBytes,
    head,
    post,
    async ask<Data>(query: string, variables: object = {}): Promise<Answer<Data>> {
      return (await (await post({ query, variables })).json()) as Answer<Data>
    },
  }
}
