/** For tests: a real EVM in this process with Chrove deployed on it, behind the chain's door. Blocks are made on demand. */
import { HDNodeWallet } from 'ethers'
import { network } from 'hardhat'
import { type Address, parseAddress } from '../chain/types.ts'
import { type Chain, ChainError } from '../effects/chain.ts'
import { fromHex } from '../protocol/bytes.ts'
import ChroveModule from '../ignition/modules/chrove.ts'

const MNEMONIC = 'test test test test test test test test test test test junk'

export interface DevelopmentChain extends Chain {
  readonly registry: Address
  readonly payments: Address
  mine(): Promise<void>
  /** Private key of an account with money. */
  key(index: number): Uint8Array
  close(): Promise<void>
}

/** Takes about a second. */
export const startDevelopmentChain = async (): Promise<DevelopmentChain> => {
  const connection = await network.create({ override: { throwOnTransactionFailures: false } })
  const { registry, payments } = await connection.ignition.deploy(ChroveModule)
  const { provider } = connection
  const request = async (method: string, params: readonly unknown[]): Promise<unknown> => {
    try {
      return await provider.request({ method, params: [...params] })
    } catch (error) {
      throw refusalOf(error)
    }
  }
  await request('evm_setAutomine', [false])
  return {
    request,
    registry: parseAddress(await registry.getAddress()) as Address,
    payments: parseAddress(await payments.getAddress()) as Address,
    async mine() {
      await request('evm_mine', [])
    },
    key: (index) => fromHex(HDNodeWallet.fromPhrase(MNEMONIC, undefined, `m/44'/60'/0'/0/${index}`).privateKey),
    close: () => connection.close(),
  }
}

/** As the real door tells it: revert bytes are in `data`, or one level deeper. */
const refusalOf = (error: unknown): ChainError => {
  const { code = -32603, message = '', data } = error as { code?: number; message?: string; data?: unknown }
  const inner = typeof data === 'object' && data !== null && 'data' in data ? data.data : data
  const refusal = { rpcCode: code, rpcMessage: message, data: typeof inner === 'string' ? inner : undefined }
  return new ChainError('ERR_CHAIN_REFUSED', 'the node refuses', { refusal })
}
