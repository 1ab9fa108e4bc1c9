/** Why a contract refused: from a node's error to the custom error that the contract names. */
import { ChainError } from '../effects/chain.ts'
import { canonical } from './abi-read.ts'
import { ContractRevert } from './errors.ts'
import { languageDecoders } from './generated/language.ts'
import { paymentsDecoders } from './generated/payments.ts'
import { vendorRegistryDecoders } from './generated/vendor-registry.ts'
import type { Hex } from './types.ts'

const errors = new Map([...languageDecoders.errors, ...vendorRegistryDecoders.errors, ...paymentsDecoders.errors])

/** Reads a revert's bytes, lower-case hex; what is no known error has the reason `Unknown`. */
const decodeRevert = (data: Hex, options?: ErrorOptions): ContractRevert => {
  const error = errors.get(data.slice(0, 10) as Hex)
  const args = error && canonical(error.args, data)
  return error && args ? new ContractRevert(error.name, args, options) : new ContractRevert('Unknown', {}, options)
}

/** The revert that a node's error tells of; undefined if it tells of none. */
export const asContractRevert = (error: unknown): ContractRevert | undefined =>
  error instanceof ChainError && error.data !== undefined
    ? decodeRevert(error.data.toLowerCase() as Hex, { cause: error })
    : undefined
