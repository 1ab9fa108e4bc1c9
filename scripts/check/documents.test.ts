import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { buildSchema } from 'graphql'
import { documentFaults, renderDocuments } from './documents.ts'

const schema = buildSchema('type Query { vendors(first: Int!): [Int!]! }')
const faultsOf = (text: string) => documentFaults(schema, [{ name: 'vendors', text }])

describe('the documents of buyers', () => {
  it('fit the committed schema, or it is said which does not, and why', () => {
    assert.deepEqual(faultsOf('{ vendors(first: 1) }'), [])
    assert.match(faultsOf('{ vendors }').join(), /^vendors\.graphql: .*first/)
    assert.match(faultsOf('{ sellers }').join(), /sellers/)
    assert.match(faultsOf('query ($n: String!) { vendors(first: $n) }').join(), /\$n/)
  })

  it('become a module that has each text as it stands, beside its digest', () => {
    const module = renderDocuments([{ name: 'one', text: '{ "a" }\n' }])
    assert.ok(module.includes(JSON.stringify('{ "a" }\n')))
    assert.match(module, /one: \{\s+sha256: '22ac2db8/)
  })
})
