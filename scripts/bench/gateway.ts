/**
 * The gateway against the same server without it: both in one process, asked in turn by another, each on a processor of
 * its own. Medians of rounds are told.
 */
import { fork, spawnSync, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Measured } from '../bench.ts'
import { STREAM_BYTES, type Measurement, type Order, type Ports } from './gateway/common.ts'

const ROUNDS = 9
const WARM_UP_ROUNDS = 4
const REQUESTS = 8_000
const CONNECTIONS = 32
const COLD_REQUESTS = 1_000
/** For latencies: few enough that requests do not wait for each other. */
const CALM_CONNECTIONS = 2
const CALM_REQUESTS = 2_000
const STREAMS = 4

export const benchGateway = async (): Promise<Measured> => {
  const folder = await mkdtemp(join(tmpdir(), 'chrove-bench-'))
  const start = (file: string, processor: number, ...given: string[]): ChildProcess => {
    const child = fork(join(import.meta.dirname, 'gateway', file), given, {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    })
    const { status } = spawnSync('taskset', ['-acp', String(processor), String(child.pid)])
    if (status !== 0) process.stderr.write('taskset is missing: run this on an otherwise idle machine\n')
    return child
  }
  const service = start('service.ts', 0, folder)
  const client = start('client.ts', 1)
  try {
    const [ports] = (await once(service, 'message')) as [Ports]
    const ask = async (order: Order): Promise<Measurement> => {
      client.send(order)
      const [measurement] = (await once(client, 'message')) as [Measurement]
      return measurement
    }
    return await rounds(ask, ports)
  } finally {
    service.disconnect()
    client.kill()
    await once(service, 'exit')
    await rm(folder, { recursive: true, force: true })
  }
}

const rounds = async (ask: (order: Order) => Promise<Measurement>, ports: Ports): Promise<Measured> => {
  const shares: number[] = []
  const [bare, warm, cold, overheads, streams, streamShares]: number[][] = [[], [], [], [], [], []]
  for (let round = -WARM_UP_ROUNDS; round < ROUNDS; round++) {
    process.stderr.write(round < 0 ? 'warming up\n' : `round ${round + 1} of ${ROUNDS}\n`)
    const busy = { connections: CONNECTIONS, requests: REQUESTS }
    const calm = { connections: CALM_CONNECTIONS, requests: CALM_REQUESTS }
    const stream = { port: ports.streaming, connections: 1, requests: STREAMS }
    const bareSeconds = (await ask({ ...busy, port: ports.bare, kind: 'bare' })).seconds
    const warmSeconds = (await ask({ ...busy, port: ports.metered, kind: 'warm' })).seconds
    const bareAgain = (await ask({ ...busy, port: ports.bare, kind: 'bare' })).seconds
    const bareCalm = await ask({ ...calm, port: ports.bare, kind: 'bare' })
    const warmCalm = await ask({ ...calm, port: ports.metered, kind: 'warm' })
    const coldOnes = await ask({ port: ports.metered, kind: 'cold', connections: CONNECTIONS, requests: COLD_REQUESTS })
    const streamBare = await ask({ ...stream, kind: 'stream-bare' })
    const streamed = await ask({ ...stream, kind: 'stream' })
    if (round < 0) continue
    const bareMean = (bareSeconds + bareAgain) / 2
    bare?.push(REQUESTS / bareMean)
    warm?.push(REQUESTS / warmSeconds)
    shares.push(bareMean / warmSeconds)
    cold?.push(COLD_REQUESTS / coldOnes.seconds)
    overheads?.push(quantile(warmCalm.latenciesMs, 0.99) - quantile(bareCalm.latenciesMs, 0.99))
    streams?.push((STREAMS * STREAM_BYTES) / 2 ** 20 / streamed.seconds)
    streamShares?.push(streamBare.seconds / streamed.seconds)
  }
  return {
    metrics: {
      warmShareOfBare: median(shares),
      warmPerSecond: median(warm),
      coldPerSecond: median(cold),
      p99OverheadMs: median(overheads),
      streamMiBPerSecond: median(streams),
      streamShareOfBare: median(streamShares),
    },
    baselines: { barePerSecond: median(bare), warmShareOfBareAtLeast: 0.6, p99OverheadMsBelow: 1 },
  }
}

const median = (values: readonly number[] = []): number => quantile(values, 0.5)

const quantile = (values: readonly number[], share: number): number => {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
}
