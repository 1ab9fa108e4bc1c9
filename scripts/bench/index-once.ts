/**
 * Indexes a chain once, in a process of its own, whose memory is then that of the indexer alone.
 * `node scripts/bench/index-once.ts '{"url":…,"registry":…}'` or `'{"replay":logs,"remember":true}'`
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseAddress } from '../../chain/types.ts'
import { ChainError } from '../../effects/chain.ts'
import { createNodeEffects } from '../../effects/node.ts'
import { createIndexer } from '../../indexer/index.ts'
import { createReplayChain } from './replay-chain.ts'

export interface IndexOnce {
  readonly url?: string
  readonly registry?: string
  readonly replay?: number
  readonly remember?: boolean
}

export interface Indexed {
  readonly events: number
  readonly seconds: number
  /** Of all threads of the process: what a machine shared with others stretches less. */
  readonly cpuSeconds: number
  readonly peakRssMiB: number
}

/** More than a million logs take. */
const STEPS_MAX = 10_000

const indexOnce = async ({ url, registry, replay = 0, remember = false }: IndexOnce): Promise<Indexed> => {
  const home = await mkdtemp(join(tmpdir(), 'chrove-bench-'))
  const effects = createNodeEffects({ service: 'bench', home, ...(url === undefined ? {} : { rpc: url }) })
  const replayed = url === undefined ? createReplayChain(replay, remember) : undefined
  const address = replayed?.registry ?? parseAddress(registry ?? '')
  if (!address) throw new TypeError('an address is missing')
  const following = { fromBlock: 0, finalityBlocks: 1, confirmations: 0, pollMs: 1000 }
  const indexer = createIndexer({ ...effects, chain: replayed ?? effects.chain }, { registry: address, ...following })
  const startedAtMs = performance.now()
  const cpuBefore = process.cpuUsage()
  let events = 0
  try {
    for (let steps = 0; ; steps++) {
      if (steps === STEPS_MAX) throw new Error('the chain was not read to its end')
      const step = await indexer.step().catch((error: unknown) => {
        // A range that is too long is a fault, too.
        if (error instanceof ChainError) return undefined
        throw error
      })
      if (step?.did === 'advance') events += step.events
      if (step?.did === 'wait') break
    }
    const seconds = (performance.now() - startedAtMs) / 1000
    const { user, system } = process.cpuUsage(cpuBefore)
    const cpuSeconds = (user + system) / 1_000_000
    return { events, seconds, cpuSeconds, peakRssMiB: process.resourceUsage().maxRSS / 1024 }
  } finally {
    await indexer.close()
    await rm(home, { recursive: true })
  }
}

const indexed = await indexOnce(JSON.parse(process.argv[2] ?? '{}') as IndexOnce)
process.stdout.write(`${JSON.stringify(indexed)}\n`)
