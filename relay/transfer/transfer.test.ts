/** Sender and recipient together, over streams in memory and on simulated disks. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { losePower } from '../../sim/folders.ts'
import { receiveThrough } from './receive.ts'
import { sendThrough } from './send.ts'
import { anyTree, createMeeting, createWorld, diskWith, intoRoot, plain, simFolders, treeIn } from './testing.ts'

const pathsOf = (tree: object): string[] => Object.keys(tree).map((name) => `/${name}`)

describe('a transfer', () => {
  it('brings any tree over any number of streams', async () => {
    await fc.assert(
      fc.asyncProperty(anyTree, fc.integer({ min: 1, max: 4 }), async (tree, streams) => {
        const { effects, run } = createWorld()
        const [source, target] = [diskWith(tree), diskWith({})]
        const meeting = createMeeting(streams)
        const sent = sendThrough(effects(simFolders(source)), meeting.sender, { paths: pathsOf(tree) })
        const received = receiveThrough(effects(simFolders(target)), meeting.recipient, intoRoot)
        await run(Promise.all([sent, received]))
        assert.deepEqual(treeIn(target), plain(tree))
        assert.equal((await received).confirmed, true)
        assert.equal(meeting.met(), 1)
      }),
    )
  })

  it('goes on over new connections, wherever the old ones break', async () => {
    const cuts = fc.array(fc.integer({ min: 0, max: 30 }), { maxLength: 6 })
    await fc.assert(
      fc.asyncProperty(anyTree, fc.integer({ min: 1, max: 3 }), cuts, async (tree, streams, recordsMaxs) => {
        const { effects, run } = createWorld()
        const [source, target] = [diskWith(tree), diskWith({})]
        const breaks = recordsMaxs.map((recordsMax) => ({ recordsMax }))
        const meeting = createMeeting(streams, breaks)
        const sent = sendThrough(effects(simFolders(source)), meeting.sender, { paths: pathsOf(tree) })
        const received = receiveThrough(effects(simFolders(target)), meeting.recipient, intoRoot)
        await run(Promise.allSettled([sent, received]))
        await received
        assert.deepEqual(treeIn(target), plain(tree))
        await sent
      }),
    )
  })

  it('goes on after either side was killed between any two changes of its disk, or within one', async () => {
    const lives = fc.array(
      fc.record({
        stepsMax: fc.nat({ max: 60 }),
        power: fc.boolean(),
        draws: fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 5, maxLength: 5 }),
      }),
      { maxLength: 5 },
    )
    await fc.assert(
      fc.asyncProperty(anyTree, lives, async (tree, deaths) => {
        const [source, target] = [diskWith(tree), diskWith({})]
        for (const { stepsMax, power, draws } of deaths) {
          const { effects, run } = createWorld()
          const meeting = createMeeting(2)
          const { promise: died, resolve: onDeath } = Promise.withResolvers<void>()
          const gone = new AbortController()
          const folders = simFolders(target, { stepsMax, onDeath })
          const sent = sendThrough(
            effects(simFolders(source)),
            meeting.sender,
            { paths: pathsOf(tree) },
            { signal: gone.signal },
          )
          const received = receiveThrough(effects(folders), meeting.recipient, replacing)
          sent.catch(() => {})
          received.catch(() => {})
          await run(Promise.race([died, Promise.all([sent, received])]))
          gone.abort(new Error('killed'))
          if (power) losePower(target.root, () => draws.shift() ?? 0)
        }
        const { effects, run } = createWorld()
        const meeting = createMeeting(2)
        const sent = sendThrough(effects(simFolders(source)), meeting.sender, { paths: pathsOf(tree) })
        const received = receiveThrough(effects(simFolders(target)), meeting.recipient, replacing)
        await run(Promise.all([sent, received]))
        assert.deepEqual(treeIn(target), plain(tree))
      }),
    )
  })

  it('brings the source as it is at last, though it was another while lives ended early', async () => {
    const trees = fc.record({ a: anyTree, b: anyTree })
    const lives = fc.array(fc.record({ tree: trees, stepsMax: fc.nat({ max: 40 }) }), { minLength: 1, maxLength: 3 })
    await fc.assert(
      fc.asyncProperty(lives, trees, async (deaths, tree) => {
        const target = diskWith({})
        for (const { tree: earlier, stepsMax } of deaths) {
          const { effects, run } = createWorld()
          const meeting = createMeeting(2)
          const { promise: died, resolve: onDeath } = Promise.withResolvers<void>()
          const gone = new AbortController()
          const source = effects(simFolders(diskWith(earlier)))
          const sent = sendThrough(source, meeting.sender, { paths: ['/a', '/b'] }, { signal: gone.signal })
          const folders = simFolders(target, { stepsMax, onDeath })
          const received = receiveThrough(effects(folders), meeting.recipient, replacing)
          const both = Promise.allSettled([sent, received])
          await run(Promise.race([died, both]))
          gone.abort(new Error('killed'))
          // What is in its place belongs to the person there, and is not what this is about.
          for (const name of ['a', 'b']) target.root.entries.delete(name)
        }
        const { effects, run } = createWorld()
        const meeting = createMeeting(2)
        const sent = sendThrough(effects(simFolders(diskWith(tree))), meeting.sender, { paths: ['/a', '/b'] })
        const received = receiveThrough(effects(simFolders(target)), meeting.recipient, replacing)
        await run(Promise.all([sent, received]))
        assert.deepEqual(treeIn(target), plain(tree))
      }),
    )
  })
})

/** Of an earlier life all may be in its place already. */
const replacing = { ...intoRoot, accept: async () => ({ mayReplace: true, resume: true }) }
