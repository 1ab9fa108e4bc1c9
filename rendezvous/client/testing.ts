/**
 * Clients for tests: the real ones, with the real server, on a network in memory whose every part may lie. Time passes
 * when it is told to.
 */
import { duplexPair, type Duplex } from 'node:stream'
import type { TestContext } from 'node:test'
import { type Address, type Network, NetworkError } from '../../effects/network.ts'
import { silentLog } from '../../effects/log.ts'
import type { FileStore } from '../../effects/store.ts'
import type { OpenSocket } from '../../effects/web-socket.ts'
import { createPortableAead } from '../../protocol/relay/aead.ts'
import type { ServerMessage } from '../../protocol/rendezvous/messages.ts'
import { createSimRandom } from '../../sim/random.ts'
import { peerTools } from '../../test/peer-tools.ts'
import { openTestRendezvous, jose, type Person, SERVER } from '../testing.ts'
import type { ClientEffects, JoinRelay, PeerStream } from './effects.ts'
import type { Decision } from './introductions.ts'
import { type Connected, openRendezvousClient, type RendezvousClient, type RendezvousClientSettings } from './index.ts'
import type { FoundClient } from './registry-door.ts'

/** Two ends of a connection, of which neither outlives the other's break. */
const wire = (): readonly [Duplex, Duplex] => {
  const [a, b] = duplexPair()
  for (const [end, other] of [
    [a, b],
    [b, a],
  ] as const) {
    end.on('error', () => {})
    end.once('close', () => {
      if (!end.readableEnded || !end.writableFinished) other.destroy()
    })
  }
  return [a, b]
}

/** What a hostile server makes of what it says, to whom. @returns what it says instead */
export type Lie = (message: ServerMessage, to: string) => ServerMessage | readonly ServerMessage[]

export interface TestPeer {
  readonly client: RendezvousClient
  readonly who: Person
  /** Those who asked and were connected. */
  readonly connected: Connected[]
  readonly failed: Error[]
  readonly asked: FoundClient[]
  readonly running: Promise<void>
  stop(): void
}

export const openTestPeers = async (t: TestContext, settings: Record<string, unknown> = {}) => {
  const hub = await openTestRendezvous(t, { relay: 'http://relay.example', ...settings })
  const doors = new Map<string, Parameters<Network['listen']>[1]>()
  const dialled: string[] = []
  const world = {
    /** Whether a connection from one address to another comes about. */
    passes: (_from: string, _to: string): boolean => true,
    lie: ((message) => message) as Lie,
    /** What the registry answers. */
    record: (text: string, _uuid: string): string => text,
    /** What is on the way of a direct connection: gets the listener's end, gives what the dialler has. */
    tap: (end: Duplex): Duplex => end,
    isAway: false,
    relayJoins: 0,
  }
  let nextPort = 5_000
  const sockets = new Set<() => void>()

  const networkOf = (ip: string): Network => ({
    async fetch(request) {
      if (world.isAway) throw new NetworkError('ERR_NETWORK_UNREACHABLE', 'away')
      const response = await hub.service.fetch(request, ip)
      const text = await response.text()
      const uuid = new URL(request.url).pathname.slice('/clients/'.length)
      return new Response(request.method === 'GET' ? world.record(text, uuid) : text, { status: response.status })
    },
    async connect(address, _timeoutMs, signal, allow) {
      signal?.throwIfAborted()
      dialled.push(address.host)
      if (allow && !allow(address.host)) throw new NetworkError('ERR_NETWORK_FORBIDDEN', 'forbidden')
      const accept = doors.get(`${address.host}:${address.port}`)
      if (!accept || !world.passes(ip, address.host)) throw new NetworkError('ERR_NETWORK_UNREACHABLE', 'no way')
      const [ours, theirs] = wire()
      accept(theirs, { host: ip, port: ++nextPort })
      return world.tap(ours)
    },
    async listen({ port: wanted }: Address, accept) {
      const port = wanted === 0 ? ++nextPort : wanted
      doors.set(`${ip}:${port}`, accept)
      return { address: { host: ip, port }, close: async () => void doors.delete(`${ip}:${port}`) }
    },
  })

  const openSocketFrom =
    (ip: string, who: string): OpenSocket =>
    (_url, _max, events) => {
      const decision = world.isAway ? 503 : hub.service.accept({ peerHost: ip, forwarded: undefined, path: '/connect' })
      let isOver = false
      const later = (work: () => void) => void setImmediate(() => isOver || work())
      const end = () => {
        if (isOver) return
        isOver = true
        setImmediate(() => events.close())
      }
      if (typeof decision === 'number') {
        end()
        return { send: () => {}, destroy: () => {} }
      }
      const server = decision({
        send(text) {
          const said = [world.lie(JSON.parse(text) as ServerMessage, who)].flat()
          later(() => {
            for (const message of said) events.message(JSON.stringify(message))
          })
        },
        close: () => later(end),
      })
      const breakOff = () => {
        server.close()
        end()
      }
      sockets.add(breakOff)
      return { send: (text) => later(() => server.message(text)), destroy: breakOff }
    }

  /** A relay in one line: whoever comes with the same code is joined, the sender first. */
  const meetings = new Map<string, (stream: PeerStream) => void>()
  const joinRelay: JoinRelay = async (_effects, { code, role, signal }) => {
    signal.throwIfAborted()
    world.relayJoins++
    const streamOf = (end: Duplex, first: number, second: number) => {
      const key = (fill: number) => createPortableAead(new Uint8Array(32).fill(fill))
      return peerTools.secure(end, { sending: key(first), receiving: key(second) })
    }
    const close = async () => {}
    if (role === 'sender') {
      const stream = await new Promise<PeerStream>((resolve, reject) => {
        meetings.set(code, resolve)
        signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true })
      })
      return { streams: [stream], close }
    }
    const meeting = meetings.get(code)
    if (!meeting) throw Object.assign(new Error('not there'), { code: 'ERR_CHANNEL_UNKNOWN' })
    const [a, b] = wire()
    meeting(streamOf(a, 1, 2))
    return { streams: [streamOf(b, 2, 1)], close }
  }

  const memory = (): FileStore => {
    const files = new Map<string, Uint8Array>()
    return {
      read: async (name) => files.get(name),
      write: async (name, content) => void files.set(name, content.slice()),
      exclusively: async (_name, work) => work(),
    }
  }

  let peers = 0
  const join = async (
    who: Person,
    ip: string,
    changes: Partial<RendezvousClientSettings> = {},
    decide: (peer: FoundClient) => Decision | Promise<Decision> = () => 'accept',
    files = memory(),
  ): Promise<TestPeer> => {
    const effects: ClientEffects = {
      ...{ clock: hub.time.clock, random: createSimRandom(`peer ${++peers}`), network: networkOf(ip) },
      ...{ files, log: silentLog, jose, aead: createPortableAead, openSocket: openSocketFrom(ip, who.uuid) },
      ...{ secure: peerTools.secure, joinRelay },
    }
    const [connected, failed, asked]: [Connected[], Error[], FoundClient[]] = [[], [], []]
    const client = await openRendezvousClient(effects, {
      ...{ server: SERVER, identity: who, uniform: false, hide: false, listen: { host: ip, port: 0 }, hosts: [] },
      ...{ allowPrivate: true, isProxied: false },
      async decide({ peer }) {
        asked.push(peer)
        return decide(peer)
      },
      connected: (connection) => void connected.push(connection),
      failed: (_peer, error) => void failed.push(error),
      ...changes,
    })
    const stopping = new AbortController()
    const running = client.run(stopping.signal)
    await Promise.race([running.catch(() => {}), untilIt(() => client.isPresent())])
    t.after(async () => {
      stopping.abort(new Error('the test is over'))
      await client.close()
    })
    return { client, who, connected, failed, asked, running, stop: () => stopping.abort(new Error('stopped')) }
  }

  return {
    ...{ hub, world, dialled, doors, join, memory },
    /** Every WebSocket breaks. */
    breakOff: () => [...sockets].forEach((each) => each()),
  }
}

/** Asks until it is so; everything that is ready goes on meanwhile. */
export const untilIt = async (isSo: () => boolean): Promise<void> => {
  for (let turns = 0; !isSo(); turns++) {
    if (turns > 20_000) throw new Error('it never is')
    await new Promise((resolve) => setImmediate(resolve))
  }
}

interface Passing {
  pass(ms: number): Promise<void>
}

/** Lets time pass, in steps, until it is so. */
export const passUntil = async (time: Passing, isSo: () => boolean): Promise<void> => {
  for (let step = 0; !isSo(); step++) {
    if (step > 5_000) throw new Error('it never is')
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve))
    // Signatures are computed by other threads.
    await new Promise((resolve) => setTimeout(resolve, 2))
    await time.pass(200)
  }
}

/** Lets time pass until it has settled. */
export const whilePassing = async <T>(time: Passing, work: Promise<T>): Promise<T> => {
  let isSettled = false
  const settle = () => void (isSettled = true)
  work.then(settle, settle)
  await passUntil(time, () => isSettled)
  return work
}
