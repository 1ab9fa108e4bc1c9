/** A directory of a made-up chain, asked over HTTP as a client asks it. */
import { silentLog } from '../../effects/log.ts'
import { createClock } from '../../effects/clock.ts'
import { createProjection } from '../store.ts'
import { batchOf, emptyStore, genesis, type Operation, seal, type Sealed, SOURCE } from '../testing.ts'
import type { Directory } from './context.ts'
import { createFeed } from './feed.ts'
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
  readonly clock?: Directory['clock']
}

/** The clock shows 7 seconds after the newest block. */
export const directoryOf = async (chain: readonly Sealed[], options: DirectoryOptions = {}) => {
  const { finalized = genesis, readHeader = async (number) => chain[number]?.block, clock = createClock() } = options
  const db = await emptyStore()
  const feed = createFeed(db)
  const projection = feed.through(createProjection(db))
  await projection.apply(batchOf(chain, finalized.block))
  const head = chain.at(-1)?.block ?? genesis.block
  const nowSeconds = () => head.timestampSeconds + 7
  const graphql = createGraphqlServer({ db, feed, clock, source: SOURCE, nowSeconds, readHeader }, silentLog)
  const post = (body: object): Promise<Response> =>
    graphql(
      new Request('http://directory/graphql', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      }),
    )
  return {
    db,
    feed,
    projection,
    graphql,
    head,
    post,
    async ask<Data>(query: string, variables: object = {}): Promise<Answer<Data>> {
      return (await (await post({ query, variables })).json()) as Answer<Data>
    },
  }
}
