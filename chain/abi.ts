/** Types of what our contracts take, answer and write, computed from their ABIs, so that neither can drift. */
import type { ChainText } from '../protocol/text.ts'
import type { Address, Hex } from './types.ts'

/** How an order's money reaches the vendor. @see IVendorRegistry.Settlement */
export type Settlement = (typeof SETTLEMENTS)[number]

/** In the order of the contract's enum. */
export const SETTLEMENTS = ['Instant', 'Streamed'] as const

export interface AbiParameter {
  readonly name: string
  readonly type: string
  readonly internalType?: string
  readonly indexed?: boolean
  readonly components?: readonly AbiParameter[]
}

export interface AbiEntry {
  readonly type: string
  readonly name?: string
  readonly inputs?: readonly AbiParameter[]
  readonly outputs?: readonly AbiParameter[]
}

/** The types our contracts use. */
export type AbiValue =
  string | number | bigint | boolean | ChainText | readonly AbiValue[] | { readonly [name: string]: AbiValue }

/** Values of one word or less of structure, by ABI type; integers of up to 48 bits are numbers, longer ones bigints. */
type SimpleOf<Type> = Type extends 'uint8' | 'uint16' | 'uint32' | 'uint40'
  ? number
  : Type extends `uint${string}`
    ? bigint
    : Type extends 'address'
      ? Address
      : Type extends 'bool'
        ? boolean
        : Type extends `bytes${string}`
          ? Hex
          : never

type ValueAs<Type, P extends AbiParameter, Text> = Type extends `${infer Item}[]`
  ? readonly ValueAs<Item, P, Text>[]
  : Type extends 'tuple'
    ? { readonly [C in NonNullable<P['components']>[number] as C['name']]: ValueAs<C['type'], C, Text> }
    : Type extends 'string'
      ? Text
      : P extends { readonly internalType: `enum ${string}.Settlement` }
        ? Settlement
        : SimpleOf<Type>

/** The value of a parameter as we read it. */
export type ValueOf<P extends AbiParameter> = ValueAs<P['type'], P, ChainText>

/** What we pass for a parameter: as `ValueOf`, but text is a plain string. */
export type InputOf<P extends AbiParameter> = ValueAs<P['type'], P, string>

/** Parameters as an object by name. */
export type FieldsOf<List extends readonly AbiParameter[]> = {
  readonly [P in List[number] as P['name']]: ValueOf<P>
}

export type EntryOf<Abi extends readonly AbiEntry[], Type extends string, Name extends string> = Extract<
  Abi[number],
  { readonly type: Type; readonly name: Name }
>

export type NameOf<Abi extends readonly AbiEntry[], Type extends string> =
  Extract<Abi[number], { readonly type: Type }> extends { readonly name: infer Name extends string } ? Name : never

/** Arguments of a function, in order. */
export type ArgumentsOf<Entry> = Entry extends { readonly inputs: infer List extends readonly AbiParameter[] }
  ? { readonly [I in keyof List]: InputOf<List[I]> }
  : never

/** What a function answers, in order. */
export type ResultsOf<Entry> = Entry extends { readonly outputs: infer List extends readonly AbiParameter[] }
  ? { readonly [I in keyof List]: ValueOf<List[I]> }
  : never
