/**
 * Commands as further killers: each runs in a copy of the project in which source and artifacts are the mutant's, and
 * kills it by failing.
 */
import { spawn } from 'node:child_process'
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join, relative, sep } from 'node:path'
import type { Artifact } from '@nomicfoundation/edr'
import type { Shipped } from './judge.ts'
import type { Mutant } from './mutants.ts'
import type { Project } from './project.ts'

/** A mutant may loop; the original, on a busy machine, should not take that many times as long as before. */
const TIMES_AS_LONG_MAX = 10
const SHORTEST_TIMEOUT_MS = 60_000

/** Not needed to run, or not to be copied. */
const LEFT_OUT = new Set(['.git', 'node_modules', 'coverage'])

export interface Commands {
  /** @returns the first that fails on a mutant, if one does */
  failing(mutant: Mutant, shipped: Shipped): Promise<string | undefined>
  close(): Promise<void>
}

/** @throws when a command fails on the original */
export const openCommands = async (project: Project, commands: readonly string[]): Promise<Commands> => {
  const folder = await mkdtemp(join(tmpdir(), 'chrove-mutant-'))
  const close = () => rm(folder, { recursive: true, force: true })
  try {
    await copyProject(project.root, folder)
    const timeoutsMs = new Map<string, number>()
    for (const command of commands) {
      const startedAtMs = performance.now()
      if ((await run(command, folder)) !== 0) throw new Error(`fails without any mutant: ${command}`)
      const tookMs = performance.now() - startedAtMs
      timeoutsMs.set(command, Math.max(SHORTEST_TIMEOUT_MS, TIMES_AS_LONG_MAX * tookMs))
    }
    return { failing: (mutant, shipped) => failing(project, folder, timeoutsMs, mutant, shipped), close }
  } catch (error) {
    await close()
    throw error
  }
}

const copyProject = async (root: string, folder: string): Promise<void> => {
  await cp(root, folder, {
    recursive: true,
    filter: (from) => !LEFT_OUT.has(relative(root, from).split(sep)[0] ?? ''),
  })
  await symlink(join(root, 'node_modules'), join(folder, 'node_modules'))
}

const failing = async (
  project: Project,
  folder: string,
  timeoutsMs: ReadonlyMap<string, number>,
  mutant: Mutant,
  { content, artifacts }: Shipped,
): Promise<string | undefined> => {
  const files = await filesOf(project, folder, artifacts)
  files.set(join(folder, project.paths.get(mutant.source) ?? ''), content)
  const originals = await replaceAll(files)
  try {
    for (const [command, timeoutMs] of timeoutsMs) if ((await run(command, folder, timeoutMs)) !== 0) return command
    return undefined
  } finally {
    await replaceAll(originals)
  }
}

/** Artifact files that must change, with what they must hold. */
const filesOf = async (
  { paths }: Project,
  folder: string,
  artifacts: readonly Artifact[],
): Promise<Map<string, string>> => {
  const files = new Map<string, string>()
  for (const { id, contract } of artifacts) {
    const source = paths.get(id.source)
    if (source === undefined) continue
    const path = join(folder, 'artifacts', source, `${id.name}.json`)
    const { bytecode, deployedBytecode } = contract
    const artifact = JSON.parse(await readFile(path, 'utf8')) as object
    files.set(path, JSON.stringify({ ...artifact, bytecode, deployedBytecode }, undefined, 2))
  }
  return files
}

/** @returns what the files held before */
const replaceAll = async (files: ReadonlyMap<string, string>): Promise<ReadonlyMap<string, string>> => {
  const before = new Map<string, string>()
  for (const [path, content] of files) {
    before.set(path, await readFile(path, 'utf8'))
    await writeFile(path, content)
  }
  return before
}

/** @returns its exit status; not 0 also when it took too long, with all it started ended */
const run = async (command: string, cwd: string, timeoutMs?: number): Promise<number> => {
  const path = [join(cwd, 'node_modules', '.bin'), process.env['PATH']].join(delimiter)
  const child = spawn(command, {
    cwd,
    shell: true,
    detached: true,
    stdio: 'ignore',
    env: { ...process.env, PATH: path },
  })
  const timer = timeoutMs === undefined ? undefined : setTimeout(() => killGroup(child.pid), timeoutMs)
  const status = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject).once('close', resolve)
  })
  clearTimeout(timer)
  return status ?? 1
}

const killGroup = (pid: number | undefined): void => {
  if (pid !== undefined) process.kill(-pid, 'SIGKILL')
}
