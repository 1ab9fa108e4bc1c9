import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { parseCase, parseSavedSeeds } from './saved-seeds.ts'

describe('saved seeds', () => {
  it('are read with their path, length and reason; comments and blank lines are passed over', () => {
    assert.deepEqual(parseSavedSeeds('# why\n\n7 100 a reason\n8:0:3 20 another one\n'), [
      { seed: 7, path: undefined, commands: 100, reason: 'a reason' },
      { seed: 8, path: '0:3', commands: 20, reason: 'another one' },
    ])
  })

  it('need a reason each', () => {
    for (const line of ['7', '7 100', '7 100 ', 'seven 100 a reason', '7:x 100 a reason'])
      assert.throws(() => parseSavedSeeds(line), /line 1/)
  })

  it('of this project can be read', () => {
    assert.ok(parseSavedSeeds(readFileSync(new URL('seeds.txt', import.meta.url), 'utf8')).length > 0)
  })

  it('name a case as --replay takes it', () => {
    assert.deepEqual(parseCase('7:0:12'), { seed: 7, path: '0:12' })
    for (const text of ['', ':', 'x', '7:x', '-1', '7.5']) assert.equal(parseCase(text), undefined)
  })
})
