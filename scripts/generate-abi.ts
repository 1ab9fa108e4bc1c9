/**
 * Writes the ABI of each interface in `contracts/` as a typed constant in `protocol/abi/`, so that services and browsers
 * need no build artifacts. With `--check` it writes nothing and exits 1 when a committed file differs.
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import hre from 'hardhat'
import { format } from 'prettier'

const outputs = [
  { contract: 'IVendorRegistry', constant: 'vendorRegistryAbi', file: 'protocol/abi/vendor-registry.ts' },
  { contract: 'IPayments', constant: 'paymentsAbi', file: 'protocol/abi/payments.ts' },
] as const

const formatting = { parser: 'typescript', semi: false, singleQuote: true, printWidth: 120 } as const

const root = join(import.meta.dirname, '..')

/** The text of one generated file, formatted as the rest of the project is. */
async function render(contract: string, constant: string): Promise<string> {
  const { abi } = await hre.artifacts.readArtifact(contract)
  const header = `// Generated from contracts/${contract}.sol by \`node scripts/generate-abi.ts\`. Do not edit.\n\n`
  return format(`${header}export const ${constant} = ${JSON.stringify(abi)} as const`, formatting)
}

/** The committed text, or undefined where there is none. */
async function readCommitted(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

const check = process.argv.includes('--check')
await hre.tasks.getTask('build').run({ quiet: true, noTests: true })

for (const { contract, constant, file } of outputs) {
  const path = join(root, file)
  const generated = await render(contract, constant)
  if ((await readCommitted(path)) === generated) continue
  if (check) {
    process.stderr.write(`${file} differs from contracts/${contract}.sol; run: node scripts/generate-abi.ts\n`)
    process.exitCode = 1
  } else {
    await mkdir(dirname(path), { recursive: true })
    await writeFile(path, generated)
    process.stderr.write(`wrote ${file}\n`)
  }
}
