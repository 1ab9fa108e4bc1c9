/** What one connection costs its recipient, whatever its sender does. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createHasher } from '../../effects/digest-node.ts'
import { encodeBlock, encodeMessage, type Offer } from '../../protocol/transfer/messages.ts'
import { offerId } from '../../protocol/transfer/offer.ts'
import { encodeEntry, TREE_END } from '../../protocol/transfer/tree.ts'
import { createSimStreams } from '../../sim/streams.ts'
import { openLine } from './line.ts'
import { createIntake, receiveOver } from './recipient.ts'
import { createStreamLanding } from './stream-landing.ts'
import { createWorld, diskWith, simFolders } from './testing.ts'

/** Counts how often somebody waits for it, or for what follows from it. */
class CountedPromise<T> extends Promise<T> {
  static waits = 0
  // oxlint-disable-next-line unicorn/no-thenable -- A promise is one.
  override then<A = T, B = never>(...handlers: Parameters<Promise<T>['then']>): Promise<A | B> {
    CountedPromise.waits++
    return super.then(...handlers) as Promise<A | B>
  }
}

describe('a recipient', () => {
  it('remembers nothing of each block, however short it is', async () => {
    const { effects, run, time } = createWorld()
    const world = effects(simFolders(diskWith({})))
    const [[theirs], ours] = createSimStreams(1)
    assert.ok(theirs)
    const intake = createIntake(world)
    const line = openLine(time.clock, ours, intake.onBlock)
    const hear = () =>
      new CountedPromise<Awaited<ReturnType<typeof line.hear>>>((...settle) => void line.hear().then(...settle))
    const size = 2_000
    const file = { kind: 'file', path: ['a'], size, executable: false, modifiedMs: 0 } as const
    const row = Buffer.concat([encodeEntry(file), Buffer.alloc(size), TREE_END])
    const totals = { files: 1, folders: 0, bytes: size, length: row.length }
    const offer: Offer = { type: 'offer', version: 1, kind: 'files', id: offerId(['a']), names: ['a'], ...totals }
    const accept = async () => createStreamLanding(world, offer, async () => {})
    const receiving = { accepted: undefined, isDone: false }
    const receiveAll = receiveOver(world, { ...line, hear }, intake, receiving, { accept, onArrived: () => {} })
    const sendAll = async () => {
      await theirs.send(encodeMessage(offer))
      await theirs.receive()
      await theirs.send(encodeMessage({ type: 'start', from: 0 }))
      for (const [position] of row.entries()) {
        const payload = row.subarray(position, position + 1)
        await theirs.send(encodeBlock({ position, length: 1, packed: false, payload }))
      }
      const hasher = createHasher()
      hasher.update(row)
      await theirs.send(encodeMessage({ type: 'whole', length: row.length, digest: hasher.digest() }))
      await theirs.receive()
      await theirs.end()
    }
    await run(Promise.all([receiveAll, sendAll()]))
    assert.ok(receiving.isDone)
    // It hears an offer, a start and what is whole.
    assert.ok(CountedPromise.waits < 10, `${CountedPromise.waits} waits for ${row.length} blocks`)
  })
})
