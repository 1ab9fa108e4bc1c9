/** The directory of `npm start`: the real indexer on SQLite, following the embedded chain. */
import { join } from 'node:path'
import { isCaughtUp } from '../../chain/run-steps.ts'
import { createChainRpc } from '../../effects/chain-rpc.ts'
import { createClock } from '../../effects/clock.ts'
import { sha256 } from '../../effects/digest-node.ts'
import { serveHttp } from '../../effects/http-server.ts'
import { noHeads } from '../../effects/heads.ts'
import { createLog } from '../../effects/log.ts'
import { createNetwork } from '../../effects/network-node.ts'
import { createRandom } from '../../effects/random.ts'
import { createSqlStore } from '../../effects/store-node.ts'
import { createIndexer } from '../../indexer/index.ts'
import { createJose } from '../../protocol/jose.ts'
import type { EmbeddedChain } from '../embedded-chain.ts'
import { freePort } from '../ports.ts'

export interface RunningDirectory {
  /** Of GraphQL. */
  readonly url: string
  close(): Promise<void>
}

export const startDirectory = async (chain: EmbeddedChain, folder: string, port: number): Promise<RunningDirectory> => {
  const network = createNetwork({})
  const effects = {
    clock: createClock(),
    random: createRandom(),
    chain: createChainRpc({ url: chain.url, network }),
    heads: noHeads,
    sql: createSqlStore(join(folder, 'directory')),
    log: createLog('directory', 'error'),
    sha256,
  }
  const settings = { registry: chain.registry, fromBlock: 0, finalityBlocks: 64, confirmations: 0, pollMs: 500 }
  // Its vendors are on this machine.
  const reach = { addresses: 'any', proxied: false, intervalMs: 10_000, pauseMs: 500 } as const
  const indexer = createIndexer(effects, settings, { network, jose: createJose(), ...reach })
  // Caught up before it is shown to anyone.
  while (!isCaughtUp(await indexer.step()));
  const listener = await serveHttp((request) => indexer.fetch(request), {
    host: '127.0.0.1',
    port: await freePort(port),
  })
  const stopping = new AbortController()
  const running = indexer.run(stopping.signal)
  return {
    url: `http://127.0.0.1:${listener.address.port}/graphql`,
    async close() {
      stopping.abort()
      await running
      await listener.close()
      await indexer.close()
    },
  }
}
