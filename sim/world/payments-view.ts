/** Views of Payments. */
import type { ArgumentsOf, EntryOf } from '../../chain/abi.ts'
import { canonical } from '../../chain/abi-read.ts'
import { paymentsCall } from '../../chain/contracts.ts'
import { paymentsDecoders } from '../../chain/generated/payments.ts'
import { createRpc, type BlockTag } from '../../chain/rpc.ts'
import type { Address, Hex } from '../../chain/types.ts'
import { ChainError, type Chain } from '../../effects/chain.ts'
import type { paymentsAbi } from '../../protocol/abi/payments.ts'

type Results = typeof paymentsDecoders.results

/** Those whose answer is one value. */
type View = 'orders' | 'channels' | 'kept'

/** @throws ChainError */
export const viewPayments = async <Name extends View>(
  { chain, payments }: { readonly chain: Chain; readonly payments: Address },
  at: BlockTag,
  name: Name,
  ...args: ArgumentsOf<EntryOf<typeof paymentsAbi, 'function', Name>>
): Promise<ReturnType<Results[Name]>[0]> => {
  const answer = await createRpc(chain).call(paymentsCall(payments, name, ...args), at)
  const decode: (answer: Hex) => ReturnType<Results[Name]> = paymentsDecoders.results[name] as never
  const values = canonical(decode, answer)
  if (!values) throw new ChainError('ERR_CHAIN_MALFORMED', `no contract of ours answers to ${name}`)
  return values[0]
}
