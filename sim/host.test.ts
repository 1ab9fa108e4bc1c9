import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createFaults } from './faults.ts'
import { createSimHost } from './host.ts'
import { createLoop, SIM_EPOCH_MS } from './loop.ts'
import { createSimNetwork } from './network.ts'
import { createSimRandom } from './random.ts'
import { createTrace } from './trace.ts'

const createWorld = () => {
  const loop = createLoop()
  const trace = createTrace(loop)
  const random = createSimRandom(1)
  const network = createSimNetwork({ loop, trace, random, faults: createFaults() })
  const host = createSimHost({ loop, trace, random, network }, 'vendor', { skewMs: 100 })
  return { loop, trace, host, run: <T>(promise: Promise<T>) => loop.runUntil(promise, 1000) }
}

describe('a simulated host', () => {
  it('has its disk, address and clock through all incarnations, and new randomness in each', async () => {
    const { host, run } = createWorld()
    const first = host.boot()
    await run(first.files.write('x', new Uint8Array([7])))
    host.jumpClock(50)
    assert.equal(first.clock.nowMs(), SIM_EPOCH_MS + 150)
    host.crash()
    const second = host.boot()
    assert.deepEqual(await run(second.files.read('x')), new Uint8Array([7]))
    assert.equal(second.network.ip, first.network.ip)
    assert.equal(second.clock.nowMs(), SIM_EPOCH_MS + 150)
    assert.notDeepEqual(second.random.bytes(16), first.random.bytes(16))
  })

  it('runs once at a time, and tells whether it does', () => {
    const { host } = createWorld()
    assert.equal(host.isRunning(), false)
    host.boot()
    assert.equal(host.isRunning(), true)
    assert.throws(() => host.boot(), { code: 'ERR_SIM_HOST' })
    host.crash()
    assert.equal(host.isRunning(), false)
  })

  it('crashes as a whole when its disk does', async () => {
    const { host, loop, trace } = createWorld()
    const { files, clock } = host.boot()
    const outcomes: string[] = []
    void clock.sleep(10).then(() => outcomes.push('slept'))
    host.crashAfterWrites(1)
    void files.write('x', new Uint8Array()).then(() => outcomes.push('wrote'))
    await loop.run('idle')
    assert.deepEqual([host.isRunning(), outcomes], [false, []])
    assert.deepEqual(
      trace.lines().map((line) => line.split(' ').slice(1).join(' ')),
      ['boot vendor 1', 'file vendor x', 'crash vendor'],
    )
  })
})
