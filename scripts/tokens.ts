/** For tests and demonstrations: the tokens of `contracts/test`, on a chain that mines on demand and knows its accounts. */
import { readFileSync } from 'node:fs'
import { type Address, type Hex, parseAddress } from '../chain/types.ts'

type Request = (method: string, params: readonly unknown[]) => Promise<unknown>

export interface TestToken {
  readonly address: Address
  /** Makes money out of nothing. */
  mint(to: Address, amount: bigint): Promise<void>
  balanceOf(owner: Address): Promise<bigint>
}

const GAS = '0xe4e1c0'
const word = (value: string): string => value.replace(/^0x/, '').padStart(64, '0')

/** @param name `Stablecoin` has permits and authorisations; `OldToken` has nothing but what it must */
export const deployToken = async (request: Request, name: 'Stablecoin' | 'OldToken'): Promise<TestToken> => {
  const file = `artifacts/contracts/test/${name}.sol/${name}.json`
  const { bytecode } = JSON.parse(readFileSync(file, 'utf8')) as { bytecode: Hex }
  const [from] = (await request('eth_accounts', [])) as string[]
  const send = async (transaction: { readonly data: string; readonly to?: Address }) => {
    const hash = await request('eth_sendTransaction', [{ from, gas: GAS, ...transaction }])
    await request('evm_mine', [])
    return (await request('eth_getTransactionReceipt', [hash])) as { readonly contractAddress: string }
  }
  const { contractAddress } = await send({ data: bytecode })
  const address = parseAddress(contractAddress) as Address
  return {
    address,
    mint: async (to, amount) =>
      void (await send({ to: address, data: `0x40c10f19${word(to)}${word(amount.toString(16))}` })),
    balanceOf: async (owner) => {
      const call = { to: address, data: `0x70a08231${word(owner)}` }
      return BigInt((await request('eth_call', [call, 'latest'])) as string)
    },
  }
}
