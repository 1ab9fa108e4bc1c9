/** Call data for our contracts, checked by the compiler against their ABIs; and the hashes that name ABI entries. */
import { AbiCoder, ParamType } from 'ethers'
import { keccak_256 } from '@noble/hashes/sha3.js'
import { toHex, utf8 } from '../protocol/bytes.ts'
import {
  type AbiEntry,
  type AbiParameter,
  type ArgumentsOf,
  type EntryOf,
  type NameOf,
  type Settlement,
  SETTLEMENTS,
} from './abi.ts'
import type { Hex } from './types.ts'

const typeText = ({ type, components }: AbiParameter): string =>
  components ? `(${components.map(typeText).join(',')})${type.slice('tuple'.length)}` : type

/** keccak256 of `name(types)`: topic 0 of an event; its first 4 bytes select a function or an error. */
export const signatureHashOf = (entry: AbiEntry): Hex =>
  toHex(keccak_256(utf8(`${entry.name}(${(entry.inputs ?? []).map(typeText).join(',')})`)))

/** The 4 bytes before the arguments of a call, or of a revert. */
export const selectorOf = (entry: AbiEntry): Hex => signatureHashOf(entry).slice(0, 10) as Hex

/** Values as the encoder takes them: enums as numbers. */
const plain = (parameter: AbiParameter, value: unknown): unknown => {
  if (parameter.type.endsWith('[]')) {
    const item = { ...parameter, type: parameter.type.slice(0, -2) }
    return (value as readonly unknown[]).map((each) => plain(item, each))
  }
  if (parameter.internalType?.endsWith('.Settlement')) return SETTLEMENTS.indexOf(value as Settlement)
  if (!parameter.components) return value
  return parameter.components.map((component) => plain(component, (value as Record<string, unknown>)[component.name]))
}

/** ABI encoding of some values. */
export const encodeValues = (parameters: readonly AbiParameter[], values: readonly unknown[]): Hex =>
  AbiCoder.defaultAbiCoder().encode(
    parameters.map((parameter) => ParamType.from(parameter)),
    parameters.map((parameter, i) => plain(parameter, values[i])),
  ) as Hex

/** The entry of this name. An ABI of ours has no overloads. */
export const entryOf = <Abi extends readonly AbiEntry[], Type extends string, Name extends NameOf<Abi, Type>>(
  abi: Abi,
  type: Type,
  name: Name,
): EntryOf<Abi, Type, Name> =>
  abi.find((entry) => entry.type === type && entry.name === name) as EntryOf<Abi, Type, Name>

/** Call data of one function. */
export const encodeCall = <Abi extends readonly AbiEntry[], Name extends NameOf<Abi, 'function'>>(
  abi: Abi,
  name: Name,
  ...args: ArgumentsOf<EntryOf<Abi, 'function', Name>>
): Hex => {
  const entry: AbiEntry = entryOf(abi, 'function', name)
  return `${selectorOf(entry)}${encodeValues(entry.inputs ?? [], args as readonly unknown[]).slice(2)}`
}
