/**
 * The gateway against the same server without it: both in one process, asked in turn by another, each on a processor of
 * its own. Medians of rounds are told.
 */
import { fork, spawnSync, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Measured } from '../bench.ts'
import { STREAM_BYTES, type Measurement, type Order, type Ports } from './gateway/common.ts'

const ROUNDS = 9
const WARM_UP_ROUNDS = 4
const REQUESTS = 8_000
/** A server that is busy: with fewer it waits for its disk, and has nothing else to do. */
const CONNECTIONS = 128
const COLD_REQUESTS = 1_000
/** For latencies: few enough that requests do not wait for each other. */
const CALM_CONNECTIONS = 2
const CALM_REQUESTS = 2_000
const STREAMS = 4
/** Kernel's unit of process times, per second; the same on every Linux. */
const TICKS_PER_SECOND = 100

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
    return await rounds(ask, () => cpuSecondsOf(service), ports)
  } finally {
    service.disconnect()
    client.kill()
    await once(service, 'exit')
    await rm(folder, { recursive: true, force: true })
  }
}

const rounds = async (
  ask: (order: Order) => Promise<Measurement>,
  cpuSeconds: () => number,
  ports: Ports,
): Promise<Measured> => {
  const [shares, cpuShares]: [number[], number[]] = [[], []]
  const [bare, warm, cold, overheads, streams, streamShares]: number[][] = [[], [], [], [], [], []]
  for (let round = -WARM_UP_ROUNDS; round < ROUNDS; round++) {
    process.stderr.write(round < 0 ? 'warming up\n' : `round ${round + 1} of ${ROUNDS}\n`)
    const busy = { connections: CONNECTIONS, requests: REQUESTS }
    const calm = { connections: CALM_CONNECTIONS, requests: CALM_REQUESTS }
    const stream = { port: ports.streaming, connections: 1, requests: STREAMS }
    const cpu = [cpuSeconds()]
    const bareSeconds = (await ask({ ...busy, port: ports.bare, kind: 'bare' })).seconds
    cpu.push(cpuSeconds())
    const warmSeconds = (await ask({ ...busy, port: ports.metered, kind: 'warm' })).seconds
    cpu.push(cpuSeconds())
    const bareAgain = (await ask({ ...busy, port: ports.bare, kind: 'bare' })).seconds
    cpu.push(cpuSeconds())
    const [before = 0, afterBare = 0, afterWarm = 0, afterBareAgain = 0] = cpu
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
    cpuShares.push((afterBare - before + afterBareAgain - afterWarm) / 2 / (afterWarm - afterBare))
    cold?.push(COLD_REQUESTS / coldOnes.seconds)
    overheads?.push(quantile(warmCalm.latenciesMs, 0.99) - quantile(bareCalm.latenciesMs, 0.99))
    streams?.push((STREAMS * STREAM_BYTES) / 2 ** 20 / streamed.seconds)
    streamShares?.push(streamBare.seconds / streamed.seconds)
  }
  return {
    metrics: {
      warmShareOfBare: median(shares),
      // What a request costs the processor, which a busy disk or machine changes less.
      warmCpuShareOfBare: median(cpuShares),
      warmPerSecond: median(warm),
      coldPerSecond: median(cold),
      p99OverheadMs: median(overheads),
      streamMiBPerSecond: median(streams),
      streamShareOfBare: median(streamShares),
    },
    baselines: { barePerSecond: median(bare), warmShareOfBareAtLeast: 0.6, p99OverheadMsBelow: 1 },
  }
}

/** User and system time so far, all threads. @see proc(5), stat fields 14 and 15 */
const cpuSecondsOf = ({ pid }: ChildProcess): number => {
  const afterName = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? []
  return (Number(afterName[11]) + Number(afterName[12])) / TICKS_PER_SECOND
}

const median = (values: readonly number[] = []): number => quantile(values, 0.5)

const quantile = (values: readonly number[], share: number): number => {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
}
