/** The directory, on a machine that may crash. */
import { sha256 } from '@noble/hashes/sha2.js'
import { createFailoverChain } from '../../effects/chain-failover.ts'
import { createIndexer, type Indexer } from '../../indexer/index.ts'
import { drawClockErrors } from '../clock.ts'
import { createSimHost, type SimHost } from '../host.ts'
import { lyingNode } from '../lying-node.ts'
import { openHeads } from './heads.ts'
import type { World } from './world.ts'

export interface IndexerActor {
  readonly name: string
  readonly host: SimHost
  start(): void
  crash(): void
  /** Asks GraphQL without a network between. @returns undefined when it is not there, or not ready */
  ask(query: string): Promise<Record<string, unknown> | undefined>
}

export const createIndexerActor = (world: World): IndexerActor => {
  const { loop, trace, random, chain, contracts, knobs } = world
  const name = 'directory'
  const own = random.fork(name)
  const watched = {
    ...trace,
    add: (...line: Parameters<typeof trace.add>) => {
      trace.add(...line)
      if (line[0] === 'log' && line[3] === 'chain.reorg') world.reach('indexer rolled back')
      if (line[0] === 'log' && line[3] === 'chain.omission') world.reach('indexer got around an omission')
    },
  }
  const errors = drawClockErrors(own)
  const host = createSimHost({ loop, network: world.network, random, trace: watched }, name, errors)
  let indexer: Indexer | undefined

  const serve = async (): Promise<void> => {
    const effects = host.boot()
    const heads = openHeads(world, name, effects.life)
    const { life } = effects
    const liar = lyingNode(own.fork('liar'), world.faults, chain.door(`${name}, first node`, life), contracts.registry)
    const nodes = createFailoverChain(effects, [liar, chain.door(`${name}, second node`, life)])
    const whole = { ...effects, chain: nodes, heads, sha256 }
    indexer = createIndexer(world.sabotage.indexer?.(whole, own) ?? whole, {
      registry: contracts.registry,
      fromBlock: 0,
      finalityBlocks: knobs.finalityDepth,
      confirmations: 0,
      pollMs: knobs.pollMs,
    })
    effects.network.serve(80, indexer.fetch)
    await indexer.run(new AbortController().signal)
  }

  return {
    name,
    host,
    start: () => {
      if (host.isRunning()) return
      serve().catch((error: unknown) => {
        const { name: kind, message } = error as Error
        world.breach('services stay up', `${name} stopped with ${kind}: ${message}`)
      })
    },
    crash: () => host.crash(),
    ask: async (query) => {
      if (!host.isRunning() || !indexer) return undefined
      const body = JSON.stringify({ query })
      const headers = { 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(body)) }
      const response = await indexer.fetch(new Request('http://directory/graphql', { method: 'POST', headers, body }))
      const answer = (await response.json()) as {
        data?: Record<string, unknown>
        errors?: { message: string; extensions?: { code?: string } }[]
      }
      if (answer.errors) {
        trace.add('graphql', ...answer.errors.map(({ extensions, message }) => extensions?.code ?? message))
        return undefined
      }
      return answer.data
    },
  }
}
