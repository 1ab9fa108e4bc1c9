/**
 * The source as one row of bytes, from any place in it on. Reading goes on at a place without reading what is before it:
 * the heads are walked again, and must be the same.
 */
import type { Hasher } from '../../effects/digest-node.ts'
import type { HeldFile } from '../../effects/folders.ts'
import { TRANSFER_BLOCK_BYTES_MAX } from '../../protocol/limits.ts'
import { encodeEntry, TREE_END, type Entry } from '../../protocol/transfer/tree.ts'
import type { TransferEffects } from './effects.ts'
import { TransferError } from './errors.ts'
import type { Source } from './source.ts'

/** Read of a file at once, bytes: a whole number of blocks. */
const READ_BYTES = 16 * TRANSFER_BLOCK_BYTES_MAX

/** A place in the row, with digests of what is before it. */
export interface Mark {
  readonly length: number
  readonly row: Hasher
  /** Of the heads alone, as far as they begin before this place. */
  readonly heads: Hasher
}

export const firstMark = ({ createHasher }: TransferEffects): Mark => ({
  length: 0,
  row: createHasher(),
  heads: createHasher(),
})

export interface Row {
  /**
   * The next block, as long as may be unless the row ends with it; undefined at the end.
   * @param lengthMax bytes, at least 1; a block's length is the most
   * @throws ERR_TRANSFER_CHANGED
   */
  next(lengthMax?: number): Promise<Uint8Array | undefined>
  /** Where the next block begins. */
  mark(): Mark
  close(): Promise<void>
}

const changed = (path = 'what is sent'): TransferError =>
  new TransferError('ERR_TRANSFER_CHANGED', `${path} was changed while it was sent: send it again`)

/** @param from a mark of this source; what is before it is not read. @throws ERR_TRANSFER_CHANGED, from `next` */
export const openRow = (effects: TransferEffects, source: Source, from: Mark): Row => {
  const row = from.row.copy()
  const heads = effects.createHasher()
  let length = from.length
  const pieces = piecesOf(source, from, heads)
  let rest: Uint8Array = new Uint8Array(0)

  const fill = async (): Promise<boolean> => {
    while (rest.length === 0) {
      const piece = await pieces.next()
      if (piece.done) return false
      rest = piece.value
    }
    return true
  }

  return {
    async next(lengthMax = TRANSFER_BLOCK_BYTES_MAX) {
      const block = new Uint8Array(Math.min(lengthMax, TRANSFER_BLOCK_BYTES_MAX))
      let filled = 0
      while (filled < block.length && (await fill())) {
        const part = rest.subarray(0, block.length - filled)
        block.set(part, filled)
        filled += part.length
        rest = rest.subarray(part.length)
      }
      if (filled === 0) return undefined
      const bytes = block.subarray(0, filled)
      row.update(bytes)
      length += filled
      return bytes
    },
    mark: () => ({ length, row: row.copy(), heads: heads.copy() }),
    close: async () => void (await pieces.return(undefined)),
  }
}

/** The row in pieces, of which none is longer than `READ_BYTES`. @param heads gets the heads, each before it is given */
async function* piecesOf(source: Source, from: Mark, heads: Hasher): AsyncGenerator<Uint8Array, undefined> {
  let at = 0
  let isSame = from.length === 0
  /** Once all heads that begin before the mark have been walked: they are those that it knows. */
  const compare = () => {
    if (isSame || at < from.length) return
    if (heads.digest() !== from.heads.digest()) throw changed()
    isSame = true
  }
  /** @returns how much of what comes next, so many bytes, is before the mark */
  const step = (length: number): number => {
    const skipped = Math.min(Math.max(from.length - at, 0), length)
    at += length
    return skipped
  }

  for await (const { entry, open } of source.walk()) {
    compare()
    const head = encodeEntry(entry)
    heads.update(head)
    const headSkipped = step(head.length)
    if (headSkipped < head.length) {
      compare()
      yield head.subarray(headSkipped)
    }
    const skipped = step(entry.size)
    if (skipped === entry.size) continue
    compare()
    yield* contentOf(entry, await open(), skipped)
  }
  compare()
  heads.update(TREE_END)
  const endSkipped = step(TREE_END.length)
  compare()
  if (!isSame) throw changed()
  yield TREE_END.subarray(endSkipped)
}

async function* contentOf(entry: Entry, file: HeldFile, from: number): AsyncGenerator<Uint8Array, undefined> {
  try {
    const check = async () => {
      const now = await file.facts()
      if (now.size !== entry.size || now.modifiedMs !== entry.modifiedMs) throw changed(entry.path.join('/'))
    }
    await check()
    let position = from
    while (position < entry.size) {
      const buffer = new Uint8Array(Math.min(READ_BYTES, entry.size - position))
      const length = await file.read(position, buffer)
      if (length === 0) throw changed(entry.path.join('/'))
      position += length
      yield buffer.subarray(0, length)
    }
    await check()
  } finally {
    await file.close()
  }
}
