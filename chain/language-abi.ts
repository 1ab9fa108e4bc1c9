/** What the language itself reverts with. @see Solidity documentation, "Panic via assert and Error via require" */
import type { AbiEntry } from './abi.ts'

export const languageAbi: readonly AbiEntry[] = [
  { type: 'error', name: 'Error', inputs: [{ name: 'message', type: 'string' }] },
  { type: 'error', name: 'Panic', inputs: [{ name: 'code', type: 'uint256' }] },
]
