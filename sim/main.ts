/** `npm run sim`: runs the simulator and tells what it found. */
import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { addTotals, NOTHING, runSeed, unreached, type Failure, type Scenario, type Totals } from './campaign.ts'
import { meteredScenario } from './metered/run.ts'
import { mutants } from './mutants/index.ts'
import { meteredMutants } from './mutants/metered.ts'
import type { Mutant } from './mutants/mutant.ts'
import { parseCase, parseSavedSeeds } from './saved-seeds.ts'
import { marketScenario } from './run.ts'
import { openGround, type Ground } from './world/deployment.ts'
import type { CampaignOptions } from './campaign.ts'

interface SimulatedWorld {
  readonly scenario: Pick<Scenario, 'name' | 'reachable'>
  readonly run: (ground: Ground, seed: number, options: CampaignOptions, path?: string) => Promise<Totals>
  readonly mutants: Readonly<Record<string, Mutant>>
  /** File of cases that once failed. */
  readonly saved: string
}

const worldOf = <Command>(
  scenario: Scenario<Command>,
  rest: Pick<SimulatedWorld, 'mutants' | 'saved'>,
): SimulatedWorld => ({
  ...{ ...rest, scenario },
  run: (...parameters) => runSeed(scenario, ...parameters),
})

const worlds: Readonly<Record<string, SimulatedWorld>> = {
  market: worldOf(marketScenario, { mutants, saved: 'seeds.txt' }),
  gateway: worldOf(meteredScenario, { mutants: meteredMutants, saved: 'gateway-seeds.txt' }),
}

const RUNS = 20
const COMMANDS = 100
const STORY_LINES = 60

const usage = `Usage: npm run sim -- [options]

Runs real services under faults, and checks that no property breaks: a market of vendors, buyers and a directory, or
a gateway with the clients that pay it for each request, both with somebody who means no good. Run n of seed s is the only run of seed s + n - 1. Each is done twice and must do the same.

  --runs N          how many runs (${RUNS})
  --seed S          seed of the first one (1)
  --commands N      commands of each run (${COMMANDS})
  --world NAME      market (what runs unless you say otherwise) or gateway
  --replay CASE     repeat one case: a seed, or seed:path as a failure prints it
  --mutant NAME     put a bug in, to see that it is found; of market: ${Object.keys(mutants).join(', ')};
                    of gateway: ${Object.keys(meteredMutants).join(', ')}
  --once            do each run once, without comparing traces
  --json            one JSON object on standard output
  --help            this text

Examples:
  npm run sim -- --runs 100 --seed 7
  npm run sim -- --world gateway --runs 5 --seed 7
  npm run sim -- --replay 7:0:3 --json
  npm run sim -- --mutant vendor-ignores-cancel --runs 10
`

const options = {
  runs: { type: 'string', default: String(RUNS) },
  seed: { type: 'string', default: '1' },
  commands: { type: 'string', default: String(COMMANDS) },
  world: { type: 'string', default: 'market' },
  replay: { type: 'string' },
  mutant: { type: 'string' },
  once: { type: 'boolean', default: false },
  json: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
} as const

class UsageError extends Error {}

const whole = (name: string, text: string, max: number): number => {
  if (!/^\d{1,10}$/.test(text) || Number(text) > max) throw new UsageError(`--${name} is a whole number up to ${max}`)
  return Number(text)
}

const seconds = (sinceMs: number): number => (performance.now() - sinceMs) / 1000

const main = async (): Promise<number> => {
  const { values } = parseArgs({ options })
  if (values.help) {
    process.stdout.write(usage)
    return 0
  }
  const world = Object.hasOwn(worlds, values.world) ? worlds[values.world] : undefined
  if (!world) throw new UsageError(`--world is ${Object.keys(worlds).join(' or ')}`)
  const runs = whole('runs', values.runs, 10_000_000)
  const seed = whole('seed', values.seed, 2_000_000_000)
  const commands = whole('commands', values.commands, 10_000)
  const repeated = values.replay === undefined ? undefined : parseCase(values.replay)
  if (values.replay !== undefined && !repeated) throw new UsageError('--replay is a seed, or seed:path')
  const mutant = values.mutant === undefined ? undefined : world.mutants[values.mutant]
  if (values.mutant !== undefined && !mutant)
    throw new UsageError(`the world ${values.world} has no mutant ${values.mutant}`)

  const saved = parseSavedSeeds(readFileSync(new URL(world.saved, import.meta.url), 'utf8'))
  const cases = repeated
    ? [{ ...repeated, commands }]
    : [
        ...(mutant ? [] : saved),
        ...Array.from({ length: runs }, (_, index) => ({ seed: seed + index, path: undefined, commands })),
      ]

  const startedMs = performance.now()
  const ground = await openGround()
  let totals = NOTHING
  let stopping = false
  process.once('SIGINT', () => {
    stopping = true
    process.once('SIGINT', () => process.exit(130))
    process.stderr.write('\nstopping after this run; press again to stop at once\n')
  })
  for (const each of cases) {
    if (stopping) break
    const how = { length: each.commands, once: values.once, ...(mutant && { sabotage: mutant.sabotage }) }
    totals = addTotals(totals, await world.run(ground, each.seed, how, each.path))
    tellProgress(totals, cases.length, seconds(startedMs))
  }
  if (process.stderr.isTTY) process.stderr.write('\n')

  const tookSeconds = seconds(startedMs)
  const ok = totals.failures.length === 0
  if (values.json) {
    const { runs: done, failures, reached, virtualSeconds } = totals
    const result = { ok, runs: done, seed, commands: totals.commands, virtualSeconds, failures, reached }
    process.stdout.write(
      `${JSON.stringify({ ...result, unreached: unreached(world.scenario, reached), seconds: tookSeconds })}\n`,
    )
  } else process.stdout.write(report(world, totals, tookSeconds))
  return ok ? 0 : 1
}

const tellProgress = ({ runs, commands, virtualSeconds, failures }: Totals, of: number, took: number): void => {
  const days = (virtualSeconds / 86_400).toFixed(2)
  const rate = (runs / took).toFixed(2)
  const line = `${runs}/${of} runs, ${commands} commands, ${days} virtual days, ${failures.length} failures, ${rate} runs/s`
  // A person sees one line that changes; a file keeps some.
  if (process.stderr.isTTY) process.stderr.write(`\r${line} `)
  else if (runs === of || runs % 10 === 0) process.stderr.write(`${line}\n`)
}

const storyOf = ({ property, message, seed, commands, story, replay }: Failure): string => {
  const shown = story.slice(-STORY_LINES)
  const left = story.length - shown.length
  return [
    `BROKEN: ${property}`,
    `  ${message}`,
    `  seed ${seed}, shrunk to ${commands} commands; what happened:`,
    ...(left > 0 ? [`    … ${left} lines before`] : []),
    ...shown.map((line) => `    ${line}`),
    `  again: ${replay}`,
    '',
  ].join('\n')
}

const report = (
  { scenario }: SimulatedWorld,
  { runs, commands, virtualSeconds, events, failures, reached }: Totals,
  took: number,
): string => {
  const never = unreached(scenario, reached)
  const counts = Object.entries(reached).map(([name, count]) => `  ${String(count).padStart(7)}  ${name}`)
  return [
    ...failures.map(storyOf),
    `${runs} runs, ${commands} commands, ${events} events, ${(virtualSeconds / 86_400).toFixed(2)} virtual days`,
    `in ${took.toFixed(1)} s; ${failures.length} failures.`,
    'Reached:',
    ...counts,
    `Never reached: ${never.length === 0 ? 'nothing' : never.join('; ')}.`,
    '',
  ].join('\n')
}

try {
  process.exitCode = await main()
} catch (error) {
  const { code, message } = error as { code?: string; message: string }
  if (!(error instanceof UsageError) && !code?.startsWith('ERR_PARSE_ARGS')) throw error
  process.stderr.write(`npm run sim: ${message}\nSee npm run sim -- --help\n`)
  process.exitCode = 2
}
process.exit()
