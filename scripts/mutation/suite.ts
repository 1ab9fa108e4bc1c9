/** Hardhat's Solidity test runner in this process, on whatever bytecode it is given. */
import {
  type Artifact,
  EdrContext,
  L1_CHAIN_TYPE,
  l1GenesisState,
  l1HardforkFromString,
  l1SolidityTestRunnerFactory,
  type SolidityTestRunnerConfigArgs,
  type SuiteResult,
  TestStatus,
} from '@nomicfoundation/edr'
import type { Project } from './project.ts'
import { takingTurns } from './turns.ts'

/** How much is run: the quicker ones find most, so that the slower ones are seldom needed. */
export type Effort = 'quick' | 'thorough' | 'full'

export interface Suite {
  /** @returns names of the tests that fail, sorted */
  failing(artifacts: readonly Artifact[], effort: Effort): Promise<readonly string[]>
}

const QUICK_FUZZ_RUNS = 16
const INVARIANT_RUNS = { thorough: 8, full: 32 } as const

/** What the invariants' handler reaches is a matter of the handler's, and needs more gas than all other tests. */
const ABOUT_THE_HANDLER = 'test_HandlerReaches'
const INVARIANTS = 'invariant|statefulFuzz'

/**
 * Of one test, that a mutant which loops forever fails soon; a hundred times what the dearest of ours needs, and enough to
 * deploy a source with hundreds of mutants in it.
 */
const GAS = 1n << 29n

const settingsOf = (testing: SolidityTestRunnerConfigArgs, effort: Effort): SolidityTestRunnerConfigArgs => {
  const { fuzz = {}, invariant = {} } = testing
  const fuzzRuns = fuzz.runs ?? 256
  return {
    ...testing,
    gasLimit: GAS,
    localPredeploys: l1GenesisState(l1HardforkFromString(testing.hardfork)),
    excludeTestPattern: `^(${effort === 'quick' ? `${INVARIANTS}|` : ''}${ABOUT_THE_HANDLER})`,
    fuzz: { ...fuzz, runs: effort === 'quick' ? Math.min(fuzzRuns, QUICK_FUZZ_RUNS) : fuzzRuns },
    invariant: {
      ...invariant,
      ...(effort !== 'quick' && { runs: Math.min(invariant.runs ?? 256, INVARIANT_RUNS[effort]) }),
      // That it fails is all that is asked.
      shrinkRunLimit: 0,
    },
  }
}

let opened: Promise<EdrContext> | undefined

/** A process may have one only. */
const openEdr = (): Promise<EdrContext> =>
  (opened ??= (async () => {
    const edr = new EdrContext()
    await edr.registerSolidityTestRunnerFactory(L1_CHAIN_TYPE, l1SolidityTestRunnerFactory())
    return edr
  })())

/** Runs take turns: each by itself uses all processors. */
export const openSuite = async (project: Project): Promise<Suite> => {
  const edr = await openEdr()
  const run = async (artifacts: readonly Artifact[], effort: Effort): Promise<readonly string[]> => {
    const failing: string[] = []
    const settings = settingsOf(project.testing, effort)
    const waiting = new Set(project.suites.map(({ source, name }) => `${source}:${name}`))
    await new Promise<void>((resolve, reject) => {
      const onSuite = ({ id: { source, name }, testResults }: SuiteResult) => {
        for (const { name: test, status } of testResults)
          if (status === TestStatus.Failure) failing.push(`${name}.${test}`)
        waiting.delete(`${source}:${name}`)
        if (waiting.size === 0) resolve()
      }
      edr
        .runSolidityTests(L1_CHAIN_TYPE, [...artifacts], [...project.suites], settings, { buildInfos: [] }, onSuite)
        .catch(reject)
    })
    return failing.toSorted()
  }
  return { failing: takingTurns(run) }
}
