/**
 * Reads ABI encodings as hex, strictly: what the generated decoders are made of. Only the one encoding that a Solidity
 * compiler writes is accepted, so offsets run on without gaps or overlaps, padding is zero and nothing follows. Strings
 * are taken as bytes (`ChainText`), because no contract checks that they are UTF-8. Positions count characters of the
 * hex text; a word has 64.
 */
import { fromHex } from '../protocol/bytes.ts'
import { type ChainText, chainText } from '../protocol/text.ts'
import type { Address, Hex } from './types.ts'

/** The text is not the canonical encoding of what is read. One for all, for a stack trace costs more than an event. */
const notCanonical = new Error('bytes are not the canonical encoding of their type')

/**
 * Runs a generated decoder.
 * @returns undefined when what it reads is not the canonical encoding of its type
 */
export const canonical = <Input, Value>(read: (input: Input) => Value, input: Input): Value | undefined => {
  try {
    return read(input)
  } catch (error) {
    if (error === notCanonical) return undefined
    throw error
  }
}

const expect = (holds: boolean): void => {
  if (!holds) throw notCanonical
}

const WORD = 64
const ZEROS = '0'.repeat(WORD)
const PADDING = Array.from({ length: WORD + 1 }, (_, digits) => ZEROS.slice(digits))

/** The last digits of a word of which the others are zero. */
const low = (data: Hex, at: number, digits: number): string => {
  const end = at + WORD
  expect(end <= data.length && data.startsWith(PADDING[digits] ?? ZEROS, at))
  return data.slice(end - digits, end)
}

/** @param digits at most 12, so that it is a safe integer */
export const number = (data: Hex, at: number, digits: number): number => Number.parseInt(low(data, at, digits), 16)

export const integer = (data: Hex, at: number, digits: number): bigint => BigInt(`0x${low(data, at, digits)}`)

export const address = (data: Hex, at: number): Address => `0x${low(data, at, 40)}` as Address

export const flag = (data: Hex, at: number): boolean => {
  const bit = low(data, at, 1)
  expect(bit === '0' || bit === '1')
  return bit === '1'
}

export const choice = <T>(data: Hex, at: number, values: readonly [T, T, ...T[]]): T => {
  const index = number(data, at, 2)
  expect(index < values.length)
  return values[index] ?? values[0]
}

/** Bytes of fixed size, which stand at the front of their word. */
export const fixedBytes = (data: Hex, at: number, digits: number): Hex => {
  expect(at + WORD <= data.length && data.startsWith(PADDING[digits] ?? ZEROS, at + digits))
  return `0x${data.slice(at, at + digits)}`
}

export const topicCount = (topics: readonly Hex[], count: number): void => expect(topics.length === count)

export const topic = (topics: readonly Hex[], at: number): Hex => {
  const found = topics[at]
  if (found?.length !== 2 + WORD) throw notCanonical
  return found
}

/** Where the next dynamic value has to be. */
export interface Tail {
  at: number
}

/** Begins a sequence of values, some of them dynamic, whose heads take so many digits. */
export const heads = (data: Hex, at: number, digits: number): Tail => {
  expect(at + digits <= data.length)
  return { at: at + digits }
}

/** Checks the head of a dynamic value: its offset from the sequence's begin is that of the tail. */
export const offset = (data: Hex, at: number, base: number, tail: Tail): Tail => {
  expect(number(data, at, 12) * 2 === tail.at - base)
  return tail
}

export const ends = (data: Hex, at: number): void => expect(at === data.length)

export const bytes = (data: Hex, tail: Tail): Hex => {
  const digits = number(data, tail.at, 12) * 2
  const start = tail.at + WORD
  const end = start + digits
  tail.at = start + Math.ceil(digits / WORD) * WORD
  expect(tail.at <= data.length && data.startsWith(PADDING[WORD - (tail.at - end)] ?? ZEROS, end))
  return `0x${data.slice(start, end)}`
}

export const text = (data: Hex, tail: Tail): ChainText => chainText(fromHex(bytes(data, tail)))

/** The begin of an array's items. Each has a head, so a length that does not fit is refused before anything is made. */
const items = (data: Hex, tail: Tail, headDigits: number): { readonly length: number; readonly base: number } => {
  const length = number(data, tail.at, 12)
  const base = tail.at + WORD
  expect(base + length * headDigits <= data.length)
  tail.at = base + length * headDigits
  return { length, base }
}

export const staticList = <T>(
  data: Hex,
  tail: Tail,
  digits: number,
  read: (data: Hex, at: number) => T,
): readonly T[] => {
  const { length, base } = items(data, tail, digits)
  return Array.from({ length }, (_, index) => read(data, base + index * digits))
}

export const dynamicList = <T>(data: Hex, tail: Tail, read: (data: Hex, tail: Tail) => T): readonly T[] => {
  const { length, base } = items(data, tail, WORD)
  return Array.from({ length }, (_, index) => read(data, offset(data, base + index * WORD, base, tail)))
}
