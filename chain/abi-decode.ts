/**
 * Reads ABI-encoded values, strictly: only the one encoding that a Solidity compiler writes is accepted, so offsets
 * run on without gaps or overlaps, padding is zero and nothing follows. Strings are taken as bytes (`ChainText`),
 * because no contract checks that they are UTF-8.
 */
import { toHex } from '../protocol/bytes.ts'
import { chainText } from '../protocol/text.ts'
import { type AbiParameter, type AbiValue, SETTLEMENTS } from './abi.ts'

const WORD = 32

/** The bytes are not the canonical encoding of these types. Callers turn it into an answer of their own. */
class NotCanonical extends Error {}

interface Codec {
  /** Bytes in the head: 32 for what is dynamic, else the whole value. */
  readonly headBytes: number
  readonly dynamic: boolean
  /** Reads the value at a position; `end` is where its encoding ends. */
  read(data: Uint8Array, at: number): { readonly value: AbiValue; readonly end: number }
}

const expect = (holds: boolean): void => {
  if (!holds) throw new NotCanonical('bytes are not the canonical encoding of their type')
}

const zeros = (data: Uint8Array, from: number, to: number): void => {
  for (let i = from; i < to; i++) expect(data[i] === 0)
}

/** An integer that fits 48 bits; anything larger is no length, offset or small integer of ours. */
const smallInteger = (data: Uint8Array, at: number): number => {
  expect(at + WORD <= data.length)
  zeros(data, at, at + WORD - 6)
  let value = 0
  for (let i = at + WORD - 6; i < at + WORD; i++) value = value * 256 + (data[i] ?? 0)
  return value
}

/** A static value of one word, of which only the last `bytes` may be set (the first, when `left`). */
const word = (bytes: number, left: boolean, convert: (value: Uint8Array) => AbiValue): Codec => ({
  headBytes: WORD,
  dynamic: false,
  read(data, at) {
    const end = at + WORD
    expect(end <= data.length)
    if (left) zeros(data, at + bytes, end)
    else zeros(data, at, end - bytes)
    return { value: convert(left ? data.subarray(at, at + bytes) : data.subarray(end - bytes, end)), end }
  },
})

const choice = <T extends AbiValue>(values: readonly T[]): Codec => ({
  headBytes: WORD,
  dynamic: false,
  read(data, at) {
    const index = smallInteger(data, at)
    expect(index < values.length)
    return { value: values[index] as T, end: at + WORD }
  },
})

const bytes = (convert: (value: Uint8Array) => AbiValue): Codec => ({
  headBytes: WORD,
  dynamic: true,
  read(data, at) {
    const length = smallInteger(data, at)
    const start = at + WORD
    const end = start + Math.ceil(length / WORD) * WORD
    expect(end <= data.length)
    zeros(data, start + length, end)
    return { value: convert(data.slice(start, start + length)), end }
  },
})

/** Values one after the other: heads first, then the dynamic ones in the same order. */
const readSequence = (codecs: readonly Codec[], data: Uint8Array, at: number) => {
  let head = at
  let tail = at + codecs.reduce((sum, codec) => sum + codec.headBytes, 0)
  const values: AbiValue[] = []
  for (const codec of codecs) {
    if (codec.dynamic) expect(smallInteger(data, head) === tail - at)
    const { value, end } = codec.read(data, codec.dynamic ? tail : head)
    if (codec.dynamic) tail = end
    head += codec.headBytes
    values.push(value)
  }
  return { values, end: tail }
}

const array = (item: Codec): Codec => ({
  headBytes: WORD,
  dynamic: true,
  read(data, at) {
    const length = smallInteger(data, at)
    // Each item has a head, so a length that does not fit is refused before anything is allocated for it.
    expect(at + WORD + length * item.headBytes <= data.length)
    const { values, end } = readSequence(
      Array.from({ length }, () => item),
      data,
      at + WORD,
    )
    return { value: values, end }
  },
})

const tuple = (components: readonly AbiParameter[]): Codec => {
  const codecs = components.map(codecOf)
  const dynamic = codecs.some((codec) => codec.dynamic)
  return {
    headBytes: dynamic ? WORD : codecs.reduce((sum, codec) => sum + codec.headBytes, 0),
    dynamic,
    read(data, at) {
      const { values, end } = readSequence(codecs, data, at)
      return { value: named(components, values), end }
    },
  }
}

const named = (
  parameters: readonly AbiParameter[],
  values: readonly AbiValue[],
): { readonly [name: string]: AbiValue } =>
  Object.fromEntries(parameters.map((parameter, i) => [parameter.name, values[i] as AbiValue]))

const codecOf = (parameter: AbiParameter): Codec => {
  const { type } = parameter
  if (type.endsWith('[]')) return array(codecOf({ ...parameter, type: type.slice(0, -2) }))
  if (parameter.internalType?.endsWith('.Settlement')) return choice(SETTLEMENTS)
  if (type === 'tuple') return tuple(parameter.components ?? [])
  if (type === 'address') return word(20, false, toHex)
  if (type === 'bool') return choice([false, true])
  if (type === 'string') return bytes(chainText)
  if (type === 'bytes') return bytes(toHex)
  const [, kind, size] = /^(uint|bytes)(\d+)$/.exec(type) ?? []
  if (kind === 'bytes') return word(Number(size), true, toHex)
  if (kind === 'uint') {
    const convert =
      Number(size) <= 48 ? (value: Uint8Array) => Number(toHex(value)) : (value: Uint8Array) => BigInt(toHex(value))
    return word(Number(size) / 8, false, convert)
  }
  throw new Error(`no contract of ours uses the type ${type}`)
}

/** Reads one list of parameters. */
export interface Decoder {
  /** @returns the values in order, or undefined when the bytes are not their canonical encoding */
  values(data: Uint8Array): readonly AbiValue[] | undefined
  /** The same by name. */
  fields(data: Uint8Array): { readonly [name: string]: AbiValue } | undefined
}

/** Prepares the reading of a list of parameters. */
export const createDecoder = (parameters: readonly AbiParameter[]): Decoder => {
  const codecs = parameters.map(codecOf)
  const values = (data: Uint8Array): readonly AbiValue[] | undefined => {
    try {
      const read = readSequence(codecs, data, 0)
      return read.end === data.length ? read.values : undefined
    } catch (error) {
      if (error instanceof NotCanonical) return undefined
      throw error
    }
  }
  return {
    values,
    fields(data) {
      const list = values(data)
      return list && named(parameters, list)
    },
  }
}
