import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { createLife } from './life.ts'
import { createSimLog } from './log.ts'
import { createTrace, firstDifference, TRACE_LINES_MAX } from './trace.ts'

const clockAt = (timeMs: number) => ({ nowMs: () => timeMs })

const traceOf = (facts: readonly string[]) => {
  const trace = createTrace(clockAt(0))
  for (const fact of facts) trace.add('event', fact)
  return trace
}

describe('a trace', () => {
  it('has the same hash exactly when the same happened', () => {
    const facts = fc.array(fc.constantFrom('a', 'b'))
    fc.assert(
      fc.property(facts, facts, (left, right) => {
        const equal = left.length === right.length && left.every((fact, at) => fact === right[at])
        assert.equal(traceOf(left).hash() === traceOf(right).hash(), equal)
        assert.equal(firstDifference(traceOf(left), traceOf(right)) === undefined, equal)
      }),
    )
  })

  it('shows the first line that differs', () => {
    assert.equal(
      firstDifference(traceOf(['a', 'b', 'c']), traceOf(['a', 'x', 'c'])),
      'line 2:\n  0 event b\n  0 event x',
    )
    assert.equal(firstDifference(traceOf(['a']), traceOf(['a', 'b'])), 'line 2:\n  (end)\n  0 event b')
  })

  it('hashes also what it no longer keeps', () => {
    const many = (last: string) => traceOf([...Array.from({ length: TRACE_LINES_MAX }, () => 'a'), last])
    const [left, right] = [many('b'), many('c')]
    assert.equal(left.lines().length, TRACE_LINES_MAX)
    assert.equal(left.count(), TRACE_LINES_MAX + 1)
    assert.equal(firstDifference(left, right), `the traces differ after line ${TRACE_LINES_MAX}`)
  })

  it('holds what hosts log, with fields in the order of their names, until they die', () => {
    const trace = createTrace(clockAt(5))
    const life = createLife()
    const log = createSimLog(trace, 'vendor', life)
    log.warn('order.late', { seconds: 3n, again: true, nothing: undefined })
    life.end()
    log.error('from.beyond')
    assert.deepEqual(trace.lines(), ['5 log vendor warn order.late again=true seconds=3'])
  })
})
