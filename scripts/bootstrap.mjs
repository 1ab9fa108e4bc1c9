/**
 * Makes a checkout ready to run: dependencies installed under Node 24, native parts loaded once, contracts built.
 * A `pre…` hook of npm calls it, so it is plain JavaScript for any Node from 18 on, needs no package, finds out within
 * milliseconds that nothing is left to do, and says everything on standard error: standard output belongs to the
 * command that follows.
 *
 * npm run by an old Node leaves out optional packages whose `engines` ask for a newer one, native parts among them, and
 * calls the install good. Hence npm is run by Node 24, which npx brings.
 */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { acquireLock } from './bootstrap/lock.mjs'
import { explain, Failure, run, say } from './bootstrap/run.mjs'
import { contractsHash, dependenciesHash, forgetRecord, readRecord, writeRecord } from './bootstrap/record.mjs'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const inModules = (...parts) => join(root, 'node_modules', ...parts)
const projectNode = inModules('.bin', 'node')

const needsDependencies = () => readRecord(root).dependencies !== dependenciesHash(root) || !existsSync(projectNode)

const needsContracts = () =>
  readRecord(root).contracts !== contractsHash(root) ||
  !existsSync(join(root, 'artifacts')) ||
  !existsSync(join(root, 'types', 'ethers-contracts'))

/** Opens both native parts as the project does: a wrong build fails on loading, not on installing. */
const loadNativeParts = `
  const { default: Database } = await import('better-sqlite3')
  new Database(':memory:').close()
  await import('@nomicfoundation/edr')
`

const installDependencies = async (lock) => {
  const wanted = dependenciesHash(root)
  await run('npx', ['--version'], {
    cwd: root,
    lock,
    quiet: true,
    missing: 'npm is not installed. Install Node with npm.',
  })
  say('installing dependencies (once; a minute or two)')
  forgetRecord(root)
  // From elsewhere, for npx would take a node package of this folder, however broken, for the Node it is asked for.
  const elsewhere = mkdtempSync(join(tmpdir(), 'chrove-set-up-'))
  process.on('exit', () => rmSync(elsewhere, { recursive: true, force: true }))
  writeFileSync(join(elsewhere, 'package.json'), '{}')
  // Not `npm ci`: it refuses a lockfile without the native packages of every other platform, and a registry need not
  // have them all. Without saving, what the lockfile fixes is what is installed, and the lockfile stays as it is.
  const install = 'cd "$CHROVE_ROOT" && npm install --no-save --include=dev --no-audit --no-fund --loglevel=warn'
  const npx = ['--yes', '--loglevel=error', '--package=node@24', '--call', install]
  await run('npx', npx, { cwd: elsewhere, environment: { CHROVE_ROOT: root }, lock })
  if (!existsSync(projectNode)) {
    throw new Failure(
      'npm left Node 24 out. If `npm config get ignore-scripts` says true, run `npm config set ignore-scripts false`.',
    )
  }
  await run(projectNode, ['--input-type=module', '--eval', loadNativeParts], {
    cwd: root,
    lock,
    advice: `A native part does not load on ${process.platform}-${process.arch}. It needs glibc (Debian, Ubuntu, Fedora) \
or macOS, and optional packages allowed: \`npm config get omit\` must not name optional.`,
  })
  writeRecord(root, { dependencies: wanted })
}

const buildContracts = async (lock) => {
  const wanted = contractsHash(root)
  say('building contracts')
  await run(projectNode, [inModules('.bin', 'hardhat'), 'build'], {
    cwd: root,
    lock,
    advice: 'The contracts do not build; the compiler says why above.',
  })
  writeRecord(root, { ...readRecord(root), contracts: wanted })
}

const setUp = async () => {
  if (Number(process.versions.node.split('.')[0]) < 18) {
    throw new Failure(`Node ${process.versions.node} is too old. Install Node 18 or later.`)
  }
  if (!needsDependencies() && !needsContracts()) return
  const startedAtMs = Date.now()
  const lock = await acquireLock(join(root, '.setup-lock'), () => say('waiting for another set-up to finish'))
  try {
    if (needsDependencies()) await installDependencies(lock)
    if (needsContracts()) await buildContracts(lock)
  } finally {
    lock.release()
  }
  say(`ready after ${Math.round((Date.now() - startedAtMs) / 1000)} s`)
}

try {
  await setUp()
} catch (error) {
  const advice = error instanceof Failure ? error.message : explain(String(error.code))
  if (advice === undefined) throw error
  say(`set-up failed. ${advice}`)
  process.exitCode = 1
}
