/** A rendezvous for tests: the real service on time that passes when told to, and clients that say anything. */
import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { createTestTime } from '../effects/testing.ts'
import type { Log } from '../effects/log.ts'
import type { ServerSocketEvents } from '../effects/web-socket-server.ts'
import { createJose, type FlattenedJws } from '../protocol/jose.ts'
import type { RsaKeyPair } from '../protocol/keys.ts'
import type { ServerMessage } from '../protocol/rendezvous/messages.ts'
import { type RegistrationBody, signRegistration } from '../protocol/rendezvous/registration.ts'
import { signStatement } from '../protocol/rendezvous/statement.ts'
import { pinnedUuid } from '../protocol/rendezvous/uuid.ts'
import { createLife } from '../sim/life.ts'
import { createSimRandom } from '../sim/random.ts'
import { rsaKeyPair } from '../sim/rsa-keys.ts'
import { createDisk, type Disk } from '../sim/store.ts'
import { createRendezvous } from './index.ts'
import { rendezvousSettingsSchema } from './settings.ts'

export const SERVER = 'http://rendezvous.example'
export const jose = createJose()

export interface Person {
  readonly uuid: string
  readonly keys: RsaKeyPair
}

/** Somebody whose UUID follows from a key of the pool. */
export const person = (index: number): Person => {
  const keys = rsaKeyPair(index)
  return { keys, uuid: pinnedUuid(keys.publicKey) }
}

export const newDisk = (): Disk =>
  createDisk('rendezvous', { add() {}, hash: () => '', lines: () => [], count: () => 0 })

const lines = (): Log & { readonly said: string[] } => {
  const said: string[] = []
  const say = (event: string, fields: object = {}) => void said.push(`${event} ${JSON.stringify(fields)}`)
  return { said, debug: say, info: say, warn: say, error: say }
}

type Of<Type> = Extract<ServerMessage, { type: Type }>

export interface TestClient {
  /** Everything the server has said. */
  readonly heard: readonly ServerMessage[]
  /** The next message, which is of this type. */
  next<Type extends ServerMessage['type']>(type: Type): Promise<Of<Type>>
  send(message: object | string | undefined): void
  /** Answers the challenge. */
  present(who: Person, changes?: object): Promise<void>
  hangUp(): void
  readonly isClosed: boolean
}

export interface Exchange {
  readonly request: string
  readonly from: Person
  readonly to: Pick<Person, 'uuid'>
  readonly hide?: boolean
  readonly port?: number
  readonly hosts?: readonly string[]
}

let requests = 0
/** A connection request's id, another one each time. */
export const requestId = (): string => `00000000-0000-4000-8000-${String(++requests).padStart(12, '0')}`

export const openTestRendezvous = async (
  t: TestContext,
  changes: Record<string, unknown> = {},
  { time = createTestTime(), disk = newDisk() } = {},
) => {
  const life = createLife()
  const log = lines()
  const { sql } = disk.mount(life)
  const settings = rendezvousSettingsSchema.parse({ server: SERVER, ...changes })
  const effects = { clock: time.clock, random: createSimRandom(requests), sql, log, jose }
  const service = await createRendezvous(effects, settings)
  t.after(async () => {
    if (life.isAlive()) await service.close()
  })
  const nowSeconds = () => Math.floor(time.clock.nowMs() / 1000)

  const registration = (who: Person, version = 1, old?: RsaKeyPair): Promise<RegistrationBody> =>
    signRegistration(
      jose,
      { server: SERVER, uuid: who.uuid, version, tsSeconds: nowSeconds(), nonce: new Uint8Array(16) },
      who.keys,
      old?.privateKey,
    )

  const put = async (uuid: string, body: unknown, peer = '192.0.2.9') => {
    const text = typeof body === 'string' ? body : JSON.stringify(body)
    const request = new Request(`${SERVER}/clients/${uuid}`, { method: 'PUT', body: text })
    const response = await service.fetch(request, peer)
    return { status: response.status, body: (await response.json()) as Record<string, unknown> }
  }

  const get = async (path: string, peer = '192.0.2.9', headers = {}) => {
    const response = await service.fetch(new Request(`${SERVER}${path}`, { headers }), peer)
    return { status: response.status, text: await response.text() }
  }

  const connect = (host = '192.0.2.1', forwarded?: string): TestClient => {
    const decision = service.accept({ peerHost: host, forwarded, path: '/connect' })
    assert.ok(typeof decision === 'function', `refused with ${String(decision)}`)
    const heard: ServerMessage[] = []
    const waiting: ServerMessage[] = []
    let wake = () => {}
    let isClosed = false
    const events: ServerSocketEvents = decision({
      send(text) {
        const message = JSON.parse(text) as ServerMessage
        heard.push(message)
        waiting.push(message)
        wake()
      },
      close() {
        isClosed = true
        events.close()
      },
    })
    const client: TestClient = {
      heard,
      async next(type) {
        while (waiting.length === 0) await new Promise<void>((resolve) => (wake = resolve))
        const message = waiting.shift()
        assert.equal(message?.type, type, JSON.stringify(message))
        return message as Of<typeof type>
      },
      send: (message) => events.message(typeof message === 'object' ? JSON.stringify(message) : message),
      async present({ uuid, keys }, presenceChanges = {}) {
        const { challenge, server } = await client.next('challenge')
        const purpose = 'chrove rendezvous presence'
        const presence = { purpose, server, uuid, challenge, uniform: false, ts: nowSeconds(), ...presenceChanges }
        client.send({ type: 'present', presence: await signStatement(jose, presence, keys.privateKey) })
      },
      hangUp: () => events.close(),
      get isClosed() {
        return isClosed
      },
    }
    return client
  }

  /** A registered client that is there. */
  const join = async (who: Person, host?: string, presence: object = {}): Promise<TestClient> => {
    await put(who.uuid, await registration(who))
    const client = connect(host)
    await client.present(who, presence)
    await client.next('welcome')
    return client
  }

  const sign = (who: Person, statement: object): Promise<FlattenedJws> =>
    signStatement(jose, statement, who.keys.privateKey)

  const addressesOf = ({ request, from, to, hide = false, port, hosts = [] }: Exchange) =>
    sign(from, {
      ...{ purpose: 'chrove rendezvous addresses', server: SERVER, request, from: from.uuid, to: to.uuid, hide },
      ...{ hosts, ts: nowSeconds(), ...(port !== undefined && { port }) },
    })

  /** What a source sends. */
  const ask = async (exchange: Exchange, statement: object = {}) => {
    const { request, from, to, hide = false } = exchange
    const said = { purpose: 'chrove rendezvous request', server: SERVER, request, from: from.uuid, to: to.uuid, hide }
    const signed = await sign(from, { ...said, ts: nowSeconds(), ...statement })
    return { type: 'request', request: signed, addresses: await addressesOf(exchange) }
  }

  return {
    ...{ service, time, log, disk, life, registration, put, get, connect, join, ask, addressesOf, sign, nowSeconds },
    /** What a target sends that agrees. */
    accept: async (exchange: Exchange) => ({
      ...{ type: 'accept', request: exchange.request, addresses: await addressesOf(exchange) },
    }),
  }
}
