import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { compare, type Judged, readExplanations } from './explanations.ts'

const mutant = { contract: 'Till', member: 'pay', was: 'total += a;', becomes: '', nth: 1 }
const rest = { source: 'Till.sol', operator: 'deletion', start: 0, end: 0, text: '', line: 7, site: undefined } as const
const judged = (kind: 'survived' | 'equivalent'): Judged => ({ mutant: { ...mutant, ...rest }, fate: { kind } })
const explanation = { ...mutant, reason: 'Nothing reads it.' }

describe('explanations', () => {
  let folder: string
  before(async () => void (folder = await mkdtemp(join(tmpdir(), 'chrove-explanations-'))))
  after(() => rm(folder, { recursive: true }))

  const read = async (content: unknown) => {
    const path = join(folder, 'survivors.json')
    await writeFile(path, JSON.stringify(content))
    return readExplanations(path)
  }

  it('excuse the survivor they name', () => {
    const { unexplained, stale } = compare([judged('survived')], [explanation])
    assert.deepEqual([unexplained, stale], [[], []])
  })

  it('leave other survivors unexplained', () => {
    const { unexplained, stale } = compare([judged('survived')], [{ ...explanation, nth: 2 }])
    assert.deepEqual([unexplained.length, stale.length], [1, 1])
  })

  it('are stale once the mutant is no survivor, or is gone', () => {
    assert.deepEqual(compare([judged('equivalent')], [explanation]).stale, [explanation])
    assert.deepEqual(compare([], [explanation]).stale, [explanation])
  })

  it('are none where there is no file', async () => {
    assert.deepEqual(await readExplanations(join(folder, 'absent.json')), [])
  })

  it('are of the first of several mutants alike where they do not say', async () => {
    const { nth: _, ...unnumbered } = explanation
    assert.deepEqual(await read([unnumbered]), [explanation])
  })

  it('are refused without a reason, with fields unknown, and twice', async () => {
    for (const content of [
      [{ ...explanation, reason: '' }],
      [{ ...explanation, line: 7 }],
      [explanation, explanation],
    ]) {
      await assert.rejects(read(content))
    }
  })
})
