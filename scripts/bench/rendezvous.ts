/**
 * One rendezvous with ten thousand clients that are there and say nothing, in a process of its own: what each costs in
 * memory; then connection requests among them, each routed to its target and its answer back.
 */
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { WebSocket } from 'ws'
import { base64url } from '../../protocol/bytes.ts'
import { createJose } from '../../protocol/jose.ts'
import { canonicalJson } from '../../protocol/json.ts'
import { signStatement } from '../../protocol/rendezvous/statement.ts'
import { uuidOf } from '../../protocol/rendezvous/uuid.ts'
import type { Measured } from '../bench.ts'
import { BENCH_SERVER, benchClient } from './rendezvous/clients.ts'

const CLIENTS = 10_000
/** There before memory is looked at: what is allocated once is allocated by them. */
const WARM_UP_CLIENTS = 200
const CONNECTING_AT_ONCE = 50
const ROUNDS = 5
const REQUESTS_PER_ROUND = 10_000
const REQUESTS_AT_ONCE = 64

const jose = createJose()

export const benchRendezvous = async (): Promise<Measured> => {
  const folder = await mkdtemp(join(tmpdir(), 'chrove-bench-'))
  const script = join(import.meta.dirname, 'rendezvous/server.ts')
  const server = spawn(process.execPath, [script, folder, String(CLIENTS)], { stdio: ['ignore', 'pipe', 'inherit'] })
  try {
    const [line] = (await once(server.stdout, 'data')) as [Buffer]
    const { port } = JSON.parse(line.toString()) as { port: number }
    const clients = await connectMany(port, 0, WARM_UP_CLIENTS)
    const before = rssKiB(server.pid)
    clients.push(...(await connectMany(port, WARM_UP_CLIENTS, CLIENTS)))
    await new Promise((resolve) => setTimeout(resolve, 3_000))
    const rssPerClientKiB = (rssKiB(server.pid) - before) / (CLIENTS - WARM_UP_CLIENTS)
    const rounds: Round[] = []
    for (let round = 0; round <= ROUNDS; round++) {
      process.stderr.write(round === 0 ? 'warming up\n' : `round ${round} of ${ROUNDS}\n`)
      const measured = await routeMany(clients, round)
      if (round > 0) rounds.push(measured)
    }
    for (const { socket } of clients) socket.terminate()
    const latencies = rounds.flatMap(({ latenciesMs }) => latenciesMs).toSorted((a, b) => a - b)
    return {
      metrics: {
        clients: CLIENTS,
        rssPerClientKiB,
        requestsPerSecond: median(rounds.map(({ seconds }) => REQUESTS_PER_ROUND / seconds)),
        p50Ms: latencies[Math.floor(latencies.length * 0.5)] ?? Number.NaN,
        p99Ms: latencies[Math.floor(latencies.length * 0.99)] ?? Number.NaN,
      },
      baselines: { requestsPerSecondAtLeast: 1_000 },
    }
  } finally {
    server.kill('SIGKILL')
    await rm(folder, { recursive: true, force: true })
  }
}

interface Client {
  readonly uuid: string
  readonly socket: WebSocket
  /** Requests of this client that wait for their answers. */
  readonly waiting: Map<string, () => void>
}

interface Said {
  readonly type: string
  readonly challenge?: string
  readonly request?: string | { readonly payload: string }
}

const connectMany = async (port: number, from: number, to: number): Promise<Client[]> => {
  const clients: Client[] = []
  let next = from
  const work = async () => {
    for (let index = next++; index < to; index = next++) {
      clients.push(await connectOne(port, index))
      if (clients.length % 1_000 === 0) process.stderr.write(`${from + clients.length} clients are there\n`)
    }
  }
  await Promise.all(Array.from({ length: CONNECTING_AT_ONCE }, work))
  return clients
}

/** A client that is there, and denies whatever it is asked. */
const connectOne = async (port: number, index: number): Promise<Client> => {
  const { uuid, keys } = benchClient(index)
  const socket = new WebSocket(`ws://127.0.0.1:${port}/connect`, { perMessageDeflate: false })
  const client: Client = { uuid, socket, waiting: new Map() }
  const there = Promise.withResolvers<void>()
  const answer = async (challenge: string) => {
    const said = { purpose: 'chrove rendezvous presence', server: BENCH_SERVER, uuid, challenge, uniform: false }
    const presence = await signStatement(jose, { ...said, ts: Math.floor(Date.now() / 1000) }, keys.privateKey)
    socket.send(JSON.stringify({ type: 'present', presence }))
  }
  socket.on('error', there.reject)
  socket.on('message', (data) => {
    const { type, challenge, request } = JSON.parse((data as Buffer).toString()) as Said
    if (type === 'challenge') answer(challenge ?? '').catch(there.reject)
    else if (type === 'welcome') there.resolve()
    else if (type === 'request' && typeof request === 'object') {
      const statement = JSON.parse(Buffer.from(request.payload, 'base64url').toString()) as { request: string }
      socket.send(JSON.stringify({ type: 'deny', request: statement.request }))
    } else if (type === 'denied' && typeof request === 'string') client.waiting.get(request)?.()
    else there.reject(new Error(`the rendezvous says ${type}`))
  })
  await there.promise
  return client
}

interface Round {
  readonly seconds: number
  readonly latenciesMs: readonly number[]
}

const routeMany = async (clients: readonly Client[], round: number): Promise<Round> => {
  const messages = Array.from({ length: REQUESTS_PER_ROUND }, (_, index) => messageOf(clients, round, index))
  const latenciesMs: number[] = []
  let next = 0
  const work = async () => {
    for (let message = messages[next++]; message; message = messages[next++]) {
      const { source, request, text } = message
      const startedMs = performance.now()
      const answered = new Promise<void>((resolve) => source.waiting.set(request, resolve))
      source.socket.send(text)
      await answered
      source.waiting.delete(request)
      latenciesMs.push(performance.now() - startedMs)
    }
  }
  const startedMs = performance.now()
  await Promise.all(Array.from({ length: REQUESTS_AT_ONCE }, work))
  return { seconds: (performance.now() - startedMs) / 1_000, latenciesMs }
}

/** The server only carries signatures: here they are as long as real ones, and nothing else. */
const messageOf = (clients: readonly Client[], round: number, index: number) => {
  const source = clients[(index * 7) % clients.length]
  const target = clients[(index * 7 + 4_999) % clients.length]
  if (!source || !target) throw new RangeError('there are no clients')
  const request = uuidOf(createHash('sha256').update(`request ${round} ${index}`).digest(), 4)
  const said = { server: BENCH_SERVER, request, from: source.uuid, to: target.uuid, hide: false }
  const signed = (statement: object) => ({
    payload: base64url.encode(canonicalJson({ ...said, ...statement, ts: Math.floor(Date.now() / 1000) })),
    protected: base64url.encode(Buffer.from('{"alg":"RS256"}')),
    signature: base64url.encode(new Uint8Array(256)),
  })
  const text = JSON.stringify({
    type: 'request',
    request: signed({ purpose: 'chrove rendezvous request' }),
    addresses: signed({ purpose: 'chrove rendezvous addresses', hosts: ['192.0.2.1'], port: 4_000 }),
  })
  return { source, request, text }
}

const rssKiB = (pid: number | undefined): number =>
  Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1])

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN
