import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { silentLog, type LogFields } from '../effects/log.ts'
import type { ChroveEvent } from './events.ts'
import { createProgress } from './progress.ts'
import type { Block } from './types.ts'

const block = (number: number) => ({ number }) as Block

const watch = () => {
  let nowMs = 1_000_000
  const told: [event: string, fields: LogFields | undefined][] = []
  const log = { ...silentLog, info: (event: string, fields?: LogFields) => void told.push([event, fields]) }
  const progress = createProgress({ log, clock: { nowMs: () => nowMs, sleep: async () => {} } })
  return {
    told,
    /** A batch recorded after so many seconds. */
    note: (afterSeconds: number, blocks: readonly [number, number], head: number, events = 0) => {
      nowMs += afterSeconds * 1000
      progress.note({
        blocks: [block(blocks[0]), block(blocks[1])],
        events: Array.from({ length: events }, () => ({}) as ChroveEvent),
        undecodable: [],
        head: block(head),
        finalized: block(0),
      })
    },
  }
}

describe('progress', () => {
  it('tells the rate of what was read in the time that it took, and what remains at it', () => {
    const { told, note } = watch()
    // Block 0 comes with the first batch, however far on that begins.
    note(50, [0, 20_000_100], 20_010_000, 7)
    note(2, [20_000_101, 20_000_200], 20_010_000, 30)
    note(3, [20_000_201, 20_000_600], 20_010_600, 20)
    assert.deepEqual(told, [
      [
        'chain.progress',
        { block: 20_000_600, head: 20_010_600, blocksPerSecond: 100, eventsPerSecond: 10, remainingSeconds: 100 },
      ],
    ])
  })

  it('counts no time at the head, and says once that it was reached', () => {
    const { told, note } = watch()
    note(0, [0, 10], 10)
    note(3600, [11, 11], 11)
    // An hour later it is far behind.
    note(3600, [12, 1_000], 3_000)
    note(5, [1_001, 2_000], 3_000, 50)
    note(1, [2_001, 3_000], 3_000)
    assert.deepEqual(told, [
      ['chain.caught-up', { block: 10 }],
      ['chain.progress', { block: 2_000, head: 3_000, blocksPerSecond: 200, eventsPerSecond: 10, remainingSeconds: 5 }],
      ['chain.caught-up', { block: 3_000 }],
    ])
  })
})
