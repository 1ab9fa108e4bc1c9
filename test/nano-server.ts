/** A Nano node for tests, on real sockets and in real time: the simulated one behind HTTP and a WebSocket of this machine. */
import { createServer as createHttpServer } from 'node:http'
import { createServer } from 'node:net'
import { text } from 'node:stream/consumers'
import type { TestContext } from 'node:test'
import { listening } from '../effects/testing.ts'
import { createNanoNetwork, type NanoNetwork } from '../sim/nano/network.ts'
import { createNanoRpc } from '../sim/nano/rpc.ts'
import { openNanoSocket } from '../sim/nano/socket.ts'
import { EASY_WORK, genesisOf } from '../sim/nano/wallet.ts'
import { serveWebSocket } from '../sim/nano/web-socket.ts'
import { createSimRandom } from '../sim/random.ts'

export interface NanoServer {
  readonly nano: NanoNetwork
  readonly rpc: string
  readonly socket: string
}

/** Until the test ends. Elections take some milliseconds. */
export const startNanoServer = async (t: TestContext, genesisKey: Uint8Array): Promise<NanoServer> => {
  const timers = new Set<NodeJS.Timeout>()
  t.after(() => timers.forEach((timer) => clearTimeout(timer)))
  const loop = {
    nowMs: () => Date.now(),
    schedule(delayMs: number, task: () => void) {
      const timer = setTimeout(() => (timers.delete(timer), task()), delayMs)
      timers.add(timer)
      return () => clearTimeout(timer)
    },
  }
  const nano = createNanoNetwork({ loop, random: createSimRandom(1), genesis: genesisOf(genesisKey), work: EASY_WORK })
  nano.weather.electionMs = [1, 5]
  nano.weather.lateMs = 1
  const answer = createNanoRpc(nano, EASY_WORK)
  const http = createHttpServer((request, response) => {
    void text(request).then((body) => {
      response.setHeader('content-type', 'application/json')
      response.end(JSON.stringify(answer(body)))
    })
  })
  const socket = createServer({ allowHalfOpen: true }, (stream) =>
    serveWebSocket(stream, (send) => openNanoSocket(nano, loop.nowMs, send)),
  )
  return {
    nano,
    rpc: `http://127.0.0.1:${await listening(t, http)}`,
    socket: `ws://127.0.0.1:${await listening(t, socket)}`,
  }
}
