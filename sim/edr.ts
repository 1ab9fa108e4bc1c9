/** The Ethereum node of this process: EDR, opened once, and put back to the same state before each run. */
import { createHash } from 'node:crypto'
import { createHardhatRuntimeEnvironment } from 'hardhat/hre'
import { SIM_EPOCH_MS } from './loop.ts'

/** What the node can be asked, `evm_` and `hardhat_` methods included. Real threads answer. */
export type EdrRequest = (method: string, params?: readonly unknown[]) => Promise<unknown>

/** An account with money at the start. */
export interface SimAccount {
  readonly address: `0x${string}`
  readonly privateKey: `0x${string}`
}

export interface Edr {
  readonly request: EdrRequest
  readonly chainId: bigint
  readonly accounts: readonly SimAccount[]
  /** Puts the node back to the state of the last `keep`, or of its start. */
  reset(): Promise<void>
  /** Makes the present state the one that runs start from: after contracts have been deployed. */
  keep(): Promise<void>
}

const ACCOUNTS = 64
const BALANCE_WEI = 10n ** 24n
const CHAIN_ID = 31337

/** Blocks from before the simulated epoch leave room for deployment. */
const GENESIS_BEFORE_EPOCH_MS = 86_400_000

/** Takes about a quarter of a second. */
export const openEdr = async (): Promise<Edr> => {
  const keys = Array.from(
    { length: ACCOUNTS },
    (_, at) => `0x${createHash('sha256').update(`chrove simulated account ${at}`).digest('hex')}` as const,
  )
  const environment = await createHardhatRuntimeEnvironment({
    networks: {
      simulated: {
        type: 'edr-simulated',
        chainType: 'l1',
        chainId: CHAIN_ID,
        initialDate: new Date(SIM_EPOCH_MS - GENESIS_BEFORE_EPOCH_MS),
        accounts: keys.map((privateKey) => ({ privateKey, balance: BALANCE_WEI })),
        mining: { auto: false, interval: 0, mempool: { order: 'fifo' } },
        throwOnTransactionFailures: false,
      },
    },
  })
  const { provider } = await environment.network.create('simulated')
  const request: EdrRequest = (method, params = []) => provider.request({ method, params: [...params] })
  const addresses = (await request('eth_accounts')) as `0x${string}`[]
  let base = await request('evm_snapshot')
  return {
    request,
    chainId: BigInt(CHAIN_ID),
    accounts: keys.map((privateKey, at) => ({ privateKey, address: addresses[at] as `0x${string}` })),
    reset: async () => {
      await request('evm_revert', [base])
      base = await request('evm_snapshot')
    },
    keep: async () => {
      base = await request('evm_snapshot')
    },
  }
}
