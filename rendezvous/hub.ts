/**
 * The hub: who is there. A client answers a challenge with its registered key; from then on it can ask and be asked. Of
 * several connections of one client the newest stays. Nothing about anybody outlives its connection but what it chose to
 * have kept: its blocks, and whether its answers are uniform. @see SEED 002 §3, §4
 */
import { type Clock, nowSeconds } from '../effects/clock.ts'
import type { Log } from '../effects/log.ts'
import type { Random } from '../effects/random.ts'
import type { ServerSocket, ServerSocketEvents } from '../effects/web-socket-server.ts'
import { base64url } from '../protocol/bytes.ts'
import { ProtocolError } from '../protocol/errors.ts'
import type { FlattenedJws, Jose } from '../protocol/jose.ts'
import { parseJson } from '../protocol/json.ts'
import {
  addressesSchema,
  type ClientMessage,
  clientMessageSchema,
  presenceSchema,
  type RefusalCode,
  type RelayPlace,
  requestSchema,
  type ServerMessage,
} from '../protocol/rendezvous/messages.ts'
import { readStatement, requireRecent } from '../protocol/rendezvous/statement.ts'
import { createDeadlines } from './deadlines.ts'
import { CHALLENGE_BYTES, BLOCKS_MAX, PRESENCE_MS_MAX, SILENCE_MS_MAX } from './limits.ts'
import type { RendezvousMetrics } from './metrics.ts'
import { createRequests, type Present } from './requests.ts'
import type { RendezvousSettings } from './settings.ts'
import type { RendezvousStore } from './store.ts'

export interface HubParts {
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly jose: Jose
  readonly store: RendezvousStore
  readonly metrics: RendezvousMetrics
  relayPlace(): RelayPlace | undefined
}

export interface Hub {
  /**
   * Takes a connection.
   * @param host address that it comes from
   * @param place what counts for limits
   */
  connect(socket: ServerSocket, host: string, place: string): ServerSocketEvents
  connections(): number
  strangersOf(place: string): number
  connectionsOf(place: string): number
  present(): number
  pending(): number
  /** Asks for nothing new; resolves once all requests under way are answered. */
  drain(): Promise<void>
  /** Tells everybody, and ends all connections. */
  close(): void
}

/** One connection. A client that is there has many bytes of state fewer than its socket. */
interface Connection {
  readonly socket: ServerSocket
  readonly host: string
  readonly place: string
  state: 'challenged' | 'checking' | 'present' | 'closed'
  challenge: string
  client: Client | undefined
  /** Messages it may send at this moment, and when that was counted. */
  left: number
  atMs: number
}

interface Client extends Present {
  readonly connection: Connection
  readonly blocked: Set<string>
}

/** How many messages a connection may send at once, in seconds of what it may send for long. */
const BURST_SECONDS = 3

export const createHub = (parts: HubParts, settings: RendezvousSettings): Hub => {
  const { clock, random, log, jose, store, metrics } = parts
  const connections = new Set<Connection>()
  const clients = new Map<string, Client>()
  const [strangers, places] = [createCounts(), createCounts()]
  const requests = createRequests(
    {
      clock,
      metrics,
      present: (uuid) => clients.get(uuid),
      isUniform: async (uuid) => (await store.find(uuid))?.isUniform ?? false,
      relayPlace: parts.relayPlace,
    },
    settings,
  )
  const introductions = createDeadlines<Connection>(clock, PRESENCE_MS_MAX, (connection) => end(connection, 'stranger'))
  const silences = createDeadlines<Connection>(clock, SILENCE_MS_MAX, (connection) => end(connection, 'silent'))
  const burst = settings.messagesPerSecond * BURST_SECONDS
  let isDraining = false
  let onDrained = () => {}

  const tell = ({ socket }: Connection, message: ServerMessage): void => socket.send(JSON.stringify(message))

  const refuse = (connection: Connection, code: RefusalCode, request?: string): void =>
    tell(connection, { type: 'refused', code, ...(request !== undefined && { request }) })

  const end = (connection: Connection, why: string): void => {
    if (connection.state === 'closed') return
    forget(connection)
    metrics.ended(why)
    connection.socket.close()
  }

  const forget = (connection: Connection): void => {
    if (connection.state !== 'present') strangers.remove(connection.place)
    connection.state = 'closed'
    connections.delete(connection)
    places.remove(connection.place)
    introductions.clear(connection)
    silences.clear(connection)
    const { client } = connection
    if (client === undefined) return
    if (clients.get(client.uuid) === client) clients.delete(client.uuid)
    requests.gone(client)
    tellDrained()
  }

  const tellDrained = (): void => {
    if (requests.pending() === 0) onDrained()
  }

  /** Ends a connection that broke the rules. */
  const expel = (connection: Connection, code: RefusalCode): void => {
    refuse(connection, code)
    tell(connection, { type: 'bye', why: 'refused' })
    end(connection, code)
  }

  const introduce = async (connection: Connection, presence: FlattenedJws): Promise<void> => {
    connection.state = 'checking'
    const said = readStatement(presenceSchema, presence)
    const { uuid } = said
    if (said.server !== settings.server || said.challenge !== connection.challenge) throw notPresent()
    requireRecent(said.ts, nowSeconds(clock))
    const known = await store.find(uuid)
    if (known === undefined) throw notPresent()
    await jose.verify(presence, known.key)
    const isUniform = said.uniform ?? known.isUniform
    if (known.isUniform !== isUniform) await store.setUniform(uuid, isUniform)
    const blocked = new Set(await store.blocksOf(uuid))
    if (connection.state !== 'checking') return
    const replaced = clients.get(uuid)?.connection
    if (replaced) {
      tell(replaced, { type: 'bye', why: 'replaced' })
      end(replaced, 'replaced')
    }
    strangers.remove(connection.place)
    introductions.clear(connection)
    silences.set(connection)
    connection.state = 'present'
    connection.challenge = ''
    const { host, place } = connection
    const client: Client = {
      ...{ uuid, host, place, isUniform, blocked, connection },
      tell: (message) => tell(connection, message),
    }
    connection.client = client
    clients.set(uuid, client)
    client.tell({ type: 'welcome', windowSeconds: settings.windowSeconds })
  }

  const handle = async (client: Client, message: Exclude<ClientMessage, { type: 'present' }>): Promise<void> => {
    switch (message.type) {
      case 'ping':
        return client.tell({ type: 'pong' })
      case 'request': {
        const { request, addresses } = message
        const statement = readStatement(requestSchema, request)
        const shared = readStatement(addressesSchema, addresses)
        const isOne =
          shared.request === statement.request && shared.from === statement.from && shared.to === statement.to
        const isHere = statement.server === settings.server && shared.server === settings.server
        const isWhole = isOne && isHere && shared.hide === statement.hide
        requireRecent(statement.ts, nowSeconds(clock))
        const asked = { statement, request, addresses }
        const refusal = isDraining ? 'ERR_TOO_MANY' : isWhole ? await requests.ask(client, asked) : 'ERR_REQUEST'
        if (refusal) refuse(client.connection, refusal, statement.request)
        return
      }
      case 'accept': {
        const shared = readStatement(addressesSchema, message.addresses)
        const isTheirs = shared.request === message.request && shared.from === client.uuid
        const isWhole = isTheirs && shared.server === settings.server
        // An answer that comes too late is no fault.
        if (!isWhole) return refuse(client.connection, 'ERR_REQUEST', message.request)
        if (!requests.accept(client, shared, message.addresses)) client.tell({ type: 'over', request: message.request })
        return
      }
      case 'deny':
        return requests.deny(client, message.request)
      case 'cancel':
        return requests.cancel(client, message.request)
      case 'block':
        return block(client, message.uuid)
      case 'unblock':
        client.blocked.delete(message.uuid)
        await store.unblock(client.uuid, message.uuid)
        return client.tell({ type: 'blocked', uuid: message.uuid, blocked: false })
    }
  }

  const block = async (client: Client, uuid: string): Promise<void> => {
    if (client.blocked.size >= BLOCKS_MAX && !client.blocked.has(uuid))
      return refuse(client.connection, 'ERR_BLOCKS_FULL')
    client.blocked.add(uuid)
    await store.block(client.uuid, uuid)
    client.tell({ type: 'blocked', uuid, blocked: true })
  }

  const isTooFast = (connection: Connection): boolean => {
    const nowMs = clock.nowMs()
    const gained = (Math.max(0, nowMs - connection.atMs) * settings.messagesPerSecond) / 1000
    connection.left = Math.min(burst, connection.left + gained) - 1
    connection.atMs = nowMs
    return connection.left < 0
  }

  const receive = async (connection: Connection, text: string | undefined): Promise<void> => {
    if (connection.state === 'closed') return
    if (isTooFast(connection)) return expel(connection, 'ERR_TOO_MANY')
    const message = text === undefined ? undefined : read(text)
    const { client } = connection
    if (message === undefined) return expel(connection, 'ERR_MESSAGE')
    try {
      if (client && message.type !== 'present') {
        silences.set(connection)
        await handle(client, message)
        return tellDrained()
      }
      if (message.type !== 'present' || connection.state !== 'challenged') return expel(connection, 'ERR_MESSAGE')
      await introduce(connection, message.presence)
    } catch (error) {
      if (error instanceof ProtocolError) return expel(connection, client ? 'ERR_REQUEST' : 'ERR_PRESENCE')
      log.error('rendezvous.message-failed', { type: message.type, error: (error as Error).name })
      expel(connection, 'ERR_INTERNAL')
    }
  }

  return {
    connect(socket, host, place) {
      const challenge = base64url.encode(random.bytes(CHALLENGE_BYTES))
      const connection: Connection = {
        ...{ socket, host, place, state: 'challenged', challenge, client: undefined },
        ...{ left: burst, atMs: clock.nowMs() },
      }
      connections.add(connection)
      strangers.add(place)
      places.add(place)
      introductions.set(connection)
      tell(connection, { type: 'challenge', challenge, server: settings.server })
      return {
        message: (text) => void receive(connection, text),
        close() {
          if (connection.state === 'closed') return
          forget(connection)
          metrics.ended('closed')
        },
      }
    },

    connections: () => connections.size,
    strangersOf: (place) => strangers.of(place),
    connectionsOf: (place) => places.of(place),
    present: () => clients.size,
    pending: () => requests.pending(),

    drain() {
      isDraining = true
      return new Promise((resolve) => {
        onDrained = resolve
        tellDrained()
      })
    },

    close() {
      for (const connection of [...connections]) {
        tell(connection, { type: 'bye', why: 'draining' })
        end(connection, 'draining')
      }
      requests.close()
      introductions.close()
      silences.close()
    },
  }
}

/** Undefined for what is no message of a client. */
const read = (text: string): ClientMessage | undefined => {
  try {
    return clientMessageSchema.safeParse(parseJson(text)).data
  } catch {
    return undefined
  }
}

const notPresent = () => new ProtocolError('ERR_NONCE', 'not an answer to this challenge')

const createCounts = () => {
  const counts = new Map<string, number>()
  const of = (name: string) => counts.get(name) ?? 0
  return {
    of,
    add: (name: string) => void counts.set(name, of(name) + 1),
    remove(name: string): void {
      const left = of(name) - 1
      if (left > 0) counts.set(name, left)
      else counts.delete(name)
    },
  }
}
