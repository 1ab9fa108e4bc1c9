/**
 * A page of 20 vendors out of 100,000, asked of `chrove directory serve` and of a bare server with the same SQL and the
 * same answer, turn by turn: once with pages that were asked before, once with pages that never were. Client and servers
 * are processes of their own, on processors of their own where there are two. Then events that are told to subscribers.
 */
import { type ChildProcess, fork, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import packageJson from '../../package.json' with { type: 'json' }
import type { Measured } from '../bench.ts'
import { freePort } from '../ports.ts'
import type { Measurement, Order } from './graphql/client.ts'
import { median, quantile } from './graphql/median.ts'
import { pageBody, statementsOfPage } from './graphql/page.ts'
import { seedDirectory, SOURCE } from './graphql/seed.ts'
import { benchSse, type SseRates } from './graphql/sse.ts'

const VENDORS = 100_000
const CONNECTIONS = 16
const ROUNDS = 9
const WARM_UP_ROUNDS = 3
const REPEATED_PER_ROUND = 6_000
const DISTINCT_PER_ROUND = 2_000
/** Pages that are asked again and again. */
const HOT_PAGES = 10

/** As `npm run chrove` starts programs. */
const [, ...chroveArguments] = packageJson.scripts.chrove.split(' ')
const [semiSpace = ''] = chroveArguments

export const benchGraphql = async (): Promise<Measured> => {
  const folder = await mkdtemp(join(tmpdir(), 'chrove-bench-'))
  const children: ChildProcess[] = []
  try {
    process.stderr.write(`writing ${VENDORS} vendors\n`)
    await seedDirectory(folder, VENDORS)
    const statements = await statementsOfPage(folder)
    const options = { execArgv: [semiSpace] }
    const bare = fork(new URL('graphql/bare.ts', import.meta.url), [folder, JSON.stringify(statements)], options)
    children.push(bare)
    const [barePort] = (await once(bare, 'message')) as [number]
    const directoryPort = await freePort()
    const directory = startDirectory(folder, directoryPort)
    children.push(directory)
    await untilReady(directoryPort)
    const client = fork(new URL('graphql/client.ts', import.meta.url))
    children.push(client)
    keepApart([bare, directory], client)
    await compareAnswers(barePort, directoryPort)
    const rounds = await measureRounds(client, barePort, directoryPort)
    for (const child of children.splice(0)) child.kill('SIGTERM')
    process.stderr.write('telling subscribers\n')
    return summarize(rounds, await benchSse(folder, [semiSpace], keepApart))
  } finally {
    for (const child of children) child.kill('SIGTERM')
    await rm(folder, { recursive: true, force: true })
  }
}

/** No chain is there: what has been indexed is answered all the same. */
const startDirectory = (folder: string, port: number): ChildProcess =>
  spawn(
    process.execPath,
    [
      ...chroveArguments,
      ...['directory', 'serve', '--rpc', 'http://127.0.0.1:9', '--registry', SOURCE.registry],
      ...['--home', folder, '--port', String(port), '--log-level', 'error'],
    ],
    { cwd: join(import.meta.dirname, '../..'), stdio: ['ignore', 'ignore', 'inherit'] },
  )

const ask = async (port: number, vendorId: number): Promise<string> => {
  const headers = { 'content-type': 'application/json' }
  const answer = await fetch(`http://127.0.0.1:${port}/graphql`, { method: 'POST', headers, body: pageBody(vendorId) })
  return answer.text()
}

const untilReady = async (port: number): Promise<void> => {
  for (let tries = 0; tries < 300; tries++) {
    if (await ask(port, 1).catch(() => undefined)) return
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  throw new Error('the directory did not start within 30 seconds')
}

/** What is compared below is the same work: the same bytes come of it. */
const compareAnswers = async (barePort: number, directoryPort: number): Promise<void> => {
  for (const vendorId of [1, 7, 4_321, 99_000]) {
    if ((await ask(barePort, vendorId)) !== (await ask(directoryPort, vendorId))) {
      throw new Error('the two servers give different answers')
    }
  }
}

/** The client never takes a server's time; the servers take turns. */
const keepApart = (servers: readonly ChildProcess[], client: ChildProcess): void => {
  if (availableParallelism() < 2) return
  const results = [...servers.map((server) => [server, '0'] as const), [client, '1'] as const].map(
    ([{ pid }, processor]) => spawnSync('taskset', ['-acp', processor, String(pid)]).status,
  )
  if (results.some((status) => status !== 0)) process.stderr.write('taskset is missing: processors are shared\n')
}

type Kind = 'repeated' | 'distinct'

interface Round {
  readonly bare: Measurement
  readonly directory: Measurement
}

const measureRounds = async (
  client: ChildProcess,
  barePort: number,
  directoryPort: number,
): Promise<Readonly<Record<Kind, readonly Round[]>>> => {
  const measure = async (port: number, vendorIds: readonly number[]): Promise<Measurement> => {
    client.send({ port, connections: CONNECTIONS, vendorIds } satisfies Order)
    const [measurement] = (await once(client, 'message')) as [Measurement]
    return measurement
  }
  let asked = HOT_PAGES
  const pages: Record<Kind, () => number[]> = {
    repeated: () => Array.from({ length: REPEATED_PER_ROUND }, (_, i) => i % HOT_PAGES),
    distinct: () => Array.from({ length: DISTINCT_PER_ROUND }, () => asked++),
  }
  const rounds: Record<Kind, Round[]> = { repeated: [], distinct: [] }
  for (let round = -WARM_UP_ROUNDS; round < ROUNDS; round++) {
    process.stderr.write(round < 0 ? 'warming up\n' : `round ${round + 1} of ${ROUNDS}\n`)
    for (const kind of ['repeated', 'distinct'] as const) {
      const vendorIds = pages[kind]()
      const bare = await measure(barePort, vendorIds)
      const directory = await measure(directoryPort, vendorIds)
      if (round >= 0) rounds[kind].push({ bare, directory })
    }
  }
  return rounds
}

const summarize = (rounds: Readonly<Record<Kind, readonly Round[]>>, sse: SseRates): Measured => {
  const rate = ({ seconds, latenciesMs }: Measurement) => latenciesMs.length / seconds
  const rates = (kind: Kind, which: keyof Round) => median(rounds[kind].map((round) => rate(round[which])))
  const share = (kind: Kind) => median(rounds[kind].map(({ bare, directory }) => rate(directory) / rate(bare)))
  const p99 = (kind: Kind, which: keyof Round) =>
    median(rounds[kind].map((round) => quantile(round[which].latenciesMs, 0.99)))
  return {
    metrics: {
      repeatedShareOfBare: share('repeated'),
      distinctShareOfBare: share('distinct'),
      repeatedPerSecond: rates('repeated', 'directory'),
      distinctPerSecond: rates('distinct', 'directory'),
      p99Ms: p99('distinct', 'directory'),
      repeatedP99Ms: p99('repeated', 'directory'),
      sseDeliveriesPerSecond: sse.directory,
      sseShareOfBare: sse.directory / sse.bare,
    },
    baselines: {
      barePerSecond: rates('distinct', 'bare'),
      bareP99Ms: p99('distinct', 'bare'),
      bareSseDeliveriesPerSecond: sse.bare,
      repeatedShareOfBareAtLeast: 2,
      distinctShareOfBareAtLeast: 0.7,
    },
  }
}
