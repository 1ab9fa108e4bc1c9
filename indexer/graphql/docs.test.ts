/** Every query of docs/queries.md is answered as it stands. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { getOperationAST, parse, validate } from 'graphql'
import { createDirectorySchema } from './schema.ts'
import { chainOf, codesOf, directoryOf, doing } from './testing.ts'

const page = readFileSync(new URL('../../docs/queries.md', import.meta.url), 'utf8')
const documents = [...page.matchAll(/^```graphql\n(.*?)^```$/gms)].map(([, document = '']) => document)

describe('docs/queries.md', () => {
  for (const document of documents) {
    const operation = getOperationAST(parse(document))
    it(operation?.name?.value ?? document, async () => {
      assert.deepEqual(validate(createDirectorySchema(), parse(document)), [])
      // What a subscription tells has tests of its own.
      if (operation?.operation === 'subscription') return
      const { ask } = await directoryOf(
        chainOf(
          [doing('register', 0, 0), doing('add-plan', 0, 3), doing('add-plan', 0, 4)],
          [doing('buy', 0, 0), doing('buy', 0, 1), doing('profile', 0, 1)],
        ),
      )
      const answer = await ask<object>(document)
      assert.deepEqual(codesOf(answer), [])
      assert.doesNotMatch(JSON.stringify(answer.data), /\[\]/, 'the example shows something')
    })
  }
})
