/**
 * Writes down what must not change unnoticed in the contracts, one text file each in `contracts/snapshots/`: the ABI
 * (what others call and read), the storage layout, the size of the code, and the gas of whole transactions. With
 * `--check` it writes nothing, shows the lines that differ, and exits 1 when there are any.
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Interface } from 'ethers'
import hre from 'hardhat'
import { benchContracts } from './bench/contracts.ts'

const CONTRACTS = ['VendorRegistry', 'Payments'] as const
const FOLDER = join(import.meta.dirname, '../contracts/snapshots')
/** Most bytes of deployed code (EIP-170) and of code that deploys (EIP-3860). */
const CODE_BYTES_MAX = 24_576
const INIT_CODE_BYTES_MAX = 49_152

interface StorageLayout {
  readonly storage: readonly { label: string; slot: string; offset: number; type: string }[]
  readonly types: Readonly<Record<string, { label: string; members?: StorageLayout['storage'] }>> | null
}

/** One line for each function, event and error: its selector or topic, then its signature. */
const abiLines = async (): Promise<readonly string[]> => {
  const lines: string[] = []
  for (const contract of CONTRACTS) {
    const { abi } = await hre.artifacts.readArtifact(contract)
    const parsed = new Interface(abi)
    const of = (kind: string, id: string, text: string) => lines.push(`${contract} ${kind.padEnd(8)} ${id} ${text}`)
    parsed.forEachFunction((entry) => of('function', entry.selector, entry.format('full').replace('function ', '')))
    parsed.forEachEvent((entry) => of('event', entry.topicHash, entry.format('full').replace('event ', '')))
    parsed.forEachError((entry) => of('error', entry.selector, entry.format('full').replace('error ', '')))
  }
  return lines.toSorted()
}

/** One line for each variable and each member of its structs: contract, slot, byte offset, name, type. */
const storageLines = async (): Promise<readonly string[]> => {
  const lines: string[] = []
  for (const contract of CONTRACTS) {
    const { storage, types } = await storageLayoutOf(contract)
    const typeOf = (id: string) => types?.[id]?.label ?? id
    for (const { slot, offset, label, type } of storage)
      lines.push(`${contract} slot ${slot} byte ${offset} ${label}: ${typeOf(type)}`)
    for (const { label: struct, members } of Object.values(types ?? {}))
      for (const { slot, offset, label, type } of members ?? [])
        lines.push(`${struct} slot ${slot} byte ${offset} ${label}: ${typeOf(type)}`)
  }
  return lines
}

const storageLayoutOf = async (contract: string): Promise<StorageLayout> => {
  const name = `contracts/${contract}.sol:${contract}`
  const buildInfoId = await hre.artifacts.getBuildInfoId(name)
  const path = buildInfoId && (await hre.artifacts.getBuildInfoOutputPath(buildInfoId))
  if (!path) throw new Error(`${name} was not built`)
  const { output } = JSON.parse(await readFile(path, 'utf8')) as {
    output: { contracts: Record<string, Record<string, { storageLayout: StorageLayout }>> }
  }
  const found = output.contracts[`project/contracts/${contract}.sol`]?.[contract]
  if (!found) throw new Error(`the build says nothing of ${name}`)
  return found.storageLayout
}

const sizeLines = async (): Promise<readonly string[]> => {
  const bytesOf = (hex: string) => (hex.length - 2) / 2
  const lines: string[] = []
  for (const contract of CONTRACTS) {
    const { bytecode, deployedBytecode } = await hre.artifacts.readArtifact(contract)
    lines.push(`${contract} code ${bytesOf(deployedBytecode)} of ${CODE_BYTES_MAX} bytes`)
    lines.push(`${contract} init code ${bytesOf(bytecode)} of ${INIT_CODE_BYTES_MAX} bytes`)
  }
  return lines
}

const gasLines = async (): Promise<readonly string[]> => {
  const { metrics, baselines } = await benchContracts()
  return Object.entries(metrics).map(([name, gas]) => {
    const most = baselines[name]
    if (most !== undefined && gas > most) throw new Error(`${name} takes ${gas} gas: at most ${most} (DESIGN 15)`)
    return most === undefined ? `${name} ${gas}` : `${name} ${gas} of ${most}`
  })
}

const readLines = async (path: string): Promise<readonly string[]> => {
  try {
    return (await readFile(path, 'utf8')).trimEnd().split('\n')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}

const check = process.argv.includes('--check')
await hre.tasks.getTask('build').run({ quiet: true, noTests: true })
const snapshots = { abi: abiLines, storage: storageLines, size: sizeLines, gas: gasLines }

for (const [name, measure] of Object.entries(snapshots)) {
  const path = join(FOLDER, `${name}.txt`)
  const [committed, current] = [await readLines(path), await measure()]
  const gone = committed.filter((line) => !current.includes(line)).map((line) => `- ${line}`)
  const come = current.filter((line) => !committed.includes(line)).map((line) => `+ ${line}`)
  if (gone.length === 0 && come.length === 0) continue
  if (check) {
    const advice = 'if this is meant, run: node scripts/snapshot-contracts.ts'
    process.stderr.write(`contracts/snapshots/${name}.txt differs; ${advice}\n${[...gone, ...come].join('\n')}\n`)
    process.exitCode = 1
  } else {
    await mkdir(FOLDER, { recursive: true })
    await writeFile(path, `${current.join('\n')}\n`)
    process.stderr.write(`wrote contracts/snapshots/${name}.txt\n`)
  }
}
