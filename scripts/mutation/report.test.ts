import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Judged } from './explanations.ts'
import { countOf, progressLine, summarize, textOf } from './report.ts'

const judged = (kind: 'survived' | 'equivalent' | 'uncompilable' | 'killed', at: number): Judged => ({
  mutant: {
    ...{ contract: 'Till', member: 'pay', was: `total += ${at};`, becomes: '', nth: 1, source: 'project/Till.sol' },
    ...{ operator: 'deletion', start: 0, end: 0, text: '', line: at, site: undefined },
  },
  fate: kind === 'killed' ? { kind, by: 'TillTest.test_Pay()' } : { kind },
})

const all = [...(['killed', 'killed', 'killed', 'survived', 'equivalent', 'uncompilable'] as const)].map(judged)
const paths = new Map([['project/Till.sol', 'contracts/Till.sol']])

describe('a report', () => {
  it('scores what was killed of what could be', () => {
    const count = { mutants: 6, killed: 3, survived: 1, equivalent: 1, uncompilable: 1, score: 0.75 }
    assert.deepEqual(countOf(all), count)
    const { total, byFile, byOperator } = summarize(all, { unexplained: [], stale: [] }, paths)
    assert.deepEqual([total, byFile, byOperator], [count, { 'contracts/Till.sol': count }, { deletion: count }])
  })

  it('shows survivors without explanation as a change at a place', () => {
    const unexplained = all.filter(({ fate }) => fate.kind === 'survived').map(({ mutant }) => mutant)
    const text = textOf(summarize(all, { unexplained, stale: [] }, paths))
    assert.match(text, /contracts\/Till\.sol:3 Till\.pay\n  - total \+= 3;\n  \+ \n/)
    assert.match(text, /0 of 1 survivors are explained/)
  })

  it('shows explanations of no survivor', () => {
    const stale = [{ contract: 'Till', member: 'pay', was: 'a', becomes: 'b', nth: 1, reason: 'why' }]
    assert.match(textOf(summarize(all, { unexplained: [], stale }, paths)), /STALE.*Till\.pay\n  - a\n  \+ b/)
  })

  it('tells rate and time left, not counting what an earlier run did', () => {
    const line = progressLine(countOf(all), 26, 2, 2000)
    assert.match(line, /6 of 26 mutants, 2\.0\/s, about 10 s left: 3 killed, 1 survived/)
  })
})
