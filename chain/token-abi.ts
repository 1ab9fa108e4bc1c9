/** The ABI of what Chrove asks of tokens. @see ERC-20; EIP-2612 for permits; EIP-3009 for authorisations */
import type { AbiEntry } from './abi.ts'

const address = { name: '', type: 'address' } as const
const uint256 = { name: '', type: 'uint256' } as const
const bytes32 = { name: '', type: 'bytes32' } as const
const bool = { name: '', type: 'bool' } as const
const string = { name: '', type: 'string' } as const
const uint8 = { name: '', type: 'uint8' } as const

export const tokenAbi = [
  { type: 'function', name: 'name', inputs: [], outputs: [string] },
  { type: 'function', name: 'symbol', inputs: [], outputs: [string] },
  { type: 'function', name: 'version', inputs: [], outputs: [string] },
  { type: 'function', name: 'decimals', inputs: [], outputs: [uint8] },
  { type: 'function', name: 'balanceOf', inputs: [address], outputs: [uint256] },
  { type: 'function', name: 'allowance', inputs: [address, address], outputs: [uint256] },
  { type: 'function', name: 'approve', inputs: [address, uint256], outputs: [] },
  { type: 'function', name: 'transfer', inputs: [address, uint256], outputs: [] },
  { type: 'function', name: 'DOMAIN_SEPARATOR', inputs: [], outputs: [bytes32] },
  { type: 'function', name: 'nonces', inputs: [address], outputs: [uint256] },
  {
    type: 'function',
    name: 'permit',
    inputs: [address, address, uint256, uint256, uint8, bytes32, bytes32],
    outputs: [],
  },
  { type: 'function', name: 'authorizationState', inputs: [address, bytes32], outputs: [bool] },
  {
    type: 'function',
    name: 'receiveWithAuthorization',
    inputs: [address, address, uint256, uint256, uint256, bytes32, uint8, bytes32, bytes32],
    outputs: [],
  },
] as const satisfies readonly AbiEntry[]
