/** Who writes through the watch of the newest block hears what the one below says. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { batchOf } from '../testing.ts'
import { chainOf, directoryOf, doing } from './testing.ts'

describe('the watched projection', () => {
  it('tells the follower that a batch was not recorded', async () => {
    const chain = chainOf([doing('register', 0, 0)], [doing('add-plan', 0, 3)], [doing('add-plan', 0, 4)])
    const { projection, db } = await directoryOf(chain.slice(0, 2))
    const batch = batchOf(chain.slice(2))
    const [, ...events] = batch.events
    assert.equal(await projection.apply({ ...batch, events, onlyComplete: true }), 'incomplete')
    assert.equal((await projection.recorded())?.blocks[0]?.number, 1)
    assert.equal(await projection.apply(batch), undefined)
    await db.destroy()
  })
})
