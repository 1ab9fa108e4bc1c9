/**
 * The blind relay: two who share a code meet on a channel, prove to each other over it that they do, and pass through it
 * what only they can read. It learns neither words nor keys; `docs/relay.md` says what it does learn.
 */
import type { Clock } from '../effects/clock.ts'
import type { Log } from '../effects/log.ts'
import type { Listener, Network } from '../effects/network.ts'
import type { Random } from '../effects/random.ts'
import { splice as spliceStreams, type Splice } from '../effects/splice.ts'
import type { SqlStore } from '../effects/store.ts'
import {
  CHANNEL_STREAMS_MAX,
  RECORD_BYTES_MAX,
  RELAY_REQUEST_BYTES_MAX,
  RELAY_WAIT_MS_MAX,
} from '../protocol/limits.ts'
import type { Payments } from './allowance.ts'
import { createChannels } from './channels.ts'
import { createRelayHttp } from './http.ts'
import { createRelayMetrics } from './metrics.ts'
import { createClientHost, placeOf } from '../protocol/place.ts'
import { createRateLimit } from '../effects/rate-limit.ts'
import type { RelaySettings } from './settings.ts'
import { createStapler } from './stapler.ts'
import { openRelayStore } from './store.ts'

const SWEEP_MS = 5_000
const MINUTE_MS = 60_000

export interface RelayEffects {
  readonly clock: Clock
  readonly random: Random
  readonly network: Pick<Network, 'listen'>
  readonly sql: SqlStore
  readonly log: Log
  /** `spliceSockets` where connections are sockets: much faster. */
  readonly splice?: Splice
  /** Without them there are the free bytes, or no bound. */
  readonly payments?: Payments
}

export interface Relay {
  /** The HTTP face. @param peerHost the address that the connection comes from */
  fetch(request: Request, peerHost: string): Promise<Response>
  /** Where TCP connections come in. */
  readonly ports: readonly number[]
  /** Connections that are stapled at the moment, two and two. */
  pairs(): number
  /** Forgets what is idle, until the signal aborts. */
  run(signal: AbortSignal): Promise<void>
  /** Takes no new channels and connections; resolves when what is stapled is done, or the time is over. */
  drain(milliseconds: number): Promise<void>
  close(): Promise<void>
}

/**
 * A relay that listens for connections; channels of an earlier run go on.
 * @throws what opening the database throws
 * @throws ERR_NETWORK_ADDRESS_IN_USE
 */
export const createRelay = async (effects: RelayEffects, settings: RelaySettings): Promise<Relay> => {
  const { clock, random, network, log, payments, splice = spliceStreams } = effects
  const metrics = createRelayMetrics()
  const store = await openRelayStore(effects.sql.dialect('relay'))
  const listeners: Listener[] = []
  let isDraining = false

  const closeAll = async () => {
    await Promise.all(listeners.map((listener) => listener.close()))
    await store.close()
  }

  const ports: number[] = []
  const channels = await createChannels({ clock, random, log, store, metrics }, settings, ports, (channel) =>
    stapler.release(channel),
  )
  const stapler = createStapler({ clock, random, log, metrics, splice, payments }, settings, channels)
  try {
    const { host, ports: wanted } = settings.tcp
    for (const port of wanted) {
      const accept: Parameters<Network['listen']>[1] = (connection, peer) =>
        stapler.accept(connection, placeOf(peer.host))
      const listener = await network.listen({ host, port }, accept, settings.connectionsMax)
      listeners.push(listener)
      ports.push(listener.address.port)
    }
  } catch (error) {
    await closeAll()
    throw error
  }
  const requests = createRateLimit(clock, settings.requestsPerMinute, MINUTE_MS)
  const clientHost = createClientHost(settings.trustedProxies)

  const limits = {
    curves: settings.curves,
    streams: CHANNEL_STREAMS_MAX,
    ports,
    recordBytes: RECORD_BYTES_MAX,
    requestBytes: RELAY_REQUEST_BYTES_MAX,
    waitMs: RELAY_WAIT_MS_MAX,
    idleSeconds: settings.idleSeconds,
    twoAddresses: settings.twoAddresses,
    channelsPerAddress: settings.channelsPerPlaceMax,
    requestsPerMinute: settings.requestsPerMinute,
    joinsPerMinute: settings.joinsPerMinute,
    wrongCodesPerHour: settings.wrongCodesPerHour,
    ...(settings.freeBytes !== undefined && { freeBytes: settings.freeBytes }),
  }

  return {
    ports,
    fetch: createRelayHttp(
      {
        join: (request, place) => channels.join(request, place),
        post: (request, place, signal) => channels.post(request, place, signal),
        placeOf(peerHost, forwarded) {
          const place = placeOf(clientHost(peerHost, forwarded))
          return { place, isWelcome: requests.take(place) }
        },
        async payment(request, name) {
          const channel = name === undefined ? undefined : channels.live(name)
          const answer = await payments?.answer(request, name)
          const isPayment = channel !== undefined && request.method === 'POST' && answer?.ok === true
          // The first bytes are paid for before the answer, so that they may follow it.
          if (isPayment) await stapler.paid(channels.live(channel.name))
          return answer
        },
        limits: () => limits,
        ready: () => !isDraining,
        async metrics() {
          const text = await metrics.text({ channels: channels.count(), ...stapler.observed() })
          return { text, contentType: metrics.contentType }
        },
      },
      log,
    ),

    pairs: () => stapler.observed().pairs,

    async run(signal) {
      while (!signal.aborted) {
        // A disk that is full may not be later; until then what passes goes on.
        await channels
          .sweep((channel) => stapler.hasMoved(channel))
          .catch((error: unknown) => log.error('relay.sweep-failed', { error: (error as Error).name }))
        await clock.sleep(SWEEP_MS, signal).catch(() => {})
      }
    },

    async drain(milliseconds) {
      isDraining = true
      channels.drain()
      const enough = new AbortController()
      const patience = clock.sleep(milliseconds, enough.signal).catch(() => {})
      await Promise.race([stapler.drain(), patience])
      enough.abort()
    },

    async close() {
      stapler.close()
      await closeAll()
    },
  }
}
