/** Why a contract refused: from a node's error to the custom error that the contract names. */
import { ChainError } from '../effects/chain.ts'
import { paymentsAbi } from '../protocol/abi/payments.ts'
import { vendorRegistryAbi } from '../protocol/abi/vendor-registry.ts'
import { fromHex } from '../protocol/bytes.ts'
import type { AbiEntry } from './abi.ts'
import { createDecoder } from './abi-decode.ts'
import { selectorOf } from './abi-encode.ts'
import { ContractRevert } from './errors.ts'
import type { Hex } from './types.ts'

/** What the language itself reverts with. @see Solidity documentation, "Panic via assert and Error via require" */
const LANGUAGE_ERRORS: readonly AbiEntry[] = [
  { type: 'error', name: 'Error', inputs: [{ name: 'message', type: 'string' }] },
  { type: 'error', name: 'Panic', inputs: [{ name: 'code', type: 'uint256' }] },
]

const errors = new Map(
  [...LANGUAGE_ERRORS, ...vendorRegistryAbi, ...paymentsAbi]
    .filter((entry: AbiEntry) => entry.type === 'error')
    .map((entry: AbiEntry) => {
      return [selectorOf(entry), { name: entry.name ?? '', inputs: createDecoder(entry.inputs ?? []) }] as const
    }),
)

/** Reads a revert's bytes, lower-case hex; what is no known error has the reason `Unknown`. */
const decodeRevert = (data: Hex, options?: ErrorOptions): ContractRevert => {
  const error = errors.get(data.slice(0, 10) as Hex)
  const args = error?.inputs.fields(fromHex(`0x${data.slice(10)}`))
  return error && args ? new ContractRevert(error.name, args, options) : new ContractRevert('Unknown', {}, options)
}

/** The revert that a node's error tells of; undefined if it tells of none. */
export const asContractRevert = (error: unknown): ContractRevert | undefined =>
  error instanceof ChainError && error.data !== undefined
    ? decodeRevert(error.data.toLowerCase() as Hex, { cause: error })
    : undefined
