/** Peers that keep to the stream and to nothing else: neither disk is harmed, and both sides come to an end. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { concatBytes } from '@noble/hashes/utils.js'
import fc from 'fast-check'
import { createHasher } from '../../effects/digest-node.ts'
import {
  decodeRecord,
  encodeBlock,
  encodeMessage,
  type Message,
  type Offer,
  type TransferRecord,
} from '../../protocol/transfer/messages.ts'
import { offerId } from '../../protocol/transfer/offer.ts'
import { encodeEntry, TREE_END, type Entry } from '../../protocol/transfer/tree.ts'
import { createSimStreams, type SimStream } from '../../sim/streams.ts'
import { receiveThrough, type ReceiveOptions } from './receive.ts'
import { sendThrough } from './send.ts'
import { bytesOf, createWorld, diskWith, intoRoot, plain, simFolders, treeIn, type Tree } from './testing.ts'

const file = (path: string, size = 0): Entry => ({
  kind: 'file',
  path: path.split('/'),
  size,
  executable: false,
  modifiedMs: 0,
})
const folder = (path: string): Entry => ({ ...file(path), kind: 'folder' })

/** A row of entries, each with `x` for its content. */
const rowOf = (...entries: readonly Entry[]): Uint8Array =>
  concatBytes(...entries.flatMap((entry) => [encodeEntry(entry), new Uint8Array(entry.size).fill(120)]), TREE_END)

const digestOf = (bytes: Uint8Array): string => {
  const hasher = createHasher()
  hasher.update(bytes)
  return hasher.digest()
}

const offerOf = (names: readonly string[], row: Uint8Array, change: Partial<Offer> = {}): Offer => ({
  type: 'offer',
  version: 1,
  kind: 'files',
  id: offerId(names),
  names: [...names],
  files: 100,
  folders: 100,
  bytes: 0,
  length: row.length,
  ...change,
})

/** One end of a stream, in the hands of a test. */
const hands = (stream: SimStream | undefined) => {
  assert.ok(stream)
  let last: Message | undefined
  return {
    /** The last message that was heard. */
    last: () => last,
    say: (message: Message) => stream.send(encodeMessage(message)),
    raw: (record: Uint8Array) => stream.send(record),
    /** The next record that is no ping. */
    async hear(): Promise<TransferRecord | undefined> {
      for (;;) {
        const record = await stream.receive()
        if (record === undefined) return undefined
        const heard = decodeRecord(record)
        if (heard.record === 'block') return heard
        if (heard.message.type === 'ping') continue
        last = heard.message
        return heard
      }
    },
    end: () => stream.end(),
  }
}
type Hands = ReturnType<typeof hands>

/** Sends a row as it is, from the beginning. */
const sendRow = async (sender: Hands, offer: Offer, row: Uint8Array): Promise<void> => {
  await sender.say(offer)
  await sender.hear()
  await sender.say({ type: 'start', from: 0 })
  for (let at = 0; at < row.length; at += 60_000) {
    const payload = row.subarray(at, at + 60_000)
    await sender.raw(encodeBlock({ position: at, length: payload.length, packed: false, payload }))
  }
  await sender.say({ type: 'whole', length: row.length, digest: digestOf(row) })
}

/** @returns how it ended, and what is on the recipient's disk */
const receiveFrom = async (
  act: (sender: Hands, sleep: (ms: number) => Promise<void>) => Promise<unknown>,
  {
    there = {},
    options = {},
    disk = diskWith(there),
  }: { there?: Tree; options?: Partial<ReceiveOptions>; disk?: ReturnType<typeof diskWith> } = {},
) => {
  const { effects, run, time } = createWorld()
  const [[theirs], ours] = createSimStreams(1)
  const sender = hands(theirs)
  const acting = act(sender, (ms) => time.clock.sleep(ms))
    .then(async () => {
      while (await sender.hear());
    })
    .catch(() => {})
  // Who breaks off is not come back to.
  let meetings = 0
  const connect = async () => {
    if (meetings++ === 0) return ours
    throw Object.assign(new Error('gone'), { code: 'ERR_GONE', retryable: false })
  }
  const result = await run(receiveThrough(effects(simFolders(disk)), connect, { ...intoRoot, ...options })).catch(
    (fault: unknown) => fault as Error & { code: string },
  )
  await run(acting)
  const code = 'code' in result ? result.code : 'received'
  return { code, result, tree: treeIn(disk), told: sender.last() }
}

/** Beside what is gathered in hidden folders. */
const visible = (tree: Tree): string[] =>
  Object.keys(tree).filter((name) => !/^\.chrove-[0-9a-f]{16}\.part$/.test(name))

describe('a hostile sender', () => {
  it('puts nothing beside what was agreed to, and is told', async () => {
    const rows: Record<string, readonly Entry[]> = {
      'a parent': [folder('a'), file('a/../../evil')],
      'another name': [folder('a'), file('evil')],
      'a name before': [file('.evil'), folder('a')],
      'an absolute path': [file('/etc/passwd')],
      'a file as a folder': [file('a'), file('a/evil')],
      'the same twice': [folder('a'), file('a/x'), file('a/x')],
      'a terminal escape': [folder('a'), file('a/\u001b[2J')],
      'the hidden folder': [folder('a'), folder('../.chrove-0000000000000000.part')],
      nothing: [],
    }
    for (const [what, entries] of Object.entries(rows)) {
      const row = rowOf(...entries)
      const { code, tree, told } = await receiveFrom((sender) =>
        sendRow(sender, offerOf(['a'], row, { length: 1000 }), row),
      )
      assert.match(code, /^ERR_TRANSFER_(NAME|SHAPE)$/, what)
      assert.deepEqual(tree, {}, what)
      assert.deepEqual(told, { type: 'abort', code }, what)
    }
  })

  it('never gets anything out of the folder, whatever names it tells', async () => {
    const name = fc.oneof(
      fc.constantFrom(
        '..',
        '.',
        '',
        'a',
        'A',
        'b',
        '/',
        '..\\..',
        'C:',
        'con',
        '\u001b',
        'a\u202e',
        'e\u0301',
        '\u00e9',
        'x\0',
      ),
      fc.string({ maxLength: 3 }),
    )
    const entry = fc.record({
      path: fc.array(name, { minLength: 1, maxLength: 4 }),
      isFolder: fc.boolean(),
      size: fc.nat({ max: 3 }),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(entry, { maxLength: 6 }), fc.boolean(), async (drawn, folds) => {
        const entries = drawn.map(({ path, isFolder, size }) =>
          isFolder ? folder(path.join('/')) : file(path.join('/'), size),
        )
        const disk = diskWith({ home: {}, precious: 'as it was' }, { folds, windows: folds })
        const names = ['a', 'b']
        const row = rowOf(...entries)
        const offer = offerOf(names, row, { bytes: 20, length: 1000 })
        const into = { folder: '/home' }
        await receiveFrom((sender) => sendRow(sender, offer, row), { disk, options: { into } })
        const { home, ...others } = treeIn(disk)
        assert.deepEqual(others, { precious: bytesOf('as it was') })
        assert.ok(visible(home as Tree).every((each) => names.includes(each)))
      }),
    )
  })

  it('replaces nothing unasked, neither before nor when it appears meanwhile', async () => {
    const row = rowOf(file('a', 2))
    const offer = offerOf(['a'], row, { bytes: 2 })
    const before = await receiveFrom((sender) => sendRow(sender, offer, row), { there: { a: 'mine' } })
    assert.equal(before.code, 'ERR_TRANSFER_EXISTS')
    assert.deepEqual(before.tree, { a: bytesOf('mine') })
    assert.deepEqual(before.told, { type: 'abort', code: 'ERR_TRANSFER_EXISTS' })

    const disk = diskWith({})
    const accept = async () => {
      for (const [name, entry] of diskWith({ a: 'mine' }).root.entries) disk.root.entries.set(name, entry)
      return { mayReplace: false, resume: true }
    }
    const meanwhile = await receiveFrom((sender) => sendRow(sender, offer, row), { disk, options: { accept } })
    assert.equal(meanwhile.code, 'ERR_TRANSFER_EXISTS')
    assert.deepEqual(meanwhile.tree.a, bytesOf('mine'))
  })

  it('finishes nothing that it has not sent, and that an earlier transfer left', async () => {
    const row = rowOf(file('a', 2))
    const offer = offerOf(['a'], row, { bytes: 2 })
    const disk = diskWith({})
    const accept = async () => {
      for (const [name, entry] of diskWith({ a: 'mine' }).root.entries) disk.root.entries.set(name, entry)
      return { mayReplace: false, resume: true }
    }
    // It is whole, and something else is in its place.
    await receiveFrom((sender) => sendRow(sender, offer, row), { disk, options: { accept } })
    const finish = (digest: string) =>
      receiveFrom(
        async (sender) => {
          await sender.say(offer)
          await sender.hear()
          await sender.say({ type: 'start', from: row.length })
          await sender.say({ type: 'whole', length: row.length, digest })
        },
        { disk, options: { accept: async () => ({ mayReplace: true, resume: true }) } },
      )
    const lie = await finish(digestOf(bytesOf('another row')))
    assert.equal(lie.code, 'ERR_TRANSFER_SHAPE')
    assert.deepEqual(lie.tree.a, bytesOf('mine'))
    const truth = await finish(digestOf(row))
    assert.deepEqual(truth.tree, { a: bytesOf('xx') })
  })

  it('reaches nothing of another transfer, by its id or by the name of its folder', async () => {
    const row = rowOf(file('a', 2))
    const stolen = offerOf(['a'], row, { id: offerId(['b']), bytes: 2 })
    const posing = offerOf([`.chrove-${'0'.repeat(16)}.part`], row, { bytes: 2 })
    for (const [offer, refused] of [
      [stolen, 'ERR_TRANSFER_SHAPE'],
      [posing, 'ERR_TRANSFER_NAME'],
    ] as const) {
      const there = { '.chrove-0000000000000000.part': { heads: 'x' } }
      const { code, tree, told } = await receiveFrom((sender) => sendRow(sender, offer, row), { there })
      assert.deepEqual([code, told], [refused, { type: 'abort', code: refused }])
      assert.deepEqual(tree, plain(there))
    }
  })

  it('does not follow links that are planted where files are to be replaced', async () => {
    const disk = diskWith({ a: { precious: 'as it was' } })
    const inner = disk.root.entries.get('a')
    assert.ok(inner?.kind === 'folder')
    inner.entries.set('b', { kind: 'link' })
    const row = rowOf(folder('a'), folder('a/b'), file('a/b/evil'))
    const accept = async () => ({ mayReplace: true, resume: true })
    const { code, tree } = await receiveFrom((sender) => sendRow(sender, offerOf(['a'], row), row), {
      disk,
      options: { accept },
    })
    assert.equal(code, 'ERR_TRANSFER_EXISTS')
    assert.deepEqual(tree.a, { precious: bytesOf('as it was'), b: 'a link' })
  })

  it('gets no more room than it announced, however it packs', async () => {
    const row = rowOf(file('a', 1000))
    for (const change of [
      { bytes: 999, length: 2000 },
      { bytes: 1000, files: 0 },
    ]) {
      const { code } = await receiveFrom((sender) => sendRow(sender, offerOf(['a'], row, change), row))
      assert.equal(code, 'ERR_TRANSFER_SHAPE')
    }
    const { zstdCompressSync } = await import('node:zlib')
    const payload = zstdCompressSync(new Uint8Array(50_000_000))
    const bomb = async (sender: Hands) => {
      await sender.say(offerOf(['a'], row, { bytes: 1e9, length: 2e9 }))
      await sender.hear()
      await sender.say({ type: 'start', from: 0 })
      await sender.raw(encodeBlock({ position: 0, length: 60_000, packed: true, payload }))
    }
    const { code, told } = await receiveFrom(bomb)
    assert.deepEqual([code, told], ['ERR_TRANSFER_SHAPE', { type: 'abort', code: 'ERR_TRANSFER_SHAPE' }])
  })

  it('cannot pass off what is not whole as whole', async () => {
    const row = rowOf(file('a', 10))
    const offer = offerOf(['a'], row, { bytes: 10 })
    const lies: readonly ((sender: Hands) => Promise<void>)[] = [
      (sender) => sender.say({ type: 'whole', length: row.length - 20, digest: digestOf(row.subarray(0, -20)) }),
      (sender) => sender.say({ type: 'whole', length: row.length, digest: digestOf(new Uint8Array(1)) }),
    ]
    for (const lie of lies) {
      const { code, tree } = await receiveFrom(async (sender) => {
        await sender.say(offer)
        await sender.hear()
        await sender.say({ type: 'start', from: 0 })
        await sender.raw(encodeBlock({ position: 0, length: row.length, packed: false, payload: row }))
        await lie(sender)
      })
      assert.equal(code, 'ERR_TRANSFER_SHAPE')
      assert.deepEqual(visible(tree), [])
    }
  })

  it('is not waited for without end', async () => {
    const row = rowOf(file('a', 10))
    const silent = await receiveFrom(async (sender) => sender.say(offerOf(['a'], row, { bytes: 10 })))
    assert.equal(silent.code, 'ERR_GONE')

    const busy = await receiveFrom(async (sender, sleep) => {
      await sender.say(offerOf(['a'], row, { bytes: 10 }))
      await sender.hear()
      await sender.say({ type: 'start', from: 0 })
      for (;;) {
        await sender.say({ type: 'ping' })
        await sleep(5000)
      }
    })
    assert.equal(busy.code, 'ERR_TRANSFER_STALLED')
  })

  it('is refused for words out of their turn', async () => {
    const row = rowOf(file('a'))
    const offer = offerOf(['a'], row)
    const wrong: readonly (readonly Message[])[] = [
      [{ type: 'start', from: 0 }],
      [{ type: 'done' }],
      [offer, offer],
      [offer, { type: 'start', from: 3 }],
      [offer, { type: 'start', from: 0 }, { type: 'ack', length: 0 }],
    ]
    for (const messages of wrong) {
      const { code } = await receiveFrom(async (sender) => {
        for (const message of messages) await sender.say(message)
      })
      assert.equal(code, 'ERR_TRANSFER_SHAPE')
    }
  })

  it('is refused or waited out at any records at all', async () => {
    const records = fc.array(fc.uint8Array({ minLength: 1, maxLength: 30 }), { maxLength: 6 })
    await fc.assert(
      fc.asyncProperty(records, async (drawn) => {
        const { code, tree } = await receiveFrom(async (sender) => {
          for (const record of drawn) await sender.raw(record)
        })
        assert.match(code, /^ERR_(GONE|TRANSFER_SHAPE)$/)
        assert.deepEqual(tree, {})
      }),
    )
  })
})

describe('a hostile recipient', () => {
  /** @returns how the sender ended, and what it told last */
  const sendTo = async (act: (recipient: Hands, sleep: (ms: number) => Promise<void>) => Promise<unknown>) => {
    const { effects, run, time } = createWorld()
    const [ours, [theirs]] = createSimStreams(1)
    const recipient = hands(theirs)
    const acting = act(recipient, (ms) => time.clock.sleep(ms))
      .then(async () => {
        while (await recipient.hear());
      })
      .catch(() => {})
    let meetings = 0
    const connect = async () => {
      if (meetings++ === 0) return ours
      throw Object.assign(new Error('gone'), { code: 'ERR_GONE', retryable: false })
    }
    const disk = diskWith({ a: new Uint8Array(100_000).fill(1) })
    const code = await run(sendThrough(effects(simFolders(disk)), connect, { paths: ['/a'] })).then(
      () => 'sent',
      (fault: unknown) => (fault as { code: string }).code,
    )
    await run(acting)
    return { code, told: recipient.last() }
  }

  it('is refused for words out of their turn', async () => {
    const answer: Message = { type: 'answer', arrived: [] }
    const wrong: readonly (readonly Message[])[] = [
      [{ type: 'done' }],
      [{ type: 'ack', length: 0 }],
      [answer, answer],
      [answer, { type: 'done' }, { type: 'done' }],
      [answer, { type: 'ack', length: 10_000_000 }],
      [answer, { type: 'ack', length: 100 }, { type: 'ack', length: 99 }],
    ]
    for (const messages of wrong) {
      const { code, told } = await sendTo(async (recipient) => {
        await recipient.hear()
        for (const message of messages) await recipient.say(message)
      })
      assert.deepEqual([code, told], ['ERR_TRANSFER_SHAPE', { type: 'abort', code }], JSON.stringify(messages))
    }
  })

  it('gets everything when it claims to have what it has not', async () => {
    const { code } = await sendTo(async (recipient) => {
      await recipient.hear()
      await recipient.say({
        type: 'answer',
        arrived: [
          { length: 50, digest: 'a'.repeat(64) },
          { length: 9e15, digest: 'b'.repeat(64) },
        ],
      })
      const start = await recipient.hear()
      assert.deepEqual(start, { record: 'message', message: { type: 'start', from: 0 } })
      for (let heard = await recipient.hear(); heard?.record === 'block'; heard = await recipient.hear());
      await recipient.say({ type: 'done' })
      await recipient.end()
    })
    assert.equal(code, 'sent')
  })

  it('sends no blocks', async () => {
    const { code } = await sendTo((recipient) =>
      recipient.raw(encodeBlock({ position: 0, length: 1, packed: false, payload: new Uint8Array(1) })),
    )
    assert.equal(code, 'ERR_TRANSFER_SHAPE')
  })

  it('is not waited for without end', async () => {
    assert.equal((await sendTo(async () => {})).code, 'ERR_GONE')
    const { code } = await sendTo(async (recipient, sleep) => {
      await recipient.hear()
      await recipient.say({ type: 'answer', arrived: [] })
      for (;;) {
        await recipient.say({ type: 'ping' })
        await sleep(5000)
      }
    })
    assert.equal(code, 'ERR_TRANSFER_STALLED')
  })
})
