/** For tests: two sides that meet as often as they have to, on simulated disks, in time that passes by itself. */
import assert from 'node:assert/strict'
import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import fc from 'fast-check'
import { createHasher } from '../../effects/digest-node.ts'
import type { Folders } from '../../effects/folders.ts'
import type { Packer } from '../../effects/packer.ts'
import { createTestTime } from '../../effects/testing.ts'
import { createSimDisk, createSimFolders, simFile, type SimDisk, type SimFolder } from '../../sim/folders.ts'
import { createSimStreams, type SimStream, type SimStreamsOptions } from '../../sim/streams.ts'
import type { Connect } from './attempts.ts'
import type { TransferEffects } from './effects.ts'
import type { ReceiveOptions } from './receive.ts'

/** In the same turn, so that time stands still meanwhile. */
const packer: Packer = {
  pack: async (bytes) => zstdCompressSync(bytes, { params: { [constants.ZSTD_c_compressionLevel]: 1 } }),
  async unpack(packed, length) {
    try {
      const bytes = zstdDecompressSync(packed, { maxOutputLength: length })
      return bytes.length === length ? bytes : undefined
    } catch {
      return undefined
    }
  },
}

export const createWorld = () => {
  const time = createTestTime()
  return {
    time,
    effects: (folders: Folders): TransferEffects => ({ clock: time.clock, folders, packer, createHasher }),
    /** Lets time pass until the work is done, or for two hours. */
    async run<T>(work: Promise<T>): Promise<T> {
      const state = { isSettled: false }
      const settled = () => void (state.isSettled = true)
      work.then(settled, settled)
      for (let seconds = 0; !state.isSettled; seconds++) {
        assert.ok(seconds < 2 * 3600, 'nothing happens any more')
        await time.pass(1000)
      }
      return work
    },
  }
}

/** A place where two sides meet. @param breaks what happens to each connection, the first to come first; then nothing */
export const createMeeting = (streams = 1, breaks: readonly SimStreamsOptions[] = []) => {
  const waiting: { readonly side: 'first' | 'second'; readonly come: (streams: SimStream[]) => void }[] = []
  let met = 0
  const connectAs =
    (side: 'first' | 'second'): Connect =>
    (signal) =>
      new Promise((resolve, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true })
        const other = waiting.findIndex((each) => each.side !== side)
        if (other < 0) return void waiting.push({ side, come: resolve })
        const [first, second] = createSimStreams(streams, breaks[met++] ?? {})
        waiting.splice(other, 1)[0]?.come(side === 'first' ? second : first)
        resolve(side === 'first' ? first : second)
      })
  return { sender: connectAs('first'), recipient: connectAs('second'), met: () => met }
}

/** A tree as a test writes it down: content of files by their names, folders within folders. */
export interface Tree {
  readonly [name: string]: string | Uint8Array | Tree
}

export const bytesOf = (content: string | Uint8Array): Uint8Array =>
  typeof content === 'string' ? new TextEncoder().encode(content) : content

const folderOf = (tree: Tree): SimFolder => ({
  kind: 'folder',
  entries: new Map(
    Object.entries(tree).map(([name, content]) => [
      name,
      typeof content === 'string' || content instanceof Uint8Array
        ? simFile(bytesOf(content).slice())
        : folderOf(content),
    ]),
  ),
})

/** A disk with a tree in its root. */
export const diskWith = (tree: Tree, options?: Parameters<typeof createSimDisk>[0]): SimDisk => {
  const disk = createSimDisk(options)
  for (const [name, entry] of folderOf(tree).entries) disk.root.entries.set(name, entry)
  return disk
}

/** What a folder holds; anything that is no file or folder stands out. */
const treeOf = (folder: SimFolder): Tree =>
  Object.fromEntries(
    [...folder.entries]
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, entry]): [string, Tree[string]] => {
        if (entry.kind === 'folder') return [name, treeOf(entry)]
        return [name, entry.kind === 'file' ? Uint8Array.from(entry.content) : `a ${entry.kind}`]
      }),
  )

export const treeIn = (disk: SimDisk): Tree => treeOf(disk.root)

/** The same tree with all content as bytes, in the order of `treeOf`. */
export const plain = (tree: Tree): Tree => treeOf(folderOf(tree))

/** Yes to everything. */
export const intoRoot: Pick<ReceiveOptions, 'into' | 'accept'> = {
  into: { folder: '/' },
  accept: async () => ({ mayReplace: false, resume: true }),
}

export const simFolders = createSimFolders

const name = fc.stringMatching(/^[a-zA-Zäß0-9 ._-]{1,6}$/).filter((each) => !['.', '..'].includes(each))
const content = fc.oneof(
  { weight: 4, arbitrary: fc.uint8Array({ maxLength: 40 }) },
  // Over the edges of blocks, and of what compresses and what does not.
  fc
    .tuple(fc.integer({ min: 0, max: 200_000 }), fc.integer({ min: 1, max: 255 }))
    .map(([length, factor]) => Uint8Array.from({ length }, (_each, at) => (at * at * factor) >> 7)),
)

/** Any tree with something in it. */
export const anyTree: fc.Arbitrary<Tree> = fc
  .letrec<{ tree: Tree; node: Tree[string] }>((tie) => ({
    tree: fc.dictionary(name, tie('node'), { maxKeys: 4 }),
    node: fc.oneof({ maxDepth: 3, depthSize: 'small' }, content, tie('tree')),
  }))
  .tree.filter((tree) => Object.keys(tree).length > 0)
