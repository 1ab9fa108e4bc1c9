/**
 * Many runs: fast-check draws the commands of each from its seed, every run is done twice and must leave the same
 * trace, and one that breaks a property is shrunk to the fewest commands that still break it.
 */
import fc from 'fast-check'
import type { Outcome } from './outcome.ts'
import { firstDifference } from './trace.ts'
import type { Ground } from './world/deployment.ts'
import { addReached, type Reachable, type Reached } from './world/reached.ts'
import type { Breach, Sabotage } from './world/world.ts'

/** A kind of world, with what can happen in it. */
export interface Scenario<Command = never> {
  readonly name: string
  readonly commandList: (length: number) => fc.Arbitrary<readonly Command[]>
  readonly run: (ground: Ground, plan: Plan<Command>, sabotage: Sabotage) => Promise<Outcome>
  /** What its runs should come by. */
  readonly reachable: readonly Reachable[]
}

export interface Plan<Command> {
  readonly seed: number
  readonly commands: readonly Command[]
}

export interface Failure extends Breach {
  readonly seed: number
  /** Of fast-check: which shrunk case of the seed this is. */
  readonly path: string
  /** Commands that are left. */
  readonly commands: number
  /** The command line that repeats it. */
  readonly replay: string
  readonly story: readonly string[]
}

export interface Totals {
  readonly runs: number
  readonly commands: number
  readonly virtualSeconds: number
  readonly events: number
  readonly failures: readonly Failure[]
  readonly reached: Reached
}

export interface CampaignOptions {
  /** Commands of each run. */
  readonly length: number
  readonly sabotage?: Sabotage
  /** Runs that shrinking may take. */
  readonly shrinkRunsMax?: number
  /** Run each seed once only, without comparing traces. */
  readonly once?: boolean
}

export const NOTHING: Totals = { runs: 0, commands: 0, virtualSeconds: 0, events: 0, failures: [], reached: {} }

const SHRINK_RUNS_MAX = 40

/** What was never reached. */
export const unreached = ({ reachable }: Pick<Scenario, 'reachable'>, reached: Reached): readonly Reachable[] =>
  reachable.filter((name) => !reached[name])

class Broken extends Error {
  readonly outcome: Outcome
  readonly breach: Breach
  constructor(outcome: Outcome, breach: Breach) {
    super(breach.message)
    this.outcome = outcome
    this.breach = breach
  }
}

/** Runs one case, twice; tells what broke. */
const attempt = async <Command>(
  { run }: Scenario<Command>,
  ground: Ground,
  plan: Plan<Command>,
  { sabotage = {}, once = false }: CampaignOptions,
): Promise<{ readonly outcome: Outcome; readonly breach: Breach | undefined }> => {
  const outcome = await run(ground, plan, sabotage)
  if (outcome.breach || once) return { outcome, breach: outcome.breach }
  const again = await run(ground, plan, sabotage)
  const difference = firstDifference(outcome.trace, again.trace)
  return {
    outcome,
    breach: difference === undefined ? undefined : { property: 'a seed does the same twice', message: difference },
  }
}

/**
 * Runs one seed, or one shrunk case of it.
 * @param path of a failure that was found before
 */
export const runSeed = async <Command>(
  scenario: Scenario<Command>,
  ground: Ground,
  seed: number,
  options: CampaignOptions,
  path?: string,
): Promise<Totals> => {
  let totals = NOTHING
  let broken: Broken | undefined
  let attempts = 0
  const property = fc.asyncProperty(scenario.commandList(options.length), async (commands) => {
    // fast-check goes on to the neighbours of a case that is repeated.
    if (path !== undefined && attempts > 0) return
    // Shrinking ends here: what was found by then is small enough to read.
    if (broken && attempts >= (options.shrinkRunsMax ?? SHRINK_RUNS_MAX)) return
    attempts++
    const { outcome, breach } = await attempt(scenario, ground, { seed, commands }, options)
    if (!broken) totals = count(totals, outcome)
    // Another property that a smaller case breaks is another failure.
    if (!breach || (broken && broken.breach.property !== breach.property)) return
    broken = new Broken(outcome, breach)
    throw broken
  })
  const details = await fc.check(property, {
    seed,
    numRuns: 1,
    ...(path !== undefined && { path, endOnFailure: true }),
  })
  if (!details.failed) return totals
  if (!broken) throw new Error('a case failed for another reason than a property', { cause: details.errorInstance })
  const { outcome, breach } = broken
  const foundPath = details.counterexamplePath ?? ''
  const [commands = []] = details.counterexample ?? []
  const failure: Failure = {
    seed,
    path: foundPath,
    commands: commands.length,
    ...breach,
    replay: `npm run sim -- --world ${scenario.name} --replay ${seed}:${foundPath} --commands ${options.length}`,
    story: outcome.story,
  }
  return { ...totals, failures: [failure] }
}

const count = (totals: Totals, { commands, virtualSeconds, events, reached }: Outcome): Totals => ({
  ...totals,
  runs: totals.runs + 1,
  commands: totals.commands + commands,
  virtualSeconds: totals.virtualSeconds + virtualSeconds,
  events: totals.events + events,
  reached: addReached(totals.reached, reached),
})

export const addTotals = (a: Totals, b: Totals): Totals => ({
  runs: a.runs + b.runs,
  commands: a.commands + b.commands,
  virtualSeconds: a.virtualSeconds + b.virtualSeconds,
  events: a.events + b.events,
  failures: [...a.failures, ...b.failures],
  reached: addReached(a.reached, b.reached),
})
