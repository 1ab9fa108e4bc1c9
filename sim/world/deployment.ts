/** The contracts on the simulated chain: deployed once, and there again at the start of every run. */
import { readFileSync } from 'node:fs'
import { createContractReader } from '../../chain/contracts.ts'
import type { Contracts } from '../../chain/events.ts'
import { createRpc } from '../../chain/rpc.ts'
import { parseAddress, type Address, type Hex } from '../../chain/types.ts'
import { openEdr, type Edr } from '../edr.ts'
import { SIM_EPOCH_MS } from '../loop.ts'
import { deployerOf } from './accounts.ts'
import { tokenCall, type Token } from './token.ts'

const ARTIFACTS = new URL('../../artifacts/contracts/', import.meta.url)

/** Seconds before the run starts at which the block with the contracts was made. */
const BEFORE_EPOCH_SECONDS = 60

const DEPLOYMENT_GAS = '0xe4e1c0'

/** What every account has of the token, smallest units. */
const TOKENS = 10n ** 15n

/** A contract that refuses the native coin: its code reverts, and this puts it there. */
const REFUSING: Hex = '0x6460006000fd6000526005601bf3'

export interface Ground extends Contracts {
  readonly edr: Edr
  readonly token: Token
  /** An account that refuses the native coin. */
  readonly refuser: Address
}

const bytecodeOf = (artifact: string): Hex =>
  (JSON.parse(readFileSync(new URL(artifact, ARTIFACTS), 'utf8')) as { bytecode: Hex }).bytecode

/** Takes about half a second. */
export const openGround = async (): Promise<Ground> => {
  const edr = await openEdr()
  const from = deployerOf(edr.accounts).address
  const send = async (transaction: object): Promise<string> =>
    (await edr.request('eth_sendTransaction', [{ from, ...transaction }])) as string
  const mine = async (secondsBefore: number) => {
    await edr.request('evm_setNextBlockTimestamp', [SIM_EPOCH_MS / 1000 - secondsBefore])
    await edr.request('evm_mine')
  }
  const bytecodes = [
    bytecodeOf('VendorRegistry.sol/VendorRegistry.json'),
    bytecodeOf('test/Stablecoin.sol/Stablecoin.json'),
    REFUSING,
  ]
  const hashes: string[] = []
  for (const data of bytecodes) hashes.push(await send({ data, gas: DEPLOYMENT_GAS }))
  await mine(BEFORE_EPOCH_SECONDS)
  const addressOf = async (hash: string | undefined): Promise<Address> => {
    const receipt = (await edr.request('eth_getTransactionReceipt', [hash])) as { contractAddress: string }
    return parseAddress(receipt.contractAddress) as Address
  }
  const registry = await addressOf(hashes[0])
  const token = await addressOf(hashes[1])
  for (const { address } of edr.accounts)
    await send({ ...tokenCall(token, 'mint', address as Address, TOKENS), gas: '0x186a0' })
  await mine(BEFORE_EPOCH_SECONDS - 1)

  const node = { request: edr.request }
  const payments = await createContractReader(node).paymentsOf(registry)
  const domain = await createRpc(node).call(tokenCall(token, 'DOMAIN_SEPARATOR'))
  await edr.keep()
  return { edr, registry, payments, token: { address: token, domain }, refuser: await addressOf(hashes[2]) }
}
