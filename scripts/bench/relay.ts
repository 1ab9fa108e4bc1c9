/**
 * The relay in a process of its own, as `npm run relay -- serve` runs it. What passes through it is held against a process that
 * does nothing but `a.pipe(b)`, and against socat as it is by default, in turns; the client writes ready-made bytes and
 * reads into one buffer. Memory is what the relay's process has more with 2,000 pairs than before them. Medians are told.
 */
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createNativeAead } from '../../effects/aead-node.ts'
import { createSocketReader } from '../../effects/byte-reader-node.ts'
import { createClock } from '../../effects/clock.ts'
import { createNodeEffects } from '../../effects/node.ts'
import { joinRelay, type RelayLink } from '../../relay/client/index.ts'
import type { SecureStream } from '../../relay/client/secure-stream.ts'
import type { Measured } from '../bench.ts'
import { freePort } from '../ports.ts'
import { median } from './graphql/median.ts'
import {
  isSocatThere,
  type Program,
  rssKiB,
  startBarePipe,
  startProgram,
  startRelay,
  startSocat,
} from './relay/children.ts'
import { countingServer, openSink, pour, type Sink } from './relay/sockets.ts'
import { proveChannel, stapledPair } from './relay/staple.ts'

const MIB = 1024 * 1024
const ROUND_BYTES = 2048 * MIB
const ROUNDS = 5
const SECURE_BYTES = 1024 * MIB
const SECURE_ROUNDS = 3
const PAIRS = 2_000
const STREAMS_PER_CHANNEL = 8
/** More than the system and the relay keep of one connection that nobody reads. */
const STALLED_BYTES = 32 * MIB
const JOINS = 9
const SETTLE_MS = 3_000

const clock = createClock()

/** A way from one socket of ours to another. */
interface Route {
  readonly from: readonly Socket[]
  /** Resolves when so many bytes more have come, all streams together. */
  arrived(bytes: number): Promise<unknown>
}

export const benchRelay = async (): Promise<Measured> => {
  const home = await mkdtemp(join(tmpdir(), 'chrove-bench-'))
  const relay = await startRelay(home)
  const url = String(relay.said.url)
  try {
    const one = await compare(url, 1)
    const four = await compare(url, 4)
    const secure = await measureSecure(url, home)
    const joinToStapledMs = await measureJoins(url, home)
    const idlePairRssKiB = await measureIdle(relay, url)
    const stalledPairBufferKiB = await measureStalled(relay, url)
    return {
      metrics: {
        ...shares(one, ''),
        ...shares(four, 'FourStreams'),
        relayMiBPerSecond: median(one.relay),
        fourStreamsMiBPerSecond: median(four.relay),
        endToEndMiBPerSecond: secure,
        joinToStapledMs,
        idlePairRssKiB,
        stalledPairBufferKiB,
      },
      baselines: {
        nodePipeMiBPerSecond: median(one.pipe),
        ...(one.socat.length > 0 && { socatMiBPerSecond: median(one.socat) }),
        fourStreamsNodePipeMiBPerSecond: median(four.pipe),
        ...(four.socat.length > 0 && { fourStreamsSocatMiBPerSecond: median(four.socat) }),
        socatIsInstalled: isSocatThere() ? 1 : 0,
        shareOfNodePipeAtLeast: 0.95,
        shareOfSocatAtLeast: 1.2,
        idlePairRssKiBAtMost: 32,
        stalledPairBufferKiBAtMost: 256,
      },
    }
  } finally {
    relay.process.kill('SIGKILL')
    await rm(home, { recursive: true, force: true })
  }
}

interface Rates {
  /** MiB per second, one for each round. */
  readonly relay: number[]
  readonly pipe: number[]
  /** Empty where there is no socat. */
  readonly socat: number[]
}

const shares = ({ relay, pipe, socat }: Rates, name: string): Record<string, number> => ({
  [`shareOfNodePipe${name}`]: median(relay) / median(pipe),
  ...(socat.length > 0 && { [`shareOfSocat${name}`]: median(relay) / median(socat) }),
})

const compare = async (url: string, streams: number): Promise<Rates> => {
  const pipe = await startBarePipe()
  const counting = await countingServer()
  const socatPort = await freePort()
  const socat = isSocatThere() ? startSocat(socatPort, counting.port) : undefined
  if (!socat) process.stderr.write('socat is not installed: apt-get install socat\n')
  try {
    if (socat) await untilListening(socatPort)
    const channel = await proveChannel(url, streams)
    const all = Array.from({ length: streams }, (_, stream) => stream)
    const stapled: (readonly [Sink, Sink])[] = []
    for (const stream of all) stapled.push(await stapledPair(channel, stream))
    const piped: (readonly [Sink, Sink])[] = []
    for (const _ of all) piped.push([await openSink(Number(pipe.said.port)), await openSink(Number(pipe.said.port))])
    const through = socat ? await Promise.all(all.map(() => connected(socatPort))) : []
    const routes = {
      relay: routeOf(stapled),
      pipe: routeOf(piped),
      socat: { from: through, arrived: (bytes: number) => counting.until(bytes) },
    }
    const rates: Rates = { relay: [], pipe: [], socat: [] }
    // One round more than counts: the first finds nothing compiled, and windows that are small.
    for (let round = 0; round <= ROUNDS; round++) {
      process.stderr.write(`${streams} at once: round ${round} of ${ROUNDS}\n`)
      for (const name of ['relay', 'pipe', 'socat'] as const) {
        if (routes[name].from.length === 0) continue
        const rate = await mibPerSecond(ROUND_BYTES, () => send(routes[name]))
        if (round > 0) rates[name].push(rate)
      }
    }
    for (const socket of [...routes.relay.from, ...routes.pipe.from, ...through]) socket.destroy()
    return rates
  } finally {
    pipe.process.kill()
    socat?.kill()
    counting.server.close()
  }
}

const routeOf = (pairs: readonly (readonly [Sink, Sink])[]): Route => ({
  from: pairs.map(([{ socket }]) => socket),
  arrived: (bytes) => Promise.all(pairs.map(([, to]) => to.until(to.received() + bytes / pairs.length))),
})

const send = async ({ from, arrived }: Route): Promise<void> => {
  const all = arrived(ROUND_BYTES)
  await Promise.all(from.map((socket) => pour(socket, ROUND_BYTES / from.length)))
  await all
}

const connected = async (port: number): Promise<Socket> => {
  const socket = connect({ host: '127.0.0.1', port, noDelay: true })
  await once(socket, 'connect')
  return socket
}

const untilListening = async (port: number): Promise<void> => {
  for (let tries = 0; tries < 100; tries++) {
    const socket = await connected(port).catch(() => undefined)
    socket?.destroy()
    if (socket) return
    await clock.sleep(50)
  }
  throw new Error('socat did not start within 5 seconds')
}

const mibPerSecond = async (bytes: number, work: () => Promise<unknown>): Promise<number> => {
  const startedAt = performance.now()
  await work()
  return bytes / MIB / ((performance.now() - startedAt) / 1000)
}

const effectsOf = (home: string) => ({
  ...createNodeEffects({ service: 'bench', home }),
  aead: createNativeAead,
  reader: createSocketReader,
})

/** A code, and what waits for who has it. */
const offer = async (url: string, home: string, streams: number) => {
  const told = Promise.withResolvers<string>()
  const joining = joinRelay(effectsOf(home), { relay: url, role: 'sender', streams, onCode: told.resolve })
  joining.catch(told.reject)
  return { code: await told.promise, link: joining }
}

/** Encrypted here, decrypted in another process. */
const measureSecure = async (url: string, home: string): Promise<number> => {
  const rates: number[] = []
  for (let round = 0; round < SECURE_ROUNDS; round++) {
    process.stderr.write(`encrypted: round ${round + 1} of ${SECURE_ROUNDS}\n`)
    const { code, link: joining } = await offer(url, home, 1)
    const recipient = await startProgram([join(import.meta.dirname, 'relay/receive.ts'), url, code, home])
    const link = await joining
    rates.push(await mibPerSecond(SECURE_BYTES, () => Promise.all(link.streams.map(sendRecords))))
    recipient.process.kill()
    await link.close()
  }
  return median(rates)
}

/** Until the other end has taken the last record, and said so. */
const sendRecords = async (stream: SecureStream): Promise<void> => {
  const record = Buffer.alloc(64 * 1024, 1)
  for (let sent = 0; sent < SECURE_BYTES; sent += record.length) await stream.send(record)
  await stream.end()
  await stream.receive()
}

/** From the recipient's knowing the code to both ends' having their stream; the words are stretched in this time, too. */
const measureJoins = async (url: string, home: string): Promise<number> => {
  const times: number[] = []
  for (let round = 0; round < JOINS; round++) {
    const { code, link: joining } = await offer(url, home, 1)
    const startedAt = performance.now()
    const recipient = joinRelay(effectsOf(home), { relay: url, role: 'recipient', code, streams: 1 })
    const links: RelayLink[] = await Promise.all([joining, recipient])
    times.push(performance.now() - startedAt)
    await Promise.all(links.map((link) => link.close()))
  }
  return median(times)
}

const openPairs = async (url: string): Promise<readonly (readonly [Sink, Sink])[]> => {
  const pairs: (readonly [Sink, Sink])[] = []
  for (let made = 0; made < PAIRS; made += STREAMS_PER_CHANNEL) {
    const channel = await proveChannel(url, STREAMS_PER_CHANNEL)
    for (let stream = 0; stream < STREAMS_PER_CHANNEL; stream++) pairs.push(await stapledPair(channel, stream))
  }
  return pairs
}

const closePairs = async (pairs: readonly (readonly [Sink, Sink])[]): Promise<void> => {
  for (const pair of pairs) for (const { socket } of pair) socket.destroy()
  await clock.sleep(SETTLE_MS)
}

const measureIdle = async ({ process: child }: Program, url: string): Promise<number> => {
  process.stderr.write(`${PAIRS} idle pairs\n`)
  const before = rssKiB(child)
  const pairs = await openPairs(url)
  await clock.sleep(SETTLE_MS)
  const perPair = (rssKiB(child) - before) / PAIRS
  await closePairs(pairs)
  return perPair
}

const measureStalled = async ({ process: child }: Program, url: string): Promise<number> => {
  process.stderr.write(`${PAIRS} stalled pairs\n`)
  const pairs = await openPairs(url)
  await clock.sleep(SETTLE_MS)
  const before = rssKiB(child)
  const piece = Buffer.alloc(STALLED_BYTES, 1)
  for (const [from, to] of pairs) {
    to.socket.pause()
    from.socket.write(piece)
  }
  await clock.sleep(2 * SETTLE_MS)
  const perPair = (rssKiB(child) - before) / PAIRS
  await closePairs(pairs)
  return perPair
}
