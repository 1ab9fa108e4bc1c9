/** For tests of what a process left behind: a transaction as it was before it was sent. */
import { Transaction } from 'ethers'
import type { EmbeddedChain } from '../scripts/embedded-chain.ts'

/** What was signed and sent, as the chain has it. */
export const rawTransaction = async (request: EmbeddedChain['request'], hash: string): Promise<string> => {
  const found = (await request('eth_getTransactionByHash', [hash])) as Record<string, string>
  return Transaction.from({
    type: 2,
    chainId: BigInt(found.chainId ?? 0),
    nonce: Number(found.nonce),
    to: found.to ?? null,
    data: found.input ?? '0x',
    value: BigInt(found.value ?? 0),
    gasLimit: BigInt(found.gas ?? 0),
    maxFeePerGas: BigInt(found.maxFeePerGas ?? 0),
    maxPriorityFeePerGas: BigInt(found.maxPriorityFeePerGas ?? 0),
    signature: { r: found.r ?? '', s: found.s ?? '', v: Number(found.v) },
  }).serialized
}
