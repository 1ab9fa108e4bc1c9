/** Operations made ready to run give what the ordinary executor gives. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import {
  type GraphQLObjectType,
  type GraphQLOutputType,
  getNamedType,
  isInterfaceType,
  isLeafType,
  isObjectType,
} from 'graphql'
import { operations } from '../testing.ts'
import { createDirectorySchema } from './schema.ts'
import { chainOf, directoryOf, doing } from './testing.ts'

const schema = createDirectorySchema()

/** Arguments that some fields need, and some that they may have. */
const ARGUMENTS: Readonly<Record<string, readonly string[]>> = {
  vendor: ['(id: 1)', '(id: 2)', '(id: $id)'],
  order: [`(vendorId: 1, planId: 1, keyHash: "0x${'0'.repeat(64)}")`],
  node: ['(id: "vendor:1")', '(id: "plan:1/1")', '(id: "nonsense")'],
  vendors: [
    '',
    '(first: 2)',
    '(last: 2)',
    '(first: $first)',
    '(filter: { active: true }, orderBy: { field: CHANGED })',
  ],
  plans: ['', '(first: 1)', '(last: $first)', '(filter: { onSale: true })'],
  orders: ['', '(first: 2, orderBy: { field: ENDS_AT, direction: DESC })'],
}

const VARIABLES = { on: 'Boolean!', off: 'Boolean = false', id: 'BigInt!', first: 'Int' }

const SWITCHES = ['', '', '', ' @include(if: $on)', ' @skip(if: $on)', ' @skip(if: false)', ' @include(if: $off)']

/** Selections of a type, down to some depth; aliases, fragments and switched fields among them. */
const selections = (type: GraphQLOutputType, depth: number): fc.Arbitrary<string> => {
  const named = getNamedType(type)
  if (isInterfaceType(named)) {
    const on = schema.getPossibleTypes(named)
    return fc
      .tuple(...on.map((each) => selections(each, depth)))
      .map((parts) => `{ __typename id ${on.map(({ name }, i) => `... on ${name} ${parts[i]}`).join(' ')} }`)
  }
  if (!isObjectType(named)) return fc.constant('')
  return fc
    .array(oneSelection(named, depth), { minLength: 1, maxLength: depth > 2 ? 5 : 3, size: 'max' })
    .map((all) => `{ ${all.join(' ')} }`)
}

const oneSelection = (type: GraphQLObjectType, depth: number): fc.Arbitrary<string> => {
  const fields = Object.values(type.getFields()).filter((field) => depth > 0 || isLeafType(getNamedType(field.type)))
  const field = fc.constantFrom(...fields).chain(({ name, type: of }) =>
    fc
      .tuple(fc.constantFrom(...(ARGUMENTS[name] ?? [''])), fc.constantFrom(...SWITCHES), selections(of, depth - 1))
      // Named after its arguments, so that fields of one name can be merged.
      .map(([args, on, inside]) => `${args === '' ? '' : `${name}_${hashOf(args)}: `}${name}${args}${on} ${inside}`),
  )
  const typeName = fc.constantFrom('__typename', 'kind: __typename')
  if (depth <= 0) return fc.oneof({ arbitrary: field, weight: 5 }, typeName)
  const inline = fc
    .tuple(fc.constantFrom(...SWITCHES), field)
    .map(([on, inside]) => `... on ${type.name}${on} { ${inside} }`)
  return fc.oneof({ arbitrary: field, weight: 6 }, typeName, inline)
}

const hashOf = (text: string): string => Buffer.from(text).toString('hex').slice(0, 60)

const query = selections(schema.getQueryType() as GraphQLObjectType, 4)

describe('an operation made ready', () => {
  it('gives what the library gives, byte for byte, for any query', async () => {
    let ready = 0
    await fc.assert(
      fc.asyncProperty(
        operations,
        fc.array(query, { minLength: 5, maxLength: 10 }),
        fc.boolean(),
        async (blocks, queries, on) => {
          const { graphql, post } = await directoryOf(
            chainOf([doing('register', 0, 0), doing('add-plan', 0, 1)], ...blocks),
          )
          for (const text of queries) {
            const declared = Object.entries(VARIABLES).filter(([name]) => text.includes(`$${name}`))
            const head =
              declared.length === 0 ? '' : `(${declared.map(([name, type]) => `$${name}: ${type}`).join(', ')})`
            const body = { query: `query ${head} ${text}`, variables: { on, id: '1', first: 2 } }
            const own = await post(body)
            const library = await graphql(
              new Request('http://directory/graphql', {
                method: 'POST',
                headers: { 'content-type': 'application/json' },
                body: JSON.stringify(body),
              }),
            )
            const expected = await library.text()
            assert.equal(await own.text(), expected)
            if (own.headers.get('vary') === 'accept') ready++
            else assert.match(expected, /"errors":/)
          }
        },
      ),
      { numRuns: 25 },
    )
    assert.ok(ready > 50, `only ${ready} were made ready`)
  })
})
