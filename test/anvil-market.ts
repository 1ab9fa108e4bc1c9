/** For tests of reorgs: the contracts on anvil, written to by the accounts that it signs for. */
import { readFile } from 'node:fs/promises'
import type { Contracts } from '../chain/events.ts'
import { createContractReader } from '../chain/contracts.ts'
import { type Call, createRpc, type Receipt, type Rpc } from '../chain/rpc.ts'
import { type Address, type Hash, type Hex, parseAddress } from '../chain/types.ts'
import type { Chain } from '../effects/chain.ts'
import { startAnvil, type Anvil, type AnvilOptions } from './anvil.ts'
import { eventually } from './eventually.ts'

/** Enough for anything here, so that anvil takes what the contracts will refuse, too. */
const GAS = '0x1e8480'
const DEPLOYMENT_GAS = '0xe4e1c0'
const ARTIFACT = new URL('../artifacts/contracts/VendorRegistry.sol/VendorRegistry.json', import.meta.url)

export interface AnvilMarket extends Contracts {
  readonly anvil: Anvil
  readonly chain: Chain
  readonly rpc: Rpc
  readonly accounts: readonly Address[]
  /** A call of one of the accounts as `eth_sendTransaction` and `anvil_reorg` take it. */
  transaction(from: Address, call: Call): object
  /** @returns the hash of a transaction that may not be mined yet */
  send(from: Address, call: Call): Promise<Hash>
  mined(hash: Hash): Promise<Receipt>
}

/** @param options of anvil; whoever opens it closes `anvil` */
export const openAnvilMarket = async (options?: AnvilOptions): Promise<AnvilMarket> => {
  const anvil = await startAnvil(options)
  const chain: Chain = { request: (method, params) => anvil.request(method, params) }
  const rpc = createRpc(chain)
  const accounts = ((await anvil.request('eth_accounts')) as string[]).map((text) => parseAddress(text) as Address)
  const sendTransaction = async (transaction: object): Promise<Hash> =>
    (await anvil.request('eth_sendTransaction', [transaction])) as Hash
  const mined = (hash: Hash): Promise<Receipt> => eventually(`${hash} is mined`, () => rpc.receipt(hash))

  const { bytecode } = JSON.parse(await readFile(ARTIFACT, 'utf8')) as { bytecode: Hex }
  const deployed = await sendTransaction({ from: accounts[0], data: bytecode, gas: DEPLOYMENT_GAS })
  await mined(deployed)
  const { contractAddress } = (await anvil.request('eth_getTransactionReceipt', [deployed])) as {
    contractAddress: string
  }
  const registry = parseAddress(contractAddress) as Address
  const transaction = (from: Address, { to, data, valueWei = 0n }: Call) => ({
    from,
    to,
    data,
    value: `0x${valueWei.toString(16)}`,
    gas: GAS,
  })
  return {
    anvil,
    chain,
    rpc,
    accounts,
    registry,
    payments: await createContractReader(chain).paymentsOf(registry),
    transaction,
    send: (from, call) => sendTransaction(transaction(from, call)),
    mined,
  }
}
