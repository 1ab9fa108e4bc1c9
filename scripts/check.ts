/**
 * All checks of the sources, in one command.
 *
 *   npm run check                     every check; fails when one does
 *   npm run check -- --only types     the named ones; may be repeated
 *   npm run check -- --fix            those that can put things right do so
 *   npm run check -- --json           one JSON object on standard output
 */
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { type Check, type Result, runChecks } from './check/run.ts'

const root = fileURLToPath(new URL('..', import.meta.url))

/** Those that write first, then the slowest, so that the short ones fill the gaps. */
const checks: readonly Check[] = [
  {
    name: 'abi',
    command: ['node', 'scripts/generate-abi.ts', '--check'],
    fix: ['node', 'scripts/generate-abi.ts'],
    // It builds the contracts, and with them the types that tsc reads.
    writes: true,
  },
  {
    name: 'snapshots',
    command: ['node', 'scripts/snapshot-contracts.ts', '--check'],
    fix: ['node', 'scripts/snapshot-contracts.ts'],
    writes: true,
  },
  {
    name: 'schema',
    command: ['node', 'scripts/check/schema.ts'],
    fix: ['node', 'scripts/check/schema.ts', '--fix'],
  },
  { name: 'format', command: ['prettier', '--check', '.'], fix: ['prettier', '--write', '--log-level=warn', '.'] },
  {
    name: 'documents',
    command: ['node', 'scripts/check/documents.ts'],
    fix: ['node', 'scripts/check/documents.ts', '--fix'],
  },
  { name: 'types', command: ['tsc', '--project', 'tsconfig.json'] },
  { name: 'lint', command: ['oxlint', '.'], fix: ['oxlint', '--fix', '.'] },
  { name: 'unused', command: ['knip'] },
  { name: 'lockfile', command: ['node', 'scripts/check/lockfile.ts'] },
  { name: 'solidity', command: ['solhint', '--disc', '--noPoster', '--max-warnings=0', 'contracts/**/*.sol'] },
]

const { values: options } = parseArgs({
  options: {
    only: { type: 'string', multiple: true, default: [] },
    fix: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
})

const unknown = options.only.find((name) => !checks.some((check) => check.name === name))
if (unknown !== undefined) {
  process.stderr.write(`no check is named ${unknown}; there are ${checks.map(({ name }) => name).join(', ')}\n`)
  process.exit(2)
}

const show = ({ name, ok, durationMs, output }: Result) => {
  process.stdout.write(`${ok ? 'ok  ' : 'FAIL'} ${name.padEnd(9)} ${(durationMs / 1000).toFixed(1).padStart(5)} s\n`)
  if (!ok) process.stdout.write(`${output.trimEnd()}\n\n`)
}

const chosen = checks.filter(({ name }) => options.only.length === 0 || options.only.includes(name))
const results = await runChecks(chosen, root, options.fix, options.json ? () => {} : show)
const ok = results.every((result) => result.ok)
if (options.json) process.stdout.write(`${JSON.stringify({ ok, checks: results })}\n`)
process.exitCode = ok ? 0 : 1
