import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { concatBytes } from '@noble/hashes/utils.js'
import fc from 'fast-check'
import { readOrRefused } from '../../test/refusal.ts'
import { utf8 } from '../bytes.ts'
import { createTreeReader, encodeEntry, TREE_END, type Entry, type TreePart } from './tree.ts'

const [SHAPE, NAME] = ['ERR_TRANSFER_SHAPE', 'ERR_TRANSFER_NAME']
const rules = { windows: false, distinct: true }
const plenty = { files: 1e6, folders: 1e6, bytes: Number.MAX_SAFE_INTEGER }
const file = (path: string, size = 0): Entry => ({
  kind: 'file',
  path: path.split('/'),
  size,
  executable: false,
  modifiedMs: 1_700_000_000_123,
})
const folder = (path: string): Entry => ({ ...file(path), kind: 'folder', modifiedMs: 0 })

const row = (...entries: readonly (readonly [Entry, Uint8Array?])[]): Uint8Array =>
  concatBytes(...entries.flatMap(([entry, content = new Uint8Array(0)]) => [encodeEntry(entry), content]), TREE_END)

/** What is read of a row in pieces, with content joined. */
const read = (pieces: readonly Uint8Array[], announced = plenty, under = rules) => {
  const reader = createTreeReader(under, announced)
  const parts: TreePart[] = pieces.flatMap((piece) => [...reader.read(piece)])
  const entries: [Entry, Uint8Array][] = []
  for (const part of parts) {
    const last = entries.at(-1)
    if (part.part === 'entry') entries.push([part.entry, new Uint8Array(0)])
    if (part.part === 'content' && last) last[1] = concatBytes(last[1], part.bytes)
  }
  return { entries, ended: reader.ended, heads: parts.flatMap((part) => (part.part === 'entry' ? [part.head] : [])) }
}

describe('a tree as a row of bytes', () => {
  const tree = [
    [folder('a'), new Uint8Array(0)],
    [{ ...file('a/run', 3), executable: true }, utf8('#!x')],
    [file('a/ünï', 0), new Uint8Array(0)],
    [{ ...file('b', 5), modifiedMs: -1 }, utf8('hello')],
  ] as const

  it('reads the same in whatever pieces it comes', () => {
    const bytes = row(...tree)
    fc.assert(
      fc.property(fc.array(fc.nat({ max: bytes.length }), { maxLength: 10 }), (cuts) => {
        const edges = [0, ...cuts.toSorted((a, b) => a - b), bytes.length]
        const pieces = edges.slice(1).map((end, at) => bytes.subarray(edges[at] ?? 0, end))
        const { entries, ended, heads } = read(pieces)
        assert.deepEqual(entries, tree)
        assert.equal(ended, true)
        assert.deepEqual(
          heads,
          tree.map(([entry]) => encodeEntry(entry)),
        )
      }),
    )
  })

  it('has an end, without which something is missing', () => {
    const bytes = row(...tree)
    assert.equal(read([bytes.subarray(0, -1)]).ended, false)
    assert.throws(() => read([bytes, new Uint8Array(1)]), { code: SHAPE, message: 'something follows the end' })
  })

  it('holds no more than was announced', () => {
    const announced = { files: 3, folders: 1, bytes: 8 }
    assert.equal(read([row(...tree)], announced).ended, true)
    for (const less of [{ files: 2 }, { folders: 0 }, { bytes: 7 }])
      assert.throws(() => read([row(...tree)], { ...announced, ...less }), {
        code: SHAPE,
        message: /more .* than was announced/,
      })
  })

  it('is refused at the first name that must not be, before anything of that file', () => {
    for (const path of ['..', '../x', '/etc/passwd', 'a/../../x', 'a//b', './a', '', 'a\0', '\u001b[2J'])
      assert.throws(() => read([row([folder('a')], [file(path)])]), { code: NAME }, path)
    const onWindows = { windows: true, distinct: false }
    for (const path of ['C:\\x', 'nul', 'a.txt:stream'])
      assert.throws(() => read([row([file(path)])], plenty, onWindows), { code: NAME }, path)
    assert.throws(() => read([row([file('A')], [file('a')])], plenty, onWindows), {
      code: NAME,
      message: /only in case/,
    })
  })

  it('is refused when a head is out of its form', () => {
    const broken = (change: (head: DataView) => void): Uint8Array => {
      const bytes = encodeEntry(file('a', 1))
      change(new DataView(bytes.buffer))
      return bytes
    }
    const heads = [
      broken((head) => head.setUint8(0, 3)),
      broken((head) => head.setUint8(1, 2)),
      broken((head) => head.setUint8(0, 1)),
      broken((head) => head.setBigUint64(4, 2n ** 63n)),
      broken((head) => head.setBigInt64(12, 2n ** 62n)),
      Uint8Array.of(0, 1, ...TREE_END.subarray(2)),
    ]
    for (const head of heads) assert.throws(() => read([head]), { code: SHAPE })
    const bytes = encodeEntry(file('ab'))
    bytes.set([0xff], bytes.length - 1)
    assert.throws(() => read([bytes]), { code: NAME, message: /not UTF-8/ })
  })

  it('is read or refused, whatever the bytes are', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.uint8Array({ maxLength: 60 }), { maxLength: 5 }), async (pieces) => {
        await readOrRefused(() => read(pieces))
      }),
    )
  })
})
