/**
 * Backfill of the directory: from anvil, held against a loop of `eth_getLogs` that only parses the answers, each round
 * right before and right after it, since machines change their pace; and from a node that costs next to nothing. Each
 * backfill is a process of its own, with the flags of the `chrove` command. Medians are told.
 */
import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { AbiCoder, id } from 'ethers'
import { createContractReader } from '../../chain/contracts.ts'
import { type Address, type Hex, parseAddress } from '../../chain/types.ts'
import { createChainRpc } from '../../effects/chain-rpc.ts'
import { createClock } from '../../effects/clock.ts'
import { createNetwork } from '../../effects/network-node.ts'
import packageJson from '../../package.json' with { type: 'json' }
import { startAnvil, type Anvil } from '../../test/anvil.ts'
import type { Measured } from '../bench.ts'
import type { Indexed, IndexOnce } from './index-once.ts'

const LOGS = 200_000
/** One transaction of `BusyMarket` in each block. */
const LOGS_PER_BLOCK = 100
const VENDORS_PER_BLOCK = 10
const ROUNDS = 3
/** Blocks of one answer of the raw loop: about as many logs as the directory asks for at once. */
const RAW_BLOCKS = 40
const MEMORY_LOGS = { few: 50_000, many: 1_000_000 }
/** A millisecond and a question apart. */
const RECEIPT_TRIES = 60_000
const MONEY_WEI = 10n ** 18n
const PROFILE = JSON.stringify({ title: 'Busy', description: 'A vendor', serviceTypes: ['proxy'], regions: ['eu'] })

const root = join(import.meta.dirname, '../..')

export const benchIndexer = async (): Promise<Measured> => {
  const replays: Indexed[] = []
  for (let round = 0; round < ROUNDS; round++) {
    note(`replay, round ${round + 1} of ${ROUNDS}`)
    replays.push(await indexOnce({ replay: LOGS, remember: true }))
  }
  note('memory')
  const few = await indexOnce({ replay: MEMORY_LOGS.few })
  const many = await indexOnce({ replay: MEMORY_LOGS.many })

  // Of two thousand large states anvil would keep tens of gigabytes on the disk.
  const anvil = await startAnvil({ args: ['--disable-block-gas-limit', '--prune-history', '2'] })
  try {
    const { registry, payments } = await fill(anvil)
    const rounds: { readonly indexed: Indexed; readonly rawPerSecond: number }[] = []
    for (let round = 0; round < ROUNDS; round++) {
      note(`anvil, round ${round + 1} of ${ROUNDS}`)
      const before = await rawLogsPerSecond(anvil.url, [registry, payments])
      const indexed = await indexOnce({ url: anvil.url, registry })
      const after = await rawLogsPerSecond(anvil.url, [registry, payments])
      rounds.push({ indexed, rawPerSecond: (before + after) / 2 })
    }
    const rate = ({ events, seconds }: Indexed) => events / seconds
    const perCpuSecond = ({ events, cpuSeconds }: Indexed) => events / cpuSeconds
    return {
      metrics: {
        eventsPerSecond: median(rounds.map(({ indexed }) => rate(indexed))),
        rawFetchPerSecond: median(rounds.map(({ rawPerSecond }) => rawPerSecond)),
        shareOfRaw: median(rounds.map(({ indexed, rawPerSecond }) => rate(indexed) / rawPerSecond)),
        eventsPerCpuSecond: median(rounds.map(({ indexed }) => perCpuSecond(indexed))),
        replayEventsPerSecond: median(replays.map(rate)),
        replayEventsPerCpuSecond: median(replays.map(perCpuSecond)),
        peakRssMiB: Math.max(...rounds.map(({ indexed }) => indexed.peakRssMiB)),
        peakRssMiBAt50kLogs: few.peakRssMiB,
        peakRssMiBAt1MLogs: many.peakRssMiB,
      },
      baselines: { eventsPerSecondAtLeast: 40_000, shareOfRawAtLeast: 0.5, replayEventsPerSecondAtLeast: 60_000 },
    }
  } finally {
    await anvil.close()
  }
}

const note = (text: string): void => void process.stderr.write(`${text}\n`)

const indexOnce = async (what: IndexOnce): Promise<Indexed> => {
  const flags = packageJson.scripts.chrove.split(' ').filter((word) => word.startsWith('--'))
  const script = join(root, 'scripts/bench/index-once.ts')
  const { stdout } = await promisify(execFile)(process.execPath, [...flags, script, JSON.stringify(what)])
  return JSON.parse(stdout) as Indexed
}

/** Puts the contracts on the chain, and the events. */
const fill = async (anvil: Anvil): Promise<{ readonly registry: Address; readonly payments: Address }> => {
  const [from] = (await anvil.request('eth_accounts')) as string[]
  const send = async (transaction: object): Promise<Hex> => {
    const hash = await anvil.request('eth_sendTransaction', [{ from, gas: '0x3b9aca00', ...transaction }])
    const receipt = await untilMined(anvil, hash)
    if (receipt.status !== '0x1') throw new Error('a transaction of the benchmark failed')
    return receipt.contractAddress
  }
  const registry = parseAddress(await send({ data: await bytecodeOf('VendorRegistry.sol/VendorRegistry') })) as Address
  const door = createChainRpc({ url: anvil.url, network: createNetwork() })
  const payments = await createContractReader(door).paymentsOf(registry)
  const coder = AbiCoder.defaultAbiCoder()
  const settings = coder.encode(['address', 'address'], [registry, payments]).slice(2)
  const busyCode = await bytecodeOf('test/BusyMarket.sol/BusyMarket')
  const busy = await send({ data: `${busyCode}${settings}`, value: `0x${MONEY_WEI.toString(16)}` })

  const call = coder.encode(['uint256', 'string'], [VENDORS_PER_BLOCK, PROFILE]).slice(2)
  const data = `${id('open(uint256,string)').slice(0, 10)}${call}`
  const blocks = LOGS / LOGS_PER_BLOCK
  for (let block = 0; block < blocks; block++) {
    if (block % 200 === 0) note(`filling anvil: ${block} of ${blocks} blocks`)
    await send({ to: busy, data })
  }
  return { registry, payments }
}

interface Receipt {
  readonly status: Hex
  readonly contractAddress: Hex
}

/** anvil makes a block for each transaction, and answers before it has. */
const untilMined = async (anvil: Anvil, hash: unknown): Promise<Receipt> => {
  for (let tries = 0; tries < RECEIPT_TRIES; tries++) {
    const receipt = (await anvil.request('eth_getTransactionReceipt', [hash])) as Receipt | null
    if (receipt) return receipt
    await createClock().sleep(1)
  }
  throw new Error('anvil did not mine a transaction of the benchmark')
}

const bytecodeOf = async (path: string): Promise<Hex> =>
  (JSON.parse(await readFile(join(root, `artifacts/contracts/${path}.json`), 'utf8')) as { bytecode: Hex }).bytecode

/** What the node gives to who does nothing with it but parse it. */
const rawLogsPerSecond = async (url: string, address: readonly Address[]): Promise<number> => {
  const ask = async (method: string, params: readonly unknown[]): Promise<unknown> => {
    const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method, params })
    const answer = await fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body })
    return ((await answer.json()) as { result: unknown }).result
  }
  const quantity = (value: number) => `0x${value.toString(16)}`
  const newest = Number(await ask('eth_blockNumber', []))
  const startedAtMs = performance.now()
  let logs = 0
  for (let from = 0; from <= newest; from += RAW_BLOCKS) {
    const range = { fromBlock: quantity(from), toBlock: quantity(Math.min(newest, from + RAW_BLOCKS - 1)) }
    logs += ((await ask('eth_getLogs', [{ ...range, address }])) as unknown[]).length
  }
  return logs / ((performance.now() - startedAtMs) / 1000)
}

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN
