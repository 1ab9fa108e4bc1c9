import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { describe, it } from 'node:test'
import { breakingChanges } from './schema.ts'

describe('the GraphQL schema', async () => {
  const committed = await readFile(new URL('../../indexer/graphql/schema.graphql', import.meta.url), 'utf8')
  const changed = (from: string, to: string) => {
    assert.ok(committed.includes(from), `${from} is in the schema`)
    return breakingChanges(committed, committed.replace(from, to))
  }

  it('may grow', () => {
    assert.deepEqual(breakingChanges(committed, committed), [])
    assert.deepEqual(changed('  active: Boolean!\n', '  active: Boolean!\n\n  more: Int\n'), [])
  })

  it('keeps its fields, their types and their arguments, and asks for no new ones', () => {
    assert.match(changed('  active: Boolean!\n', '  more: Int\n').join(), /Vendor\.active was removed/)
    assert.match(changed('  active: Boolean!\n', '  active: Boolean\n').join(), /Vendor\.active changed type/)
    assert.match(changed('    id: BigInt!\n', '    id: BigInt!\n\n    more: Int!\n').join(), /required arg/i)
    assert.match(changed('  RUNNING\n', '  GOING\n').join(), /RUNNING was removed/)
  })
})
