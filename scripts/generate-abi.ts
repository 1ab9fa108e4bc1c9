/**
 * Writes the ABI of each interface in `contracts/` as a typed constant in `protocol/abi/`, so that services and browsers
 * need no build artifacts, and decoders for what the ABIs encode. With `--check` it writes nothing and exits 1 when a
 * committed file differs.
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import hre from 'hardhat'
import { format } from 'prettier'
import type { AbiEntry } from '../chain/abi.ts'
import { languageAbi } from '../chain/language-abi.ts'
import { tokenAbi } from '../chain/token-abi.ts'
import { type DecoderPlan, renderDecoders } from './generate/decoders.ts'

type Abi = readonly AbiEntry[]

interface Output {
  /** What it is made of, as people know it. */
  readonly source: string
  readonly file: string
  /** Its text after the first comment, not yet formatted. */
  readonly body: string
}

const abiOf = async (contract: string): Promise<Abi> => (await hre.artifacts.readArtifact(contract)).abi as Abi

const constantOf = (constant: string, abi: Abi): string => `export const ${constant} = ${JSON.stringify(abi)} as const`

const render = async (): Promise<readonly Output[]> => {
  const registry = await abiOf('IVendorRegistry')
  const payments = await abiOf('IPayments')
  const ofRegistry = 'contracts/IVendorRegistry.sol'
  const ofPayments = 'contracts/IPayments.sol'
  const service = { chain: '..', sections: ['events', 'results', 'errors'] } as const
  const decoders = (source: string, file: string, plan: DecoderPlan) => ({ source, file, body: renderDecoders(plan) })
  return [
    { source: ofRegistry, file: 'protocol/abi/vendor-registry.ts', body: constantOf('vendorRegistryAbi', registry) },
    { source: ofPayments, file: 'protocol/abi/payments.ts', body: constantOf('paymentsAbi', payments) },
    decoders(ofRegistry, 'chain/generated/vendor-registry.ts', {
      ...service,
      abi: registry,
      constant: 'vendorRegistryDecoders',
      eventType: 'RegistryEvent',
    }),
    decoders(ofPayments, 'chain/generated/payments.ts', {
      ...service,
      abi: payments,
      constant: 'paymentsDecoders',
      eventType: 'PaymentsEvent',
    }),
    decoders('chain/token-abi.ts', 'chain/generated/token.ts', {
      chain: '..',
      abi: tokenAbi,
      constant: 'tokenDecoders',
      sections: ['results'],
    }),
    decoders('chain/language-abi.ts', 'chain/generated/language.ts', {
      chain: '..',
      abi: languageAbi,
      constant: 'languageDecoders',
      sections: ['errors'],
    }),
    decoders(ofPayments, 'sim/generated/payments-calls.ts', {
      chain: '../../chain',
      abi: payments,
      constant: 'paymentsCallDecoders',
      sections: ['calls'],
    }),
  ]
}

const formatting = { parser: 'typescript', semi: false, singleQuote: true, printWidth: 120 } as const

const root = join(import.meta.dirname, '..')

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

for (const { source, file, body } of await render()) {
  const path = join(root, file)
  const header = `// Generated from ${source} by \`node scripts/generate-abi.ts\`. Do not edit.\n\n`
  const generated = await format(`${header}${body}`, formatting)
  if ((await readCommitted(path)) === generated) continue
  if (check) {
    process.stderr.write(`${file} differs from ${source}; run: node scripts/generate-abi.ts\n`)
    process.exitCode = 1
  } else {
    await mkdir(dirname(path), { recursive: true })
    await writeFile(path, generated)
    process.stderr.write(`wrote ${file}\n`)
  }
}
