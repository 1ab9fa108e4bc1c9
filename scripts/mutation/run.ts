/** One run from the sources to the summary: lists mutants, judges those asked for, holds survivors against explanations. */
import { join } from 'node:path'
import type { HardhatRuntimeEnvironment } from 'hardhat/types/hre'
import { openCommands } from './commands.ts'
import { openCompiler } from './compiler.ts'
import { compare, type Judged, readExplanations } from './explanations.ts'
import { type Bench, type Fate, judge, listMutants, type OnFate, ship } from './judge.ts'
import { type Mutant, nameOf } from './mutants.ts'
import { loadProject } from './project.ts'
import { keyOf, openRecord } from './record.ts'
import { summarize, type Summary } from './report.ts'
import { openSuite } from './suite.ts'

export const EXPLANATIONS = 'contracts/mutation-survivors.json'
export const RECORD = 'cache/mutation.jsonl'

export interface Options {
  /** Ends of paths of sources; all where empty. */
  readonly only: readonly string[]
  /** Functions, or `Contract.function`; all where empty. */
  readonly functions: readonly string[]
  /** Must fail too on what survives the tests and is not explained, else it has survived. */
  readonly commands: readonly string[]
  readonly resume: boolean
}

/** @param onProgress told of all that are judged, of how many there are, and of how many an earlier run judged */
export type OnProgress = (judged: readonly Judged[], all: number, known: number) => void

export const run = async (
  hre: HardhatRuntimeEnvironment,
  options: Options,
  onProgress: OnProgress,
): Promise<Summary> => {
  const { root } = hre.config.paths
  const explanations = await readExplanations(join(root, EXPLANATIONS))
  const project = await loadProject(hre)
  await using resources = new AsyncDisposableStack()
  const compiler = resources.adopt(openCompiler(), (each) => each.close())
  const bench = { project, compiler, suite: await openSuite(project) }

  const isChosen = chooser(options, project.paths)
  const [mutants, others] = partition(await listMutants(bench), isChosen)
  const record = await openRecord(join(root, RECORD), keyOf(project), options.resume)
  const fates = new Map<Mutant, Fate>()
  for (const mutant of mutants) {
    const fate = record.known(mutant)
    if (fate) fates.set(mutant, fate)
  }
  const known = fates.size
  const inOrder = (): readonly Judged[] =>
    mutants.flatMap((mutant) => {
      const fate = fates.get(mutant)
      return fate ? [{ mutant, fate }] : []
    })
  const onFate: OnFate = (mutant, fate) => {
    fates.set(mutant, fate)
    onProgress(inOrder(), mutants.length, known)
  }

  const unjudged = mutants.filter((mutant) => !fates.has(mutant))
  await judge(bench, unjudged, (mutant, fate) => {
    record.add(mutant, fate)
    onFate(mutant, fate)
  })
  // Of what was not asked for, nothing is known.
  const names = new Set(others.map(nameOf))
  const concerned = explanations.filter((each) => !names.has(nameOf(each)))
  await judgeByCommands(bench, options.commands, compare(inOrder(), concerned).unexplained, onFate)
  return summarize(inOrder(), compare(inOrder(), concerned), project.paths)
}

const chooser =
  ({ only, functions }: Options, paths: ReadonlyMap<string, string>) =>
  ({ source, contract, member }: Mutant): boolean =>
    (only.length === 0 || only.some((file) => `/${paths.get(source)}`.endsWith(`/${file}`))) &&
    (functions.length === 0 || functions.some((name) => name === member || name === `${contract}.${member}`))

const partition = <T>(items: readonly T[], accepts: (item: T) => boolean): readonly [readonly T[], readonly T[]] => [
  items.filter(accepts),
  items.filter((item) => !accepts(item)),
]

const judgeByCommands = async (
  bench: Bench,
  commands: readonly string[],
  survivors: readonly Mutant[],
  onFate: OnFate,
): Promise<void> => {
  if (commands.length === 0 || survivors.length === 0) return
  await using resources = new AsyncDisposableStack()
  const { failing } = resources.adopt(await openCommands(bench.project, commands), (each) => each.close())
  for (const mutant of survivors) {
    const by = await failing(mutant, await ship(bench, mutant))
    if (by !== undefined) onFate(mutant, { kind: 'killed', by })
  }
}
