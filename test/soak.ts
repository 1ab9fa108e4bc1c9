/** `npm run soak`: a directory for minutes under load, on a chain that reorganises, by nodes that fail. */
import { rmSync } from 'node:fs'
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import type { Block } from '../chain/types.ts'
import { freePort } from '../scripts/ports.ts'
import { createSimRandom } from '../sim/random.ts'
import { openAnvilMarket, type AnvilMarket } from './anvil-market.ts'
import { compareWithContracts, eventsUpTo } from './contract-rows.ts'
import { ask } from './directory-client.ts'
import { eventually } from './eventually.ts'
import { keepDirectory, type KeptDirectory } from './soak/directory.ts'
import { openFaultyNode } from './soak/faulty-node.ts'
import { compareFollower, createFollower, type Follower } from './soak/followers.ts'
import { growth, memoryOf } from './soak/memory.ts'
import { read } from './soak/readers.ts'
import { createRun, type Run } from './soak/run.ts'
import { createWriter, FINALITY_BLOCKS } from './soak/writer.ts'

const MINUTES = 10
const MINUTES_MAX = 10_000
/** Between two comparisons. */
const ROUND_MS = 30_000
/** The directory is killed in the rounds of the first part, and then lives to the end, for its memory to be seen. */
const KILLED_PART = 0.5
/** Share of those rounds. */
const KILLED_ROUNDS = 0.6
/** Long enough that what became final meanwhile is read by ranges. */
const AWAY_MS_MAX = 20_000
const READERS = 3
const LEAVES = { min: 5, max: 150 }
const ANVIL = {
  // Of no chain that anybody has.
  chainId: 931_342,
  // States that anvil 1.7.1 has moved to disk come back from `anvil_reorg` without the contracts' code: it shall move none.
  args: ['--prune-history', '300'],
}

const usage = `Usage: npm run soak -- [options]

Runs a directory (a process of its own, killed now and then) on anvil under mixed load: vendors and buyers at work, reorgs
by anvil_reorg and evm_revert, a node that delays, breaks off and refuses, readers, and subscribers that come and go.
Every half minute nothing moves, and what the directory tells is compared with the contracts. Ctrl-C ends it with what
was found until then. Exit code 1 when anything was wrong.

  --minutes N   how long (${MINUTES})
  --seed S      what is done and when; the processes' own pace is not repeated (1)
  --json        one JSON object on standard output
  --help        this text

Example: npm run soak -- --minutes 10 --json
`

class UsageError extends Error {}

const main = async (): Promise<number> => {
  const { values } = parseArgs({
    options: {
      minutes: { type: 'string', default: String(MINUTES) },
      seed: { type: 'string', default: '1' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) {
    process.stdout.write(usage)
    return 0
  }
  const minutes = Number(values.minutes)
  if (!(minutes > 0 && minutes <= MINUTES_MAX)) throw new UsageError(`--minutes is a number up to ${MINUTES_MAX}`)

  const ending = new AbortController()
  const interrupted = new Promise<void>((resolve) => {
    process.once('SIGINT', () => {
      // A terminal tells the children as well: what fails from here on is no fault.
      ending.abort()
      resolve()
    })
  })
  const run = createRun(createSimRandom(values.seed), ending.signal)
  const folder = await mkdtemp(join(tmpdir(), 'chrove-soak-'))
  const startedMs = performance.now()
  try {
    await Promise.race([soak(run, folder, minutes * 60_000), interrupted])
  } catch (error) {
    run.isWrong(error instanceof Error ? (error.stack ?? error.message) : String(error))
  }
  ending.abort()
  rmSync(folder, { recursive: true, force: true })
  return report(run, (performance.now() - startedMs) / 60_000, values)
}

const soak = async (run: Run, folder: string, lengthMs: number): Promise<void> => {
  const market = await openAnvilMarket(ANVIL)
  const writer = createWriter(market, run)
  const faulty = await openFaultyNode(market.anvil.url, run)
  await writer.begin()
  const directory = await keepDirectory(
    await freePort(),
    [
      ...['--home', folder, '--poll-ms', '200', '--finality-blocks', String(FINALITY_BLOCKS)],
      ...['--rpc', faulty.url, '--rpc', market.anvil.url, '--registry', market.registry],
    ],
    run,
  )
  await untilRead(directory, await writer.rest())

  const followers = (['vendorChanged', 'orderPaid'] as const).flatMap((kind) => [
    createFollower(directory, run, kind, `${kind}, always there`),
    createFollower(directory, run, kind, `${kind}, often away`, LEAVES),
  ])
  const attending = Promise.all([
    ...followers.map((follower) => follower.follow()),
    ...Array.from({ length: READERS }, (_, index) => read(directory, run, `reader ${index}`)),
  ])
  const random = run.random.fork('kills')
  const startedMs = performance.now()
  const endMs = startedMs + lengthMs

  const kill = async (): Promise<void> => {
    if (performance.now() > startedMs + KILLED_PART * lengthMs || !random.chance(KILLED_ROUNDS)) return
    await sleep(random.int(0, ROUND_MS / 3))
    await directory.restart(random.int(0, random.chance(0.3) ? AWAY_MS_MAX : 500))
  }
  const rounds = async (): Promise<void> => {
    while (performance.now() < endMs) {
      await Promise.all([writer.work(Math.min(endMs, performance.now() + ROUND_MS)), kill()])
      await compare(run, market, directory, followers, await writer.rest())
      process.stderr.write(`${progress(run)}\n`)
    }
  }
  try {
    // Those who attend end only by a fault of their own.
    await Promise.race([rounds(), attending])
  } finally {
    await directory.close()
    await faulty.close()
    await market.anvil.close()
  }
}

const untilRead = async ({ url }: KeptDirectory, newest: Block): Promise<void> => {
  await eventually('the newest block is read', async () => {
    const answer = await ask<{ _meta: { block: { hash: string } } }>(url, '{ _meta { block { hash } } }').catch(
      () => {},
    )
    return answer?._meta.block.hash === newest.hash || undefined
  })
}

/** Nothing moves but readers: what is told has to be what the contracts say. */
const compare = async (
  run: Run,
  market: AnvilMarket,
  directory: KeptDirectory,
  followers: readonly Follower[],
  newest: Block,
): Promise<void> => {
  run.counts.comparisons++
  await untilRead(directory, newest)
  const earlier = await market.rpc.block(newest.number - run.random.int(1, FINALITY_BLOCKS - 4))
  for (const block of earlier ? [newest, earlier] : [newest]) {
    const found = await compareWithContracts(directory.url, market, block)
    if (found !== undefined) run.isWrong(found)
  }
  const events = await eventsUpTo(market, newest)
  await Promise.all(followers.map((follower) => compareFollower(follower, events, run)))
}

const progress = ({ counts, wrong }: Run): string =>
  [...Object.entries(counts), ['wrong', wrong.length]].map(([name, count]) => `${count} ${name}`).join(', ')

const report = (
  run: Run,
  minutes: number,
  { json, seed }: { readonly json: boolean; readonly seed: string },
): number => {
  const rssMiB = memoryOf(run.rssMiB)
  const wrong = [...run.wrong, ...growth(rssMiB)]
  const ok = wrong.length === 0
  const seen = Object.fromEntries([...run.seen].toSorted(([a], [b]) => (a < b ? -1 : 1)))
  const result = { ok, minutes: Number(minutes.toFixed(2)), seed, ...run.counts, rssMiB, seen, wrong }
  process.stdout.write(json ? `${JSON.stringify(result)}\n` : `${JSON.stringify(result, null, 2)}\n`)
  return ok ? 0 : 1
}

try {
  process.exitCode = await main()
} catch (error) {
  const { code, message } = error as { code?: string; message: string }
  if (!(error instanceof UsageError) && !code?.startsWith('ERR_PARSE_ARGS')) throw error
  process.stderr.write(`npm run soak: ${message}\nSee npm run soak -- --help\n`)
  process.exitCode = 2
}
process.exit()
