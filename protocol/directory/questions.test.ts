/** The client's documents and the committed schema say the same, and answers of any other kind are none. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { parse, validate } from 'graphql'
import { documents } from './generated/documents.ts'
import { type DocumentName, questionBody, readAnswer } from './questions.ts'
import { answersTo, directorySchema, wrongAnswersTo } from './testing.ts'

const names = Object.keys(documents) as DocumentName[]
/** What came over the wire. */
const sent = (value: unknown): unknown => JSON.parse(JSON.stringify(value))

describe('the documents of buyers', () => {
  it('are the files that a directory can be given, byte by byte', () => {
    const folder = new URL('./documents/', import.meta.url)
    const files = readdirSync(folder).map((file) => readFileSync(new URL(file, folder), 'utf8'))
    assert.deepEqual(new Set(files), new Set(names.map((name) => documents[name].text)))
  })

  for (const name of names) {
    it(`${name}: fits the schema, and is sent with its digest`, () => {
      const { text } = documents[name]
      assert.deepEqual(validate(directorySchema, parse(text)), [])
      const body = JSON.parse(questionBody(name, {} as never)) as object
      const sha256Hash = createHash('sha256').update(text).digest('hex')
      assert.deepEqual(body, { query: text, variables: {}, extensions: { persistedQuery: { version: 1, sha256Hash } } })
    })

    it(`${name}: whatever the schema allows is an answer`, () => {
      fc.assert(
        fc.property(answersTo(documents[name].text), (data) => {
          assert.equal(readAnswer(name, sent({ data })).kind, 'answer')
        }),
      )
    })

    it(`${name}: what the schema does not allow is none, in whatever place`, () => {
      for (const [fault, answers] of wrongAnswersTo(documents[name].text)) {
        const isNone = fc.property(answers, (data) => {
          assert.equal(readAnswer(name, sent({ data })).kind, 'nonsense', fault)
        })
        fc.assert(isNone, { numRuns: 5 })
      }
    })
  }
})

describe('an answer', () => {
  it('that is a refusal tells its code and whether to ask again, and nothing of its words', () => {
    const refusal = (extensions: unknown) => readAnswer('meta', { errors: [{ message: '\u202ewords', extensions }] })
    assert.deepEqual(refusal({ code: 'ERR_NOT_READY', retryable: true }), {
      kind: 'refused',
      code: 'ERR_NOT_READY',
      retryable: true,
    })
    assert.deepEqual(refusal({ code: 'ERR_X' }), { kind: 'refused', code: 'ERR_X', retryable: false })
    for (const extensions of [undefined, {}, { code: 'x; rm' }, { code: `ERR_${'X'.repeat(99)}` }]) {
      assert.deepEqual(refusal(extensions), { kind: 'nonsense' })
    }
  })

  it('that has errors beside its data is none', () => {
    fc.assert(
      fc.property(answersTo(documents.meta.text), fc.jsonValue(), (data, errors) => {
        assert.notEqual(readAnswer('meta', sent({ data, errors })).kind, 'answer')
      }),
    )
  })

  it('is made safe to show', () => {
    fc.assert(
      fc.property(answersTo(documents.vendors.text), (data) => {
        const read = readAnswer('vendors', sent({ data }))
        const shown = JSON.stringify(read, (_key, value: unknown) => (typeof value === 'bigint' ? `${value}` : value))
        assert.doesNotMatch(shown, /[\u202a-\u202e\u2066-\u2069\u200b-\u200f]|\\u00[01]/i)
      }),
    )
  })
})
