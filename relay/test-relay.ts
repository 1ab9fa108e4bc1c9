/** A relay for tests: the real parts, on a database and a network in memory. */
import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { type Duplex, duplexPair } from 'node:stream'
import type { TestContext } from 'node:test'
import Database from 'better-sqlite3'
import { SqliteDialect } from 'kysely'
import { createNativeAead } from '../effects/aead-node.ts'
import { type Clock, createClock } from '../effects/clock.ts'
import type { Log } from '../effects/log.ts'
import { type Network, NetworkError } from '../effects/network.ts'
import type { Payments } from './allowance.ts'
import { takeBytes } from '../effects/take-bytes.ts'
import { base64url } from '../protocol/bytes.ts'
import type { Role } from '../protocol/relay/agreement.ts'
import { encodeHello, GREETING_BYTES, type Hello } from '../protocol/relay/hello.ts'
import { createRelay } from './index.ts'
import { relaySettingsSchema } from './settings.ts'

export const RELAY_URL = 'http://relay.example'

/** Two ends of a connection, of which neither outlives the other's break. */
export const wire = (): readonly [Duplex, Duplex] => {
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

/** What a hostile relay, or whoever is on the way, makes of a connection: gets the relay's end, gives what the client has. */
export type Tap = (toRelay: Duplex, port: number) => Duplex

export interface TestRelayOptions {
  readonly settings?: Record<string, unknown>
  readonly clock?: Clock
  readonly database?: Database.Database
  readonly payments?: Payments
  readonly log?: Log
}

const lines = (): Log & { readonly said: string[] } => {
  const said: string[] = []
  const say = (event: string, fields: object = {}) => void said.push(`${event} ${JSON.stringify(fields)}`)
  return { said, debug: say, info: say, warn: say, error: say }
}

export const createTestRelay = async (t: TestContext, options: TestRelayOptions = {}) => {
  const { clock = createClock(), database = new Database(':memory:'), payments } = options
  const log = lines()
  const doors = new Map<number, Parameters<Network['listen']>[1]>()
  const listen: Network['listen'] = async ({ host, port: wanted }, accept) => {
    const port = wanted === 0 ? 4_400 + doors.size : wanted
    doors.set(port, accept)
    return { address: { host, port }, close: async () => void doors.delete(port) }
  }
  const settings = relaySettingsSchema.parse({
    tcp: { host: '0.0.0.0', ports: [0, 0] },
    curves: ['p256', 'p384', 'p521', 'siec'],
    ...options.settings,
  })
  const random = { bytes: (length: number) => new Uint8Array(randomBytes(length)) }
  // The database outlives a relay, as a disk does.
  const kept = { prepare: (text: string) => database.prepare(text), close: () => {} }
  const sql = { dialect: () => new SqliteDialect({ database: kept as never }) }
  const relay = await createRelay(
    { clock, random, network: { listen }, sql, log, ...(payments && { payments }) },
    settings,
  )
  t.after(() => relay.close())

  /** What a client at this address uses. */
  const clientAt = (host: string, tap: Tap = (connection) => connection) => ({
    clock,
    random,
    aead: createNativeAead,
    network: {
      fetch: async (request: Request, { signal }: { readonly signal?: AbortSignal } = {}) => {
        signal?.throwIfAborted()
        const gone = Promise.withResolvers<never>()
        signal?.addEventListener('abort', () => gone.reject(signal.reason))
        return Promise.race([gone.promise, relay.fetch(new Request(request, signal ? { signal } : {}), host)])
      },
      connect: async ({ port }: { readonly port: number }) => {
        const accept = doors.get(port)
        if (!accept) throw new NetworkError('ERR_NETWORK_UNREACHABLE', 'nobody listens')
        const [ours, theirs] = wire()
        accept(theirs, { host, port: 50_000 })
        return tap(ours, port)
      },
    },
  })

  const post = async (path: string, body: unknown, host = '192.0.2.1', headers: Record<string, string> = {}) => {
    const request = new Request(`${RELAY_URL}${path}`, { method: 'POST', body: JSON.stringify(body), headers })
    const answer = await relay.fetch(request, host)
    return { status: answer.status, body: (await answer.json()) as Record<string, unknown> }
  }
  /** The answer, which must be a good one. */
  const ask = async (path: string, body: unknown, host?: string): Promise<Record<string, unknown>> => {
    const { status, body: answer } = await post(path, body, host)
    assert.equal(status, 200, JSON.stringify(answer))
    return answer
  }
  const { connect } = clientAt('192.0.2.1').network

  /** A channel whose proof is opened, as far as the relay can tell: nobody had words. */
  const proven = async (streams = 1): Promise<ProvenChannel> => {
    const proof = Buffer.alloc(32, 5)
    const padded = (bytes: Uint8Array) => base64url.encode(Buffer.concat([Buffer.alloc(32), bytes]))
    const { channel, uuid: sender } = await ask('/join', { role: 'sender' })
    await ask('/channel', { channel, uuid: sender, x: 'AAAA', streams })
    const { uuid: recipient } = await ask('/join', { role: 'recipient', channel })
    const hh_k = padded(createHash('sha256').update(proof).digest())
    await ask('/channel', { channel, uuid: recipient, y: 'AAAA', hh_k, streams })
    await ask('/channel', { channel, uuid: sender, h_k: padded(proof) })
    return { channel: String(channel), sender: String(sender), recipient: String(recipient) }
  }

  /** Says hello; what the relay answers is left in the connection. */
  const helloAs = async (
    role: Role,
    of: ProvenChannel,
    said: Partial<Hello> = {},
    uuid = of[role],
    port = 4_400,
    from = { connect },
  ) => {
    const connection = await from.connect({ port })
    const greeting = await takeBytes(connection, GREETING_BYTES)
    const hello = { role, stream: 0, generation: 0, channel: of.channel, ...said }
    const bytes = encodeHello(hello, uuid, greeting)
    connection.write(bytes)
    return { connection, bytes }
  }

  return { relay, database, log, doors, clientAt, post, ask, connect, proven, helloAs }
}

export interface ProvenChannel {
  readonly channel: string
  /** Secret of the role, as the one below. */
  readonly sender: string
  readonly recipient: string
}

export type TestRelay = Awaited<ReturnType<typeof createTestRelay>>
