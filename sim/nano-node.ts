/**
 * A Nano node on a simulated machine: its RPC on port 7076 and its WebSocket on port 7078, as nano_node has them, over a
 * ledger and elections that go by its rules (`sim/nano/`). It can be restarted, and forget what was not confirmed; the
 * network between it and others has its own faults.
 */
import type { Listener } from '../effects/network.ts'
import type { WorkThresholds } from '../protocol/nano/work.ts'
import { createLife, type Life } from './life.ts'
import type { Loop } from './loop.ts'
import { createNanoNetwork, type NanoNetwork } from './nano/network.ts'
import { createNanoRpc, type NanoJson } from './nano/rpc.ts'
import { openNanoSocket } from './nano/socket.ts'
import { EASY_WORK, genesisOf } from './nano/wallet.ts'
import { serveWebSocket } from './nano/web-socket.ts'
import type { SimNetwork } from './network.ts'
import type { SimRandom } from './random.ts'

export const NANO_RPC_PORT = 7076
export const NANO_SOCKET_PORT = 7078

/** What a node says now and then for reasons of its own. */
const EXCUSES = ['Internal server error in RPC', 'Unable to parse JSON', 'Empty response'] as const

export interface NanoNodeParts {
  readonly loop: Loop
  readonly random: SimRandom
  /** The network of machines; for none the node is spoken to by its methods alone. */
  readonly network: SimNetwork
  /** Key of the first account. */
  readonly genesisKey: Uint8Array
  readonly work?: WorkThresholds
}

export interface SimNanoNode {
  readonly nano: NanoNetwork
  /** Probability that an answer of the RPC is an excuse. */
  excuses: number
  /** What a node that lies says instead. */
  lie: (request: NanoJson, answer: NanoJson) => NanoJson
  /** The node is up, as it is at first. */
  start(): Promise<void>
  /**
   * The node goes down: connections break.
   * @param forget probability that it does not have a block that was not confirmed when it is up again
   */
  stop(forget: number): void
}

/** @param name of the machine */
export const createSimNanoNode = (
  { loop, random, network, genesisKey, work = EASY_WORK }: NanoNodeParts,
  name: string,
): SimNanoNode => {
  const nano = createNanoNetwork({ loop, random: random.fork('nano'), genesis: genesisOf(genesisKey), work })
  const answer = createNanoRpc(nano, work)
  const chance = random.fork('nano excuses')
  let life: Life | undefined

  const listen = (host: ReturnType<SimNetwork['host']>): Promise<Listener> =>
    host.listen({ host: '::', port: NANO_SOCKET_PORT }, (stream) =>
      serveWebSocket(stream, (send) => openNanoSocket(nano, loop.nowMs, send)),
    )

  const node: SimNanoNode = {
    nano,
    excuses: 0,
    lie: (_request, truth) => truth,
    async start() {
      if (life?.isAlive()) return
      life = createLife()
      const host = network.host(name, life)
      host.serve(NANO_RPC_PORT, async (request) => {
        const excused = chance.chance(node.excuses)
        const body = await request.text()
        if (excused) return Response.json({ error: chance.pick(EXCUSES) })
        return Response.json(node.lie(JSON.parse(body) as NanoJson, answer(body)))
      })
      await listen(host)
    },
    stop(forget) {
      life?.end()
      nano.forget(() => !chance.chance(forget))
    },
  }
  return node
}
