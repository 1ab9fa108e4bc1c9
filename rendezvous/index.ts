/**
 * The rendezvous: clients find each other by UUID and public key, and no address leaves without consent. It is trusted
 * with who talks to whom and from where, and with nothing else: what clients believe of each other they have signed.
 * @see SEED 002; DESIGN 10
 */
import { bytesToHex } from '@noble/hashes/utils.js'
import type { Clock } from '../effects/clock.ts'
import type { Log } from '../effects/log.ts'
import { createRateLimit } from '../effects/rate-limit.ts'
import type { Random } from '../effects/random.ts'
import type { SqlStore } from '../effects/store.ts'
import type { AcceptSocket } from '../effects/web-socket-server.ts'
import type { Jose } from '../protocol/jose.ts'
import { createClientHost, placeOf } from '../protocol/place.ts'
import { CODE_ENTROPY_BYTES, drawWords, formatCode } from '../protocol/relay/code.ts'
import type { RelayPlace } from '../protocol/rendezvous/messages.ts'
import { createRendezvousHttp } from './http.ts'
import { createHub } from './hub.ts'
import { createRendezvousMetrics } from './metrics.ts'
import { createRegistry } from './registry.ts'
import type { RendezvousSettings } from './settings.ts'
import { openRendezvousStore } from './store.ts'

export interface RendezvousEffects {
  readonly clock: Clock
  readonly random: Random
  readonly sql: SqlStore
  readonly log: Log
  readonly jose: Jose
}

export interface Rendezvous {
  /** The HTTP face. */
  fetch(request: Request, peerHost: string): Promise<Response>
  /** The WebSocket face. */
  readonly accept: AcceptSocket
  /**
   * Takes nothing new, and waits for the answers to requests under way; then tells everybody and ends all connections.
   * @param patienceMs for the answers, milliseconds
   */
  drain(patienceMs: number): Promise<void>
  close(): Promise<void>
}

const MINUTE_MS = 60_000
/** A name that nobody else comes upon. */
const CHANNEL_NAME_BYTES = 12
const CONNECT_PATH = '/connect'

/** @throws what opening the database throws */
export const createRendezvous = async (
  effects: RendezvousEffects,
  settings: RendezvousSettings,
): Promise<Rendezvous> => {
  const { clock, log } = effects
  const store = await openRendezvousStore(effects.sql.dialect('rendezvous'))
  const metrics = createRendezvousMetrics()
  const registry = await createRegistry({ ...effects, store }, settings)
  const hub = createHub(
    { ...effects, store, metrics, relayPlace: relayPlaces(effects.random, settings.relay) },
    settings,
  )
  const clientHost = createClientHost(settings.trustedProxies)
  const limitOf = (most: number) => createRateLimit(clock, most, MINUTE_MS)
  const connects = limitOf(settings.connectsPerMinute)
  const admissions = {
    registration: limitOf(settings.registrationsPerMinute),
    'look-up': limitOf(settings.lookUpsPerMinute),
  } as const
  let isDraining = false

  return {
    fetch: createRendezvousHttp(
      {
        async put(uuid, body) {
          const { outcome } = await registry.put(uuid, body)
          metrics.registered(outcome)
          return { outcome }
        },
        get: (uuid) => registry.get(uuid),
        admit: (kind, peerHost, forwarded) => admissions[kind].take(placeOf(clientHost(peerHost, forwarded))),
        ready: () => !isDraining,
        async metrics() {
          const [connections, present, pending] = [hub.connections(), hub.present(), hub.pending()]
          return { text: await metrics.text({ connections, present, pending }), contentType: metrics.contentType }
        },
      },
      log,
    ),

    accept({ peerHost, forwarded, path }) {
      if (path !== CONNECT_PATH) return 404
      if (isDraining || hub.connections() >= settings.connectionsMax) return 503
      const host = clientHost(peerHost, forwarded)
      const place = placeOf(host)
      const isCrowded =
        hub.connectionsOf(place) >= settings.connectionsPerPlaceMax ||
        hub.strangersOf(place) >= settings.strangersPerPlaceMax
      if (isCrowded || !connects.take(place)) return 429
      return (socket) => hub.connect(socket, host, place)
    },

    async drain(patienceMs) {
      isDraining = true
      const enough = new AbortController()
      const patience = clock.sleep(patienceMs, enough.signal).catch(() => {})
      await Promise.race([hub.drain(), patience])
      enough.abort()
      hub.close()
    },

    async close() {
      hub.close()
      await store.close()
    },
  }
}

/** Makes up a channel of its own for each connection request. */
const relayPlaces =
  (random: Random, url: string | undefined): (() => RelayPlace | undefined) =>
  () => {
    if (url === undefined) return undefined
    const channel = bytesToHex(random.bytes(CHANNEL_NAME_BYTES))
    return { url, code: formatCode({ channel, words: drawWords(random.bytes(CODE_ENTROPY_BYTES)) }) }
  }
