/**
 * Judges mutants. Those that can be switched are compiled many at a time, fast, and most are killed so. What is left is
 * compiled by itself as it would ship: the same bytecode as the original makes it equivalent; otherwise all tests run
 * on exactly that bytecode, and only what they let pass has survived.
 */
import type { Artifact } from '@nomicfoundation/edr'
import { type Compiler, errorsOf, type Input, type Output } from './compiler.ts'
import { mutated, type Mutant, mutantsOf } from './mutants.ts'
import type { Project } from './project.ts'
import type { Suite } from './suite.ts'
import { isSwitchable, type Stretch, type Switchable, switched, withNumber } from './switches.ts'
import { fromBytes, toBytes } from './tree.ts'

export type Fate =
  { readonly kind: 'killed'; readonly by: string } | { readonly kind: 'survived' | 'equivalent' | 'uncompilable' }

export interface Bench {
  readonly project: Project
  readonly compiler: Compiler
  readonly suite: Suite
}

const ASTS = { '*': { '': ['ast'] } }
const CHECKED = { '*': { '*': ['abi'] } }
const CODE = ['evm.bytecode.object', 'evm.deployedBytecode.object']

/** Through the intermediate language, as contracts may need it for their stack, but with no step to optimize it. */
const fast = {
  viaIR: true,
  optimizer: {
    enabled: true,
    details: {
      ...{ peephole: false, inliner: false, jumpdestRemover: false, orderLiterals: false, deduplicate: false },
      ...{ cse: false, constantOptimizer: false, yul: true },
      yulDetails: { stackAllocation: true, optimizerSteps: ':' },
    },
  },
  metadata: { bytecodeHash: 'none' },
}

const withSettings = (input: Input, settings: Input['settings']): Input => ({
  ...input,
  settings: { ...input.settings, ...settings },
})

const withSource = (input: Input, name: string, content: string): Input => ({
  ...input,
  sources: { ...input.sources, [name]: { content } },
})

const sourceOf = ({ input }: Project, name: string): string => input.sources[name]?.content ?? ''

/** All mutants of the project, by source. */
export const listMutants = async ({ project, compiler }: Bench): Promise<readonly Mutant[]> => {
  const parsed = await compiler.compile(() => withSettings(project.input, { outputSelection: ASTS }))
  return [...project.paths.keys()].flatMap((name) => {
    const tree = parsed.sources?.[name]?.ast
    return tree ? mutantsOf(name, tree, toBytes(sourceOf(project, name))) : []
  })
}

/** Tells what became of a mutant. */
export type OnFate = (mutant: Mutant, fate: Fate) => void

/**
 * Judges each mutant once.
 * @throws when tests fail without any mutant
 */
export const judge = async (bench: Bench, mutants: readonly Mutant[], onFate: OnFate): Promise<void> => {
  const original = await compileAsShipped(bench, bench.project.input)
  const failing = await bench.suite.failing(bench.project.artifacts, 'full')
  if (failing.length > 0) throw new Error(`tests fail without any mutant: ${failing.join(', ')}`)
  const bySource = [...Map.groupBy(mutants.filter(isSwitchable), ({ source }) => source).values()]
  const left = await Promise.all(bySource.map((group) => judgeTogether(bench, group, onFate)))
  const alone = [...mutants.filter((mutant) => !isSwitchable(mutant)), ...left.flat()]
  await Promise.all(alone.map(async (mutant) => onFate(mutant, await judgeAlone(bench, original, mutant))))
}

const halves = <T>(items: readonly T[]): readonly [readonly T[], readonly T[]] => {
  const half = Math.ceil(items.length / 2)
  return [items.slice(0, half), items.slice(half)]
}

/** @returns those not killed */
const judgeTogether = async (
  bench: Bench,
  mutants: readonly Switchable[],
  onFate: OnFate,
): Promise<readonly Mutant[]> => {
  const [together, apart] = await separate(bench, mutants)
  if (together.length === 0) return apart
  const artifactsOf = await compileTogether(bench, together)
  if (!artifactsOf) {
    if (together.length === 1) return mutants
    const parts = halves(together).map((half) => judgeTogether(bench, half, onFate))
    return [...apart, ...(await Promise.all(parts)).flat()]
  }
  const left: Mutant[] = [...apart]
  const find = await killerOf(bench, artifactsOf(0))
  for (const [at, mutant] of together.entries()) {
    const by = await find(artifactsOf(at + 1))
    if (by === undefined) left.push(mutant)
    else onFate(mutant, { kind: 'killed', by })
  }
  return left
}

/** @returns those that compile beside their originals, and the others */
export const separate = async (
  bench: Bench,
  mutants: readonly Switchable[],
): Promise<readonly [readonly Switchable[], readonly Switchable[]]> => {
  const [first] = mutants
  if (!first) return [[], []]
  const source = toBytes(sourceOf(bench.project, first.source))
  const { text, stretches } = switched(source, mutants)
  const input = withSource(bench.project.input, first.source, fromBytes(text))
  const errors = errorsOf(await bench.compiler.compile(() => withSettings(input, { outputSelection: CHECKED })))
  if (errors.length === 0) return [mutants, []]
  if (mutants.length === 1) return [[], mutants]
  const isIn = ({ start, end }: Stretch) =>
    errors.some(({ sourceLocation: at }) => at?.file === first.source && at.start >= start && at.end <= end)
  const blamed = new Set(stretches.filter(isIn).map(({ mutant }) => mutant))
  // An error may show elsewhere, where a variable was left unassigned, say; then halving finds its cause.
  const parts = blamed.size === 0 ? halves(mutants) : [mutants.filter((mutant) => !blamed.has(mutant))]
  const separated = await Promise.all(parts.map((part) => separate(bench, part)))
  return [separated.flatMap(([together]) => together), [...blamed, ...separated.flatMap(([, apart]) => apart)]]
}

/**
 * Compiles mutants of one source beside their originals.
 * @returns the artifacts in which the nth is on, none for 0; undefined where that is too much code, or too deep
 */
export const compileTogether = async (
  { project, compiler }: Bench,
  mutants: readonly Switchable[],
): Promise<((number: number) => readonly Artifact[]) | undefined> => {
  const output = await compiler.compile(() => {
    const name = mutants[0]?.source ?? ''
    const { text } = switched(toBytes(sourceOf(project, name)), mutants)
    const input = withSource(project.input, name, fromBytes(text))
    return withSettings(input, { ...fast, outputSelection: selectionOf(project) })
  })
  if (errorsOf(output).length > 0) return undefined
  return (number) => artifactsWith(project, output, (code) => withNumber(linked(code), number))
}

/** Code without optimization names libraries whose functions it holds itself and never calls elsewhere. */
const linked = (code: string): string => code.replaceAll(/__\$[0-9a-f]{34}\$__/g, '0'.repeat(40))

const selectionOf = ({ contracts }: Project): Record<string, Record<string, string[]>> => {
  const selection: Record<string, Record<string, string[]>> = {}
  for (const { source, name } of contracts) selection[source] = { ...selection[source], [name]: CODE }
  return selection
}

/** The artifacts of the project with other bytecode for the contracts. */
const artifactsWith = ({ artifacts }: Project, output: Output, change: (code: string) => string): readonly Artifact[] =>
  artifacts.map((artifact) => {
    const evm = output.contracts?.[artifact.id.source]?.[artifact.id.name]?.evm
    if (!evm) return artifact
    const { bytecode, deployedBytecode } = evm
    return {
      ...artifact,
      contract: {
        ...artifact.contract,
        bytecode: `0x${change(bytecode.object)}`,
        deployedBytecode: `0x${change(deployedBytecode.object)}`,
        linkReferences: {},
        deployedLinkReferences: {},
      },
    }
  })

const efforts = ['quick', 'thorough'] as const

/** @returns what tells the first test that fails on a mutant; tests that fail on the original do not count */
const killerOf = async ({ suite }: Bench, original: readonly Artifact[]) => {
  const failingAnyway = new Map(
    await Promise.all(efforts.map(async (effort) => [effort, await suite.failing(original, effort)] as const)),
  )
  return async (mutant: readonly Artifact[]): Promise<string | undefined> => {
    for (const effort of efforts) {
      const failing = await suite.failing(mutant, effort)
      const by = failing.find((test) => !failingAnyway.get(effort)?.includes(test))
      if (by !== undefined) return by
    }
    return undefined
  }
}

/** But for the hash of the sources, which would make each mutant differ. */
const compileAsShipped = ({ project, compiler }: Bench, input: Input): Promise<Output> =>
  compiler.compile(() => {
    const metadata = { ...(input.settings['metadata'] as object | undefined), bytecodeHash: 'none' }
    return withSettings(input, { metadata, outputSelection: selectionOf(project) })
  })

/** A mutant as it would ship. */
export interface Shipped {
  readonly content: string
  readonly output: Output
  readonly artifacts: readonly Artifact[]
}

export const ship = async (bench: Bench, mutant: Mutant): Promise<Shipped> => {
  const { project } = bench
  const content = fromBytes(mutated(mutant, toBytes(sourceOf(project, mutant.source))))
  const output = await compileAsShipped(bench, withSource(project.input, mutant.source, content))
  return { content, output, artifacts: artifactsWith(project, output, (code) => code) }
}

const judgeAlone = async (bench: Bench, original: Output, mutant: Mutant): Promise<Fate> => {
  const { output, artifacts } = await ship(bench, mutant)
  if (errorsOf(output).length > 0) return { kind: 'uncompilable' }
  if (JSON.stringify(output.contracts) === JSON.stringify(original.contracts)) return { kind: 'equivalent' }
  for (const effort of ['quick', 'full'] as const) {
    const [by] = await bench.suite.failing(artifacts, effort)
    if (by !== undefined) return { kind: 'killed', by }
  }
  return { kind: 'survived' }
}
