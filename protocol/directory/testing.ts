/** Answers to a document, made from the committed schema: what it allows, and what it does not. */
import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import {
  buildSchema,
  getNamedType,
  getOperationAST,
  type GraphQLObjectType,
  type GraphQLOutputType,
  isEnumType,
  isListType,
  isNonNullType,
  isObjectType,
  Kind,
  parse,
  type SelectionSetNode,
} from 'graphql'

export const directorySchema = buildSchema(
  readFileSync(new URL('../../indexer/graphql/schema.graphql', import.meta.url), 'utf8'),
)

const digits = (max: bigint) => fc.bigInt({ min: 0n, max }).map(String)
const hex = (bytes: number) =>
  fc.uint8Array({ minLength: bytes, maxLength: bytes }).map((some) => `0x${Buffer.from(some).toString('hex')}`)
const positive = fc.integer({ min: 1, max: 0x7fffffff })
const unixSeconds = digits(2n ** 40n - 1n)

const scalars: Readonly<Record<string, fc.Arbitrary<unknown>>> = {
  BigInt: digits(2n ** 256n - 1n),
  Int: fc.integer({ min: 0, max: 0x7fffffff }),
  Float: fc.double({ min: 0, max: 1, noNaN: true }),
  Boolean: fc.boolean(),
  String: fc.oneof(fc.string({ unit: 'binary', maxLength: 20 }), fc.constantFrom('a\u001b[31mb', 'a\u202eb\u2066', '')),
  Address: hex(20),
  Bytes32: hex(32),
}

/** What the schema says of these in words only. */
const described: Readonly<Record<string, fc.Arbitrary<unknown>>> = {
  'Vendor.uri': fc
    .tuple(fc.bigInt({ min: 1n, max: 2n ** 64n }), hex(20), fc.bigInt({ min: 1n, max: 2n ** 64n - 1n }))
    .map(([chain, registry, id]) => `chrove:eip155:${chain}:${registry}/${id}`),
  'PageInfo.endCursor': fc.base64String({ minLength: 4 }).filter((text) => /^[A-Za-z0-9]/.test(text)),
  'Plan.planId': positive,
  'Plan.periodSeconds': positive,
  'Plan.maxPeriods': positive,
  'Probe.code': fc.constantFrom('ERR_NETWORK_TIMEOUT', 'ERR_HTTP_404'),
  'Probe.triedAt': unixSeconds,
  'Probe.seenAt': unixSeconds,
  'Block.timestamp': unixSeconds,
  'Order.startedAt': unixSeconds,
  'Order.endsAt': unixSeconds,
}

/** Other kinds of value than the scalar's, and values beyond it. */
const notScalars: Readonly<Record<string, readonly unknown[]>> = {
  BigInt: [1, '', '-1', '0x1', '1.5', true, {}, '9'.repeat(79)],
  Int: ['1', 1.5, -1, 2 ** 31, true, {}],
  Float: ['0.5', true, {}],
  Boolean: ['true', 0, 1, {}],
  String: [1, true, {}, []],
  Address: [1, '0x', `0x${'0'.repeat(64)}`, 'g'.repeat(42), {}],
  Bytes32: [1, '0x', `0x${'0'.repeat(40)}`, 'g'.repeat(66), {}],
}

/** @param where type and field */
type Make = (type: GraphQLOutputType, selection: SelectionSetNode | undefined, where: string) => fc.Arbitrary<unknown>

const fieldsOf = (type: GraphQLObjectType, { selections }: SelectionSetNode) =>
  selections.map((selection) => {
    if (selection.kind !== Kind.FIELD) throw new TypeError('our documents have no fragments')
    const name = selection.name.value
    const field = type.getFields()[name]
    if (!field) throw new TypeError(`${type.name} has no ${name}`)
    return { name, type: field.type, selection: selection.selectionSet, where: `${type.name}.${name}` }
  })

const objectOf = (type: GraphQLOutputType, selection: SelectionSetNode | undefined) => {
  const named = getNamedType(type)
  if (!isObjectType(named) || !selection) throw new TypeError('not an object')
  return fieldsOf(named, selection)
}

const right: Make = (type, selection, where) => {
  if (isNonNullType(type)) return rightOf(type.ofType, selection, where)
  return fc.option(rightOf(type, selection, where), { freq: 3 })
}

const rightOf: Make = (type, selection, where) => {
  if (isListType(type)) return fc.array(right(type.ofType, selection, where), { maxLength: 3 })
  const named = getNamedType(type)
  if (isEnumType(named)) return fc.constantFrom(...named.getValues().map(({ name }) => name))
  if (!isObjectType(named)) return described[where] ?? scalars[named.name] ?? fc.constant(undefined)
  const fields = objectOf(type, selection).map(
    (field) => [field.name, right(field.type, field.selection, field.where)] as const,
  )
  return fc.record(Object.fromEntries(fields))
}

/** A value with one fault, and which that is. */
type Wrong = readonly [fault: string, value: fc.Arbitrary<unknown>]

/** All faults that a value can have, in every place below it. */
const wrongs = (type: GraphQLOutputType, selection: SelectionSetNode | undefined, where: string): readonly Wrong[] => {
  if (isNonNullType(type)) {
    return [[`${where} is null`, fc.constant(null)], ...wrongs(type.ofType, selection, where)]
  }
  if (isListType(type)) {
    const list = fc.array(right(type.ofType, selection, where), { maxLength: 2 })
    const within = wrongs(type.ofType, selection, where).map(([fault, value]): Wrong => {
      return [`${fault}, in a list`, fc.tuple(list, value).map(([some, one]) => [...some, one])]
    })
    return [[`${where} is no list`, fc.constantFrom<unknown>({}, 'none', 1)], ...within]
  }
  const named = getNamedType(type)
  const others = isEnumType(named) ? ['OTHER', named.getValues()[0]?.name.toLowerCase(), 1, {}] : notScalars[named.name]
  if (others) return others.map((other) => [`${where} is ${JSON.stringify(other)}`, fc.constant(other)])
  const within = objectOf(type, selection).flatMap((field) =>
    [
      [`${field.where} is missing`, fc.constant(undefined)] as const,
      ...wrongs(field.type, field.selection, field.where),
    ].map(([fault, value]): Wrong => {
      const whole = fc.tuple(rightOf(type, selection, where), value)
      return [fault, whole.map(([object, one]) => ({ ...(object as object), [field.name]: one }))]
    }),
  )
  return [[`${where} is no object`, fc.constantFrom<unknown>([], 'none', 1)], ...within]
}

const rootOf = (document: string) => {
  const operation = getOperationAST(parse(document))
  const type = directorySchema.getQueryType()
  if (!operation || !type) throw new TypeError('not a query')
  return { operation, type, selection: operation.selectionSet }
}

/** Whatever `data` the schema allows in an answer to the document. */
export const answersTo = (document: string): fc.Arbitrary<unknown> => {
  const { type, selection } = rootOf(document)
  return rightOf(type, selection, '')
}

/** The same with one fault, for each fault that there can be. */
export const wrongAnswersTo = (document: string): readonly Wrong[] => {
  const { type, selection } = rootOf(document)
  return wrongs(type, selection, 'data')
}
