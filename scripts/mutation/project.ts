/** What the build made of the contracts and of their tests, as the compiler and the test runner take it. */
import { globSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  type Artifact,
  type ArtifactId,
  FsAccessPermission,
  type SolidityTestRunnerConfigArgs,
} from '@nomicfoundation/edr'
import type { HardhatRuntimeEnvironment } from 'hardhat/types/hre'
import type { Input } from './compiler.ts'

export interface Project {
  readonly root: string
  /** What ships: all sources, dependencies included, with their settings. */
  readonly input: Input
  /** Sources that may be mutated: name in the input to path from the root. */
  readonly paths: ReadonlyMap<string, string>
  /** Of contracts and tests. */
  readonly artifacts: readonly Artifact[]
  /** Contracts that can be deployed and might hold mutated code. */
  readonly contracts: readonly ArtifactId[]
  readonly suites: readonly ArtifactId[]
  readonly testing: SolidityTestRunnerConfigArgs
}

interface ArtifactFile {
  readonly contractName: string
  readonly sourceName: string
  readonly inputSourceName: string
  readonly buildInfoId: string
  readonly abi: readonly { readonly type: string; readonly name?: string }[]
  readonly bytecode: string
  readonly deployedBytecode: string
  readonly linkReferences: object
  readonly deployedLinkReferences: object
}

interface BuildInfo {
  readonly solcVersion: string
  readonly userSourceNameMap: Readonly<Record<string, string>>
  readonly input: Input
}

/** Folder and suffix of what is there for tests only. */
const TESTS = /^contracts\/test\/|\.t\.sol$/

const readJson = async (path: string): Promise<unknown> => JSON.parse(await readFile(path, 'utf8'))

/** Builds contracts and tests where that is due, and reads the results. */
export const loadProject = async (hre: HardhatRuntimeEnvironment): Promise<Project> => {
  await hre.tasks.getTask('build').run({ quiet: true, noTests: true })
  await hre.tasks.getTask('build').run({ quiet: true, noContracts: true })
  const [shipped, tests] = await Promise.all([loadBuild(hre, 'contracts'), loadBuild(hre, 'tests')])
  const paths = new Map(
    shipped.infos
      .flatMap(({ userSourceNameMap }) => Object.entries(userSourceNameMap))
      .filter(([path, name]) => name.startsWith('project/') && !TESTS.test(path))
      .map(([path, name]) => [name, path] as const)
      .toSorted(([, left], [, right]) => (left < right ? -1 : 1)),
  )
  const suites = tests.files.filter(isSuite)
  const testing = testingOf(hre, suites)
  const [version = ''] = shipped.infos.map(({ solcVersion }) => solcVersion)
  const toId = ({ contractName: name, inputSourceName: source }: ArtifactFile) => ({
    name,
    source,
    solcVersion: version,
  })
  const toArtifact = (file: ArtifactFile) =>
    ({ id: toId(file), contract: { ...file, abi: JSON.stringify(file.abi) } }) as unknown as Artifact
  return {
    root: hre.config.paths.root,
    input: joined(shipped.infos.map(({ input }) => input)),
    paths,
    artifacts: [...shipped.files, ...tests.files].map(toArtifact),
    contracts: shipped.files
      .filter(({ bytecode, inputSourceName }) => bytecode !== '0x' && paths.has(inputSourceName))
      .map(toId),
    suites: suites.map(toId),
    testing,
  }
}

const loadBuild = async (
  hre: HardhatRuntimeEnvironment,
  scope: 'contracts' | 'tests',
): Promise<{ readonly files: readonly ArtifactFile[]; readonly infos: readonly BuildInfo[] }> => {
  const folder = await hre.solidity.getArtifactsDirectory(scope)
  const names = globSync('**/*.json', { cwd: folder, exclude: ['build-info'] }).toSorted()
  const files = await Promise.all(names.map(async (name) => (await readJson(join(folder, name))) as ArtifactFile))
  const ids = [...new Set(files.map(({ buildInfoId }) => buildInfoId))]
  const infos = await Promise.all(
    ids.map(async (id) => (await readJson(join(folder, 'build-info', `${id}.json`))) as BuildInfo),
  )
  return { files, infos }
}

/** A build after a change compiles what changed by itself; together the inputs are the whole. */
const joined = (inputs: readonly Input[]): Input => {
  const [first] = inputs
  if (!first) throw new Error('there are no contracts')
  if (new Set(inputs.map(({ settings }) => JSON.stringify(settings))).size > 1) {
    throw new Error('contracts are built with several settings, and mutants know of one: delete artifacts/ and cache/')
  }
  return { ...first, sources: Object.assign({}, ...inputs.map(({ sources }) => sources)) as Input['sources'] }
}

const isSuite = ({ bytecode, abi }: ArtifactFile): boolean =>
  bytecode !== '0x' && abi.some(({ type, name }) => type === 'function' && /^(test|invariant)/.test(name ?? ''))

/** As Hardhat's own task sets the runner. */
const testingOf = (
  { config }: HardhatRuntimeEnvironment,
  suites: readonly ArtifactFile[],
): SolidityTestRunnerConfigArgs => {
  const { root } = config.paths
  const { fuzz, invariant, rpcCachePath, fsPermissions = {} } = config.test.solidity.profiles['default'] ?? {}
  const { hardfork } = config.networks['default'] as { readonly hardfork: string }
  return {
    projectRoot: root,
    hardfork,
    ...(fuzz && { fuzz }),
    ...(invariant && { invariant }),
    ...(rpcCachePath !== undefined && { rpcCachePath }),
    fsPermissions: Object.entries(fsPermissions as Record<string, readonly string[]>).flatMap(([kind, allowed]) => {
      const access = FsAccessPermission[`${kind[0]?.toUpperCase()}${kind.slice(1)}` as keyof typeof FsAccessPermission]
      return allowed.map((path) => ({ access, path }))
    }),
    disableBlockGasLimit: true,
    disableTransactionGasCap: true,
    testSourcePaths: Object.fromEntries(
      suites.map(({ inputSourceName, sourceName }) => [inputSourceName, join(root, sourceName)]),
    ),
  }
}
