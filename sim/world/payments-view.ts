/** Views of Payments. */
import type { AbiEntry, ArgumentsOf, EntryOf, ResultsOf } from '../../chain/abi.ts'
import { createDecoder } from '../../chain/abi-decode.ts'
import { entryOf } from '../../chain/abi-encode.ts'
import { paymentsCall } from '../../chain/contracts.ts'
import { createRpc, type BlockTag } from '../../chain/rpc.ts'
import type { Address } from '../../chain/types.ts'
import { ChainError, type Chain } from '../../effects/chain.ts'
import { paymentsAbi } from '../../protocol/abi/payments.ts'
import { fromHex } from '../../protocol/bytes.ts'

type Entry<Name extends string> = EntryOf<typeof paymentsAbi, 'function', Name>

/** Those whose answer is one value. */
type View = 'orders' | 'channels' | 'kept'

/** @throws ChainError */
export const viewPayments = async <Name extends View>(
  { chain, payments }: { readonly chain: Chain; readonly payments: Address },
  at: BlockTag,
  name: Name,
  ...args: ArgumentsOf<Entry<Name>>
): Promise<ResultsOf<Entry<Name>>[0]> => {
  const answer = await createRpc(chain).call(paymentsCall(payments, name, ...args), at)
  const entry: AbiEntry = entryOf(paymentsAbi, 'function', name)
  const values = createDecoder(entry.outputs ?? []).values(fromHex(answer))
  if (!values) throw new ChainError('ERR_CHAIN_MALFORMED', `no contract of ours answers to ${name}`)
  return (values as unknown as ResultsOf<Entry<Name>>)[0] as ResultsOf<Entry<Name>>[0]
}
