/** For tests: values of our contracts' types, encoded by ethers; and what damages an encoding. */
import { AbiCoder } from 'ethers'
import fc from 'fast-check'
import { toHex } from '../protocol/bytes.ts'
import { type AbiParameter, type Settlement, SETTLEMENTS } from './abi.ts'
import type { Hex } from './types.ts'

const isSettlement = ({ internalType }: AbiParameter): boolean => internalType?.startsWith('enum') ?? false
const itemOf = (parameter: AbiParameter): AbiParameter => ({ ...parameter, type: parameter.type.slice(0, -2) })

/** Values of a parameter, as ethers takes them; strings as bytes, structs as lists. */
export const valueOf = (parameter: AbiParameter): fc.Arbitrary<unknown> => {
  const { type, components = [] } = parameter
  if (type.endsWith('[]')) return fc.array(valueOf(itemOf(parameter)), { maxLength: 4 })
  if (type === 'tuple') return fc.tuple(...components.map(valueOf))
  if (type === 'string') return fc.uint8Array({ maxLength: 200 })
  if (type === 'bytes') return fc.uint8Array({ maxLength: 70 }).map(toHex)
  if (type === 'bool') return fc.boolean()
  if (isSettlement(parameter)) return fc.nat({ max: 1 })
  if (type === 'address') return fc.uint8Array({ minLength: 20, maxLength: 20 }).map(toHex)
  if (type === 'bytes32') return fc.uint8Array({ minLength: 32, maxLength: 32 }).map(toHex)
  return fc.bigInt({ min: 0n, max: 2n ** BigInt(type.slice('uint'.length)) - 1n })
}

const typeText = ({ type, components }: AbiParameter): string =>
  components ? `(${components.map(typeText).join(',')})${type.slice('tuple'.length)}` : type.replace('string', 'bytes')

/** What ethers makes of values as `valueOf` has them. */
export const encode = (parameters: readonly AbiParameter[], values: readonly unknown[]): Hex =>
  AbiCoder.defaultAbiCoder().encode(parameters.map(typeText), values) as Hex

/** A value as `valueOf` has it, as our decoders show it; text as its bytes. */
export const shown = (parameter: AbiParameter, value: unknown): unknown => {
  const { type, components = [] } = parameter
  if (type.endsWith('[]')) return (value as unknown[]).map((item) => shown(itemOf(parameter), item))
  if (type === 'tuple') {
    const fields = components.map((field, i) => [field.name, shown(field, (value as unknown[])[i])])
    return Object.fromEntries(fields)
  }
  if (isSettlement(parameter)) return SETTLEMENTS[Number(value)]
  return /^uint(8|16|32|40)$/.test(type) ? Number(value) : value
}

/** What a decoder gave, with text reduced to its bytes. */
export const reduced = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(reduced)
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return value
  if ('bytes' in value && 'text' in value) return value.bytes
  return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, reduced(field)]))
}

/** The way back from `shown`. */
export const unshown = (parameter: AbiParameter, value: unknown): unknown => {
  const { type, components = [] } = parameter
  if (type.endsWith('[]')) return (value as unknown[]).map((item) => unshown(itemOf(parameter), item))
  if (type === 'tuple') return components.map((field) => unshown(field, (value as Record<string, unknown>)[field.name]))
  return isSettlement(parameter) ? SETTLEMENTS.indexOf(value as Settlement) : value
}

/** Changes some bytes: one bit, some more, some fewer, or a word by a number that means something as a length or offset. */
export const damage: fc.Arbitrary<(bytes: Uint8Array) => Uint8Array> = fc.oneof(
  fc.tuple(fc.nat(), fc.nat({ max: 7 })).map(([at, bit]) => (bytes: Uint8Array) => {
    const damaged = bytes.slice()
    const place = at % Math.max(bytes.length, 1)
    damaged[place] = (bytes[place] ?? 0) ^ (1 << bit)
    return damaged
  }),
  fc.tuple(fc.integer({ min: 1, max: 64 }), fc.nat({ max: 1 })).map(
    ([more, filling]) =>
      (bytes: Uint8Array) =>
        new Uint8Array([...bytes, ...new Uint8Array(more).fill(filling)]),
  ),
  fc.nat().map((at) => (bytes: Uint8Array) => bytes.slice(0, at % Math.max(bytes.length, 1))),
  fc
    .tuple(fc.nat(), fc.constantFrom(0, 1, 2, 32, 64, 96, 128, 192, 255))
    .map(([word, value]) => (bytes: Uint8Array) => {
      const damaged = bytes.slice()
      const start = 32 * (word % Math.max(Math.floor(bytes.length / 32), 1))
      damaged.fill(0, start, start + 32)
      if (start + 32 <= damaged.length) damaged[start + 31] = value
      return damaged
    }),
)
