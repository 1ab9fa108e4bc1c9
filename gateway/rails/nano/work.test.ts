import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createClock } from '../../../effects/clock.ts'
import { LIVE_WORK, nanoWorkValue } from '../../../protocol/nano/work.ts'
import { EASY_WORK, genesisOf, nanoKey } from '../../../sim/nano/wallet.ts'
import type { NanoNode } from './node.ts'
import { nanoSettingsSchema } from './settings.ts'
import { createWorkFinder } from './work.ts'

const ROOT = 'AB'.repeat(32)
const settings = (by: 'node' | 'gateway') =>
  nanoSettingsSchema.parse({
    ...{ scheme: 'nano', rpc: 'http://node.example', representative: genesisOf(nanoKey(1)).account, work: { by } },
  })
const saying = (work: string) => ({ workGenerate: async () => work }) as unknown as NanoNode

describe('work', () => {
  it('of the gateway itself is good enough, and lets others have their turn', async () => {
    const find = createWorkFinder(createClock(), saying(''), settings('gateway'))
    assert.ok(nanoWorkValue(await find(ROOT, EASY_WORK.send, new AbortController().signal), ROOT) >= EASY_WORK.send)
    const stop = new AbortController()
    const endless = find(ROOT, LIVE_WORK.send, stop.signal)
    stop.abort(new Error('enough'))
    await assert.rejects(endless, { message: 'enough' })
  })

  it('of the node is checked', async () => {
    const clock = createClock()
    const { signal } = new AbortController()
    const good = await createWorkFinder(clock, saying(''), settings('gateway'))(ROOT, EASY_WORK.send, signal)
    const { send } = EASY_WORK
    assert.equal(await createWorkFinder(clock, saying(good), settings('node'))(ROOT, send, signal), good)
    const worse = createWorkFinder(clock, saying(good), settings('node'))(ROOT, nanoWorkValue(good, ROOT) + 1n, signal)
    await assert.rejects(worse, { code: 'ERR_NANO_WORK', retryable: true })
  })
})
