import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createTestTime } from '../effects/testing.ts'
import { createDeadlines } from './deadlines.ts'

describe('deadlines', () => {
  it('end each after the same span, to the millisecond, and not when cleared', async () => {
    const time = createTestTime()
    const over: string[] = []
    const deadlines = createDeadlines<string>(time.clock, 100, (key) => over.push(`${key} ${time.clock.nowMs()}`))
    deadlines.set('a')
    await time.pass(30)
    deadlines.set('b')
    deadlines.set('c')
    deadlines.clear('b')
    await time.pass(40)
    deadlines.set('a')
    await time.pass(500)
    assert.deepEqual(over, ['c 130', 'a 170'])
    deadlines.set('d')
    await time.pass(100)
    assert.deepEqual(over.at(-1), 'd 670')
  })

  it('wait no longer than the span when the clock is set back, and end with the rest', async () => {
    const time = createTestTime()
    const over: string[] = []
    const deadlines = createDeadlines<string>(time.clock, 100, (key) => over.push(key))
    deadlines.set('a')
    time.jump(-1_000_000)
    await time.pass(100)
    assert.deepEqual(over, ['a'])
    deadlines.set('b')
    deadlines.close()
    await time.pass(1_000)
    assert.deepEqual([over, time.waiting()], [['a'], 0])
  })
})
