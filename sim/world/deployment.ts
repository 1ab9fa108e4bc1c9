/** The contracts on the simulated chain: deployed once, and there again at the start of every run. */
import { readFileSync } from 'node:fs'
import { createContractReader } from '../../chain/contracts.ts'
import type { Contracts } from '../../chain/events.ts'
import { parseAddress, type Address, type Hex } from '../../chain/types.ts'
import { openEdr, type Edr } from '../edr.ts'
import { SIM_EPOCH_MS } from '../loop.ts'

const ARTIFACT = new URL('../../artifacts/contracts/VendorRegistry.sol/VendorRegistry.json', import.meta.url)

/** Seconds before the run starts at which the block with the contracts was made. */
const BEFORE_EPOCH_SECONDS = 60

export interface Ground extends Contracts {
  readonly edr: Edr
}

/** Takes about half a second. */
export const openGround = async (): Promise<Ground> => {
  const edr = await openEdr()
  const { bytecode } = JSON.parse(readFileSync(ARTIFACT, 'utf8')) as { bytecode: Hex }
  const deployer = edr.accounts.at(-1)?.address
  const hash = await edr.request('eth_sendTransaction', [{ from: deployer, data: bytecode, gas: '0xe4e1c0' }])
  await edr.request('evm_setNextBlockTimestamp', [SIM_EPOCH_MS / 1000 - BEFORE_EPOCH_SECONDS])
  await edr.request('evm_mine')
  const { contractAddress } = (await edr.request('eth_getTransactionReceipt', [hash])) as { contractAddress: string }
  const registry = parseAddress(contractAddress) as Address
  const reader = createContractReader({ request: (method, params) => edr.request(method, params) })
  const payments = await reader.paymentsOf(registry)
  await edr.keep()
  return { edr, registry, payments }
}
