/** The generated decoders of answers, reverts and calls, against ethers; those of events are in `decode-log.test.ts`. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { paymentsAbi } from '../protocol/abi/payments.ts'
import { vendorRegistryAbi } from '../protocol/abi/vendor-registry.ts'
import { fromHex, toHex } from '../protocol/bytes.ts'
import { paymentsCallDecoders } from '../sim/generated/payments-calls.ts'
import type { AbiEntry, AbiParameter } from './abi.ts'
import { selectorOf } from './abi-encode.ts'
import { canonical } from './abi-read.ts'
import { languageDecoders } from './generated/language.ts'
import { paymentsDecoders } from './generated/payments.ts'
import { tokenDecoders } from './generated/token.ts'
import { vendorRegistryDecoders } from './generated/vendor-registry.ts'
import { languageAbi } from './language-abi.ts'
import { damage, encode, reduced, shown, unshown, valueOf } from './testing.ts'
import { tokenAbi } from './token-abi.ts'
import type { Hex } from './types.ts'

interface Case {
  readonly parameters: readonly AbiParameter[]
  /** Before the encoding. */
  readonly prefix: Hex
  /** Gives the values in order. */
  read(data: Hex): readonly unknown[]
}

type Abi = readonly AbiEntry[]
type Results = Readonly<Record<string, (data: Hex) => readonly unknown[]>>
type Errors = ReadonlyMap<Hex, { args(data: Hex): object }>

const results = (abi: Abi, decoders: Results): Case[] =>
  abi.flatMap(({ type, name = '', outputs = [] }) => {
    const read = decoders[name]
    if (type !== 'function' || outputs.length === 0) return []
    assert.ok(read, name)
    return [{ parameters: outputs, prefix: '0x' as const, read }]
  })

const errors = (abi: Abi, decoders: Errors): Case[] =>
  abi
    .filter(({ type }) => type === 'error')
    .map((entry) => {
      const decoder = decoders.get(selectorOf(entry)) ?? assert.fail(entry.name)
      return {
        parameters: entry.inputs ?? [],
        prefix: selectorOf(entry),
        read: (data) => Object.values(decoder.args(data)),
      }
    })

const calls: Case[] = (paymentsAbi as Abi)
  .filter(({ type }) => type === 'function')
  .map((entry) => {
    const all: Readonly<Record<string, (data: Hex) => { readonly args: object }>> = paymentsCallDecoders.calls
    const decoder = all[selectorOf(entry)] ?? assert.fail(entry.name)
    return {
      parameters: entry.inputs ?? [],
      prefix: selectorOf(entry),
      read: (data) => Object.values(decoder(data).args),
    }
  })

const cases: Case[] = [
  ...results(vendorRegistryAbi, vendorRegistryDecoders.results),
  ...results(paymentsAbi, paymentsDecoders.results),
  ...results(tokenAbi, tokenDecoders.results),
  ...errors(vendorRegistryAbi, vendorRegistryDecoders.errors),
  ...errors(paymentsAbi, paymentsDecoders.errors),
  ...errors(languageAbi, languageDecoders.errors),
  ...calls,
]

const anyCase = fc
  .constantFrom(...cases)
  .chain((one) => fc.tuple(fc.constant(one), fc.tuple(...one.parameters.map(valueOf))))

const write = ({ parameters, prefix }: Case, values: readonly unknown[]): Hex =>
  `${prefix}${encode(parameters, values).slice(2)}`

describe('generated decoders', () => {
  it('give the values that ethers encoded', () => {
    fc.assert(
      fc.property(anyCase, ([one, values]) => {
        const expected = one.parameters.map((parameter, i) => shown(parameter, values[i]))
        assert.deepEqual(reduced(canonical(one.read, write(one, values))), expected)
      }),
      { numRuns: 2000 },
    )
  })

  it('refuse what is not byte for byte what the compiler writes', () => {
    fc.assert(
      fc.property(anyCase, damage, ([one, values], change) => {
        const damaged: Hex = `${one.prefix}${toHex(change(fromHex(encode(one.parameters, values)))).slice(2)}`
        const read = canonical(one.read, damaged)
        if (read === undefined) return
        // Still an answer: then it is the one encoding of other values.
        const again = one.parameters.map((parameter, i) => unshown(parameter, reduced(read[i])))
        assert.equal(write(one, again), damaged)
      }),
      { numRuns: 5000 },
    )
  })
})
