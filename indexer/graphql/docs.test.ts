/** Every query of docs/queries.md is answered as it stands. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { getOperationAST, parse } from 'graphql'
import { chainOf, codesOf, directoryOf, doing } from './testing.ts'

const page = readFileSync(new URL('../../docs/queries.md', import.meta.url), 'utf8')
const documents = [...page.matchAll(/^```graphql\n(.*?)^```$/gms)].map(([, document = '']) => document)

describe('docs/queries.md', () => {
  for (const document of documents) {
    it(getOperationAST(parse(document))?.name?.value ?? document, async () => {
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
