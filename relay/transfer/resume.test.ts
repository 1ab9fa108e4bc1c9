/** What happens when a transfer does not go through at once. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { CommandError } from '../../effects/command-error.ts'
import { createSimRandom } from '../../sim/random.ts'
import { simFile, type SimDisk } from '../../sim/folders.ts'
import type { SimStreamsOptions } from '../../sim/streams.ts'
import { receiveThrough, type Proposal, type ReceiveOptions } from './receive.ts'
import { sendThrough, type SendOptions } from './send.ts'
import type { Sendable } from './source.ts'
import { bytesOf, createMeeting, createWorld, diskWith, intoRoot, plain, simFolders, treeIn } from './testing.ts'

const MIB = 1024 * 1024
const random = createSimRandom(7)
/** Content that does not shrink. */
const noise = (length: number): Uint8Array => {
  const bytes = new Uint8Array(length)
  for (let at = 0; at < length; at += 65_536) bytes.set(random.bytes(Math.min(65_536, length - at)), at)
  return bytes
}

interface Plan {
  readonly source: SimDisk
  readonly target: SimDisk
  readonly sendable?: Sendable
  readonly breaks?: readonly SimStreamsOptions[]
  readonly sending?: SendOptions
  readonly receiving?: Partial<ReceiveOptions>
}

interface Ending {
  /** What each side was told: `ok`, or the code of its error. */
  readonly sender: string
  readonly recipient: string
  /** Bytes of blocks that the sender sent, over each connection. */
  readonly moved: readonly number[]
  readonly sent: PromiseSettledResult<Awaited<ReturnType<typeof sendThrough>>>
  readonly received: PromiseSettledResult<Awaited<ReturnType<typeof receiveThrough>>>
}

const endOf = (result: PromiseSettledResult<unknown>): string =>
  result.status === 'fulfilled' ? 'ok' : (result.reason as { code: string }).code

const transfer = async ({
  source,
  target,
  sendable = { paths: ['/a'] },
  breaks = [],
  sending,
  receiving,
}: Plan): Promise<Ending> => {
  const { effects, run } = createWorld()
  const moved: number[] = []
  const counted = Array.from({ length: breaks.length + 1 }, (_each, at): SimStreamsOptions => {
    const plan = breaks[at]
    moved.push(0)
    return {
      ...plan,
      onRecord(record, from) {
        if (from === 'first' && record[0] !== 1) moved[at] = (moved[at] ?? 0) + record.length
        return plan?.onRecord ? plan.onRecord(record, from) : record
      },
    }
  })
  const meeting = createMeeting(2, counted)
  const [sent, received] = await run(
    Promise.allSettled([
      sendThrough(effects(simFolders(source)), meeting.sender, sendable, sending),
      receiveThrough(effects(simFolders(target)), meeting.recipient, { ...intoRoot, ...receiving }),
    ]),
  )
  return { sender: endOf(sent), recipient: endOf(received), moved, sent, received }
}

/** Stops one side once so much has arrived. */
const stopAt = (length: number) => {
  const stopping = new AbortController()
  return {
    signal: stopping.signal,
    onProgress: (progress: { readonly length: number }) => {
      if (progress.length >= length) stopping.abort(new CommandError('ERR_INTERRUPTED', 'interrupted'))
    },
  }
}

const contentOf = (disk: SimDisk, name: string): Uint8Array => {
  const entry = disk.root.entries.get(name)
  assert.ok(entry?.kind === 'file')
  return entry.content
}

describe('an interrupted transfer', () => {
  it('is told to the other side, and goes on where it was, whichever side was stopped', async () => {
    for (const side of ['sending', 'receiving'] as const) {
      const [source, target] = [diskWith({ a: noise(24 * MIB) }), diskWith({})]
      const first = await transfer({ source, target, [side]: stopAt(12 * MIB) })
      const stopped = side === 'sending' ? first.sender : first.recipient
      const other = side === 'sending' ? first.recipient : first.sender
      assert.deepEqual([stopped, other], ['ERR_INTERRUPTED', 'ERR_TRANSFER_STOPPED'])
      assert.deepEqual(
        Object.keys(treeIn(target)).filter((name) => !name.startsWith('.chrove-')),
        [],
      )
      const second = await transfer({ source, target })
      assert.deepEqual([second.sender, second.recipient], ['ok', 'ok'])
      assert.ok((second.moved[0] ?? 0) < 13 * MIB, 'what arrived is not sent again')
      assert.deepEqual(treeIn(target), treeIn(source))
    }
  })

  it('goes on after a broken connection without reading again what was acknowledged', async () => {
    const [source, target] = [diskWith({ a: noise(40 * MIB) }), diskWith({})]
    let checked = 0
    const sending: SendOptions = { onProgress: ({ phase }) => void (checked += phase === 'checking' ? 1 : 0) }
    const { sender, recipient, moved } = await transfer({
      source,
      target,
      sending,
      breaks: [{ recordsMax: 300 }, { recordsMax: 300 }],
    })
    assert.deepEqual([sender, recipient, checked], ['ok', 'ok', 0])
    assert.ok(moved.reduce((sum, bytes) => sum + bytes, 0) < 42 * MIB)
    assert.deepEqual(treeIn(target), treeIn(source))
  })

  it('finds a change of the source, and sends from there', async () => {
    const [source, target] = [diskWith({ a: noise(24 * MIB) }), diskWith({})]
    await transfer({ source, target, receiving: stopAt(20 * MIB) })
    // Neither size nor time tell.
    contentOf(source, 'a')[10 * MIB] = 1 + (contentOf(source, 'a')[10 * MIB] ?? 0)
    const { sender, recipient, moved } = await transfer({ source, target })
    assert.deepEqual([sender, recipient], ['ok', 'ok'])
    assert.ok((moved[0] ?? 0) > 14 * MIB && (moved[0] ?? 0) < 16 * MIB)
    assert.deepEqual(treeIn(target), treeIn(source))
  })

  it('is over for both when files change between two connections, and can be begun again', async () => {
    const [source, target] = [diskWith({ a: { '1': 'xy', '2': 'z', '3': noise(12 * MIB) } }), diskWith({})]
    const folder = source.root.entries.get('a')
    assert.ok(folder?.kind === 'folder')
    const { entries } = folder
    // What follows them has not moved.
    const onBroken = () => void entries.set('1', simFile(bytesOf('x'))).set('2', simFile(bytesOf('yz')))
    const first = await transfer({ source, target, sending: { onBroken }, breaks: [{ recordsMax: 120 }] })
    assert.deepEqual([first.sender, first.recipient], ['ERR_TRANSFER_CHANGED', 'ERR_TRANSFER_CHANGED'])
    const second = await transfer({ source, target })
    assert.deepEqual([second.sender, second.recipient], ['ok', 'ok'])
    assert.deepEqual(treeIn(target), treeIn(source))
  })

  it('leaves nothing of files that are gone from the source since', async () => {
    const [source, target] = [diskWith({ a: { b: { c: 'x' }, d: 'old', e: noise(3 * MIB) } }), diskWith({})]
    const first = await transfer({ source, target, receiving: stopAt(2 * MIB) })
    assert.equal(first.recipient, 'ERR_INTERRUPTED')
    const now = diskWith({ a: { b: 'a file now', f: 'new' } })
    const { sender, recipient } = await transfer({ source: now, target })
    assert.deepEqual([sender, recipient], ['ok', 'ok'])
    assert.deepEqual(treeIn(target), treeIn(now))
  })

  it('leaves nothing of a file that is shorter in the source since', async () => {
    const parts = { b: noise(3 * MIB), d: noise(3 * MIB) }
    const target = diskWith({})
    await transfer({ source: diskWith({ a: { ...parts, c: 'long' } }), target, receiving: stopAt(4 * MIB) })
    const source = diskWith({ a: { ...parts, c: 'x' } })
    const { sender, recipient, moved } = await transfer({ source, target })
    assert.deepEqual([sender, recipient], ['ok', 'ok'])
    assert.ok((moved[0] ?? 0) < 5 * MIB)
    assert.deepEqual(treeIn(target), treeIn(source))
  })

  it('begins anew when the recipient says so', async () => {
    const [source, target] = [diskWith({ a: noise(4 * MIB) }), diskWith({})]
    await transfer({ source, target, receiving: stopAt(3 * MIB) })
    const proposals: Proposal[] = []
    const accept = async (proposal: Proposal) => {
      proposals.push(proposal)
      return { mayReplace: false, resume: false }
    }
    const { moved } = await transfer({ source, target, receiving: { accept } })
    assert.deepEqual(
      proposals.map(({ kept }) => kept),
      [true],
    )
    assert.ok((moved[0] ?? 0) >= 4 * MIB)
    assert.deepEqual(treeIn(target), treeIn(source))
  })

  it('is given up when the connection does not come back, and the sender says what it knows', async () => {
    const { effects, run } = createWorld()
    const [source, target] = [diskWith({ a: 'x' }), diskWith({})]
    const { sender, recipient } = createMeeting(1, [
      // The recipient says that it is done, and that is lost.
      {
        onRecord: (record, from) =>
          from === 'second' &&
          record.includes(bytesOf('done')[0] ?? 0) &&
          new TextDecoder().decode(record).includes('"done"')
            ? undefined
            : record,
      },
    ])
    let meetings = 0
    const once: typeof recipient = (signal) =>
      meetings++ === 0 ? recipient(signal) : Promise.reject(Object.assign(new Error('killed'), { retryable: false }))
    const [sent, received] = await run(
      Promise.allSettled([
        sendThrough(effects(simFolders(source)), sender, { paths: ['/a'] }),
        receiveThrough(effects(simFolders(target)), once, intoRoot),
      ]),
    )
    assert.equal(endOf(sent), 'ERR_TRANSFER_UNCONFIRMED')
    assert.ok(received.status === 'fulfilled' && !received.value.confirmed)
    assert.deepEqual(treeIn(target), plain({ a: 'x' }))
  })
})

describe('both sides know', () => {
  it('when the disk fills, and what arrived is kept', async () => {
    const [source, target] = [diskWith({ a: noise(8 * MIB) }), diskWith({})]
    const real = simFolders(target)
    const { effects, run } = createWorld()
    const meeting = createMeeting(2)
    const lying = {
      ...real,
      open: async (path: string) => ({ ...(await real.open(path)), freeBytes: async () => 1e12 }),
    }
    target.freeBytes = 5 * MIB
    const ends = await run(
      Promise.allSettled([
        sendThrough(effects(simFolders(source)), meeting.sender, { paths: ['/a'] }),
        receiveThrough(effects(lying), meeting.recipient, intoRoot),
      ]),
    )
    assert.deepEqual(ends.map(endOf), ['ERR_TRANSFER_DISK_FULL', 'ERR_TRANSFER_DISK_FULL'])
    target.freeBytes = 5 * MIB
    const second = await transfer({ source, target })
    assert.deepEqual([second.sender, second.recipient], ['ok', 'ok'])
    assert.ok((second.moved[0] ?? 0) < 4 * MIB)
    assert.deepEqual(treeIn(target), treeIn(source))
  })

  it('when there is no room for it, before anything is sent', async () => {
    const [source, target] = [diskWith({ a: noise(MIB) }), diskWith({})]
    target.freeBytes = MIB / 2
    const { sender, recipient, moved } = await transfer({ source, target })
    assert.deepEqual([sender, recipient, moved], ['ERR_TRANSFER_DISK_FULL', 'ERR_TRANSFER_DISK_FULL', [0]])
  })

  it('when the source changes while it is sent', async () => {
    const [source, target] = [diskWith({ a: noise(24 * MIB) }), diskWith({})]
    const file = source.root.entries.get('a')
    assert.ok(file?.kind === 'file')
    const sending: SendOptions = { onProgress: ({ length }) => void (length > MIB && (file.modifiedMs += 1)) }
    const { sender, recipient } = await transfer({ source, target, sending })
    assert.deepEqual([sender, recipient], ['ERR_TRANSFER_CHANGED', 'ERR_TRANSFER_CHANGED'])
  })

  it('when files are added or shrink after they were offered', async () => {
    for (const change of [
      (source: SimDisk) => source.root.entries.set('a', { kind: 'folder', entries: new Map() }),
      (source: SimDisk) =>
        void (
          contentOf(source, 'a').length > 0 &&
          Object.assign(source.root.entries.get('a') ?? {}, { content: new Uint8Array(3) })
        ),
    ]) {
      const [source, target] = [diskWith({ a: 'hello' }), diskWith({})]
      const { sender, recipient } = await transfer({ source, target, sending: { onOffer: () => void change(source) } })
      assert.equal(sender, 'ERR_TRANSFER_CHANGED')
      // Which of the two finds it first is open.
      assert.match(recipient, /^ERR_TRANSFER_(CHANGED|SHAPE)$/)
    }
  })

  it('when the recipient does not want it, and when there is something of that name', async () => {
    const [source, target] = [diskWith({ a: 'x' }), diskWith({ a: 'mine' })]
    const declined = await transfer({ source, target, receiving: { accept: async () => undefined } })
    assert.deepEqual([declined.sender, declined.recipient], ['ERR_TRANSFER_DECLINED', 'ERR_TRANSFER_DECLINED'])
    const kept = await transfer({ source, target })
    assert.deepEqual([kept.sender, kept.recipient], ['ERR_TRANSFER_EXISTS', 'ERR_TRANSFER_EXISTS'])
    assert.deepEqual(treeIn(target), plain({ a: 'mine' }))
  })

  it('when two names are one file there, and nothing is written', async () => {
    const source = diskWith({ a: { README: '1', readme: '2' } })
    for (const folds of [true, false]) {
      const target = diskWith({}, { folds })
      const { sender, recipient } = await transfer({ source, target })
      const expected = folds ? 'ERR_TRANSFER_NAME' : 'ok'
      assert.deepEqual([sender, recipient], [expected, expected])
      assert.equal('a' in treeIn(target), !folds)
    }
  })

  it('when the same is being received already', async () => {
    const [source, target] = [diskWith({ a: noise(2 * MIB) }), diskWith({})]
    await transfer({ source, target, receiving: stopAt(MIB) })
    const { effects, run } = createWorld()
    const folders = simFolders(target)
    const [hidden = ''] = target.root.entries.keys()
    const unlock = await (await folders.open(`/${hidden}`)).lock()
    const both = () => {
      const meeting = createMeeting()
      const sent = sendThrough(effects(simFolders(source)), meeting.sender, { paths: ['/a'] })
      return run(Promise.allSettled([sent, receiveThrough(effects(folders), meeting.recipient, intoRoot)]))
    }
    assert.deepEqual((await both()).map(endOf), ['ERR_TRANSFER_KEPT_ELSEWHERE', 'ERR_TRANSFER_KEPT_ELSEWHERE'])
    unlock()
    assert.deepEqual((await both()).map(endOf), ['ok', 'ok'])
  })
})

describe('what is replaced', () => {
  const replacing: Partial<ReceiveOptions> = { accept: async () => ({ mayReplace: true, resume: true }) }

  it('are files of the same names, and nothing beside them', async () => {
    const source = diskWith({ a: { b: { c: 'new' }, d: 'new' } })
    const target = diskWith({ a: { b: { c: 'old', mine: 'kept' }, mine: 'kept' } })
    const { recipient } = await transfer({ source, target, receiving: replacing })
    assert.equal(recipient, 'ok')
    assert.deepEqual(treeIn(target), plain({ a: { b: { c: 'new', mine: 'kept' }, d: 'new', mine: 'kept' } }))
  })

  it('is never a folder by a file, nor a file by a folder', async () => {
    for (const [from, to] of [
      [{ a: 'x' }, { a: { mine: 'kept' } }],
      [{ a: { b: 'x' } }, { a: 'mine' }],
    ] as const) {
      const target = diskWith(to)
      const { recipient } = await transfer({ source: diskWith(from), target, receiving: replacing })
      assert.equal(recipient, 'ERR_TRANSFER_EXISTS')
      assert.deepEqual(treeIn(target).a, plain(to).a)
    }
  })
})

describe('what is sent', () => {
  it('is a text, for a person to read', async () => {
    const target = diskWith({ text: 'mine' })
    const text = 'one\u001b[2J\ntwo ünï'
    const { received } = await transfer({ source: diskWith({}), target, sendable: { text } })
    assert.ok(received.status === 'fulfilled')
    assert.equal(received.value.text, text)
    assert.deepEqual(treeIn(target), plain({ text: 'mine' }))
  })

  it('is a stream, which goes into a file or on to another stream, over breaks', async () => {
    const content = noise(5 * MIB)
    const stream = async function* () {
      for (let at = 0; at < content.length; at += 100_000) yield content.subarray(at, at + 100_000)
    }
    const breaks = [{ recordsMax: 30 }, { recordsMax: 40 }]
    const target = diskWith({})
    await transfer({ source: diskWith({}), target, sendable: { stream: stream(), name: 'stdin' }, breaks })
    assert.deepEqual(treeIn(target), { stdin: content })

    const given: Uint8Array[] = []
    const into = { give: async (bytes: Uint8Array) => void given.push(bytes.slice()) }
    const { recipient } = await transfer({
      source: diskWith({}),
      target,
      sendable: { stream: stream(), name: 'stdin' },
      breaks,
      receiving: { into },
    })
    assert.equal(recipient, 'ok')
    assert.ok(Buffer.concat(given).equals(content))
  })

  it('goes to a stream only if it is one file', async () => {
    const into = { give: async () => assert.fail('nothing is given') }
    const { sender, recipient } = await transfer({
      source: diskWith({ a: { b: 'x' } }),
      target: diskWith({}),
      receiving: { into },
    })
    assert.deepEqual([sender, recipient], ['ERR_TRANSFER_DECLINED', 'ERR_TRANSFER_DECLINED'])
  })

  it('is packed where that pays, and arrives the same', async () => {
    const [source, target] = [diskWith({ a: new Uint8Array(8 * MIB).fill(65) }), diskWith({})]
    assert.ok(((await transfer({ source, target })).moved[0] ?? 0) < MIB / 4)
    assert.deepEqual(treeIn(target), treeIn(source))
    const other = diskWith({})
    const plainly = await transfer({ source, target: other, sending: { compress: false } })
    assert.ok((plainly.moved[0] ?? 0) > 8 * MIB)
    assert.deepEqual(treeIn(other), treeIn(source))
  })

  it('leaves out links and devices inside folders, and tells of them', async () => {
    const source = diskWith({ a: { b: 'x' } })
    const folder = source.root.entries.get('a')
    assert.ok(folder?.kind === 'folder')
    folder.entries.set('link', { kind: 'link' }).set('pipe', { kind: 'other' })
    const target = diskWith({})
    const { sent } = await transfer({ source, target })
    assert.ok(sent.status === 'fulfilled')
    assert.deepEqual(sent.value.leftOut, { links: 1, others: 1 })
    assert.deepEqual(treeIn(target), plain({ a: { b: 'x' } }))
  })

  it('keeps time and executability', async () => {
    const source = diskWith({ a: 'x' })
    Object.assign(source.root.entries.get('a') ?? {}, { executable: true, modifiedMs: 1_234_567_890_123 })
    const target = diskWith({})
    await transfer({ source, target })
    const entry = target.root.entries.get('a')
    assert.ok(entry?.kind === 'file')
    assert.deepEqual([entry.executable, entry.modifiedMs], [true, 1_234_567_890_123])
  })

  it('is refused before anybody is connected to, where it cannot be sent', async () => {
    const { effects } = createWorld()
    const folders = effects(simFolders(diskWith({ a: 'x', 'b\u001b': 'x', c: { a: 'x' } })))
    const never = () => assert.fail('connected')
    const refusals: readonly (readonly [Sendable, string])[] = [
      [{ paths: ['/none'] }, 'ERR_TRANSFER_NOTHING'],
      [{ paths: ['/b\u001b'] }, 'ERR_TRANSFER_NAME'],
      [{ paths: ['/a', '/c/a'] }, 'ERR_TRANSFER_NAME'],
      [{ paths: [] }, 'ERR_TRANSFER_NOTHING'],
      [{ text: 'x'.repeat(1_100_000) }, 'ERR_TRANSFER_TOO_MUCH'],
      [{ paths: Array.from({ length: 7000 }, () => '/a') }, 'ERR_TRANSFER_NAME'],
    ]
    for (const [sendable, code] of refusals) await assert.rejects(sendThrough(folders, never, sendable), { code })
  })
})
