/** The stablecoin of the simulated chain, as its users see it. @see contracts/test/Stablecoin.sol */
import type { ArgumentsOf, EntryOf, NameOf } from '../../chain/abi.ts'
import { encodeCall } from '../../chain/abi-encode.ts'
import type { BlockTag, Call, Rpc } from '../../chain/rpc.ts'
import type { Address, Hex } from '../../chain/types.ts'

const account = { name: 'account', type: 'address' } as const
const amount = { name: 'amount', type: 'uint256' } as const

const tokenAbi = [
  { type: 'function', name: 'mint', inputs: [account, amount] },
  { type: 'function', name: 'approve', inputs: [account, amount] },
  {
    type: 'function',
    name: 'permit',
    inputs: [
      { name: 'owner', type: 'address' },
      { name: 'spender', type: 'address' },
      amount,
      { name: 'deadline', type: 'uint256' },
      { name: 'v', type: 'uint8' },
      { name: 'r', type: 'bytes32' },
      { name: 's', type: 'bytes32' },
    ],
  },
  { type: 'function', name: 'balanceOf', inputs: [account] },
  { type: 'function', name: 'nonces', inputs: [account] },
  { type: 'function', name: 'DOMAIN_SEPARATOR', inputs: [] },
] as const

export interface Token {
  readonly address: Address
  /** EIP-712 separator of its permits and authorisations. */
  readonly domain: Hex
}

export const tokenCall = <Name extends NameOf<typeof tokenAbi, 'function'>>(
  token: Address,
  name: Name,
  ...args: ArgumentsOf<EntryOf<typeof tokenAbi, 'function', Name>>
): Call => ({ to: token, data: encodeCall(tokenAbi, name, ...args) })

/** What a call without any structure in its answer answers. */
export const readNumber = async (rpc: Rpc, call: Call, at?: BlockTag): Promise<bigint> =>
  BigInt(await rpc.call(call, at))
