/**
 * A tree of files as one row of bytes, which is what a transfer moves: each entry's head, its content after it, and a
 * head of zeros at the end. The same tree gives the same bytes, so that a place in them and a digest of what is before
 * it say all that there is to say about what has arrived.
 *
 * A head is 20 bytes: kind (0 end, 1 folder, 2 file), flags (1 executable), length of the path (2 bytes), length of the
 * content (8), time of the last change in milliseconds since the Unix epoch (8, signed); all big-endian. The path
 * follows it, UTF-8 with `/` between the names.
 */
import { concatBytes } from '@noble/hashes/utils.js'
import { fromUtf8, utf8 } from '../bytes.ts'
import { ProtocolError } from '../errors.ts'
import { TRANSFER_PATH_BYTES_MAX } from '../limits.ts'
import { createPathOrder, pathFault, type NameRules, type Path } from './names.ts'

export interface Entry {
  readonly kind: 'file' | 'folder'
  readonly path: Path
  /** Bytes of content; 0 for a folder. */
  readonly size: number
  readonly executable: boolean
  readonly modifiedMs: number
}

/** How much a tree holds. */
export interface Totals {
  readonly files: number
  readonly folders: number
  /** Of content. */
  readonly bytes: number
}

const HEAD_BYTES = 20
const KINDS = { folder: 1, file: 2 } as const
/** As far from the epoch as a time of JavaScript goes. */
const MODIFIED_MS_MAX = 8.64e15

export const TREE_END = new Uint8Array(HEAD_BYTES)

/** @param entry of a path that `pathFault` finds nothing wrong with */
export const encodeEntry = ({ kind, path, size, executable, modifiedMs }: Entry): Uint8Array => {
  const name = utf8(path.join('/'))
  const head = new Uint8Array(HEAD_BYTES + name.length)
  const view = new DataView(head.buffer)
  view.setUint8(0, KINDS[kind])
  view.setUint8(1, executable ? 1 : 0)
  view.setUint16(2, name.length)
  view.setBigUint64(4, BigInt(size))
  view.setBigInt64(12, BigInt(modifiedMs))
  head.set(name, HEAD_BYTES)
  return head
}

/** What comes next in the row of bytes. */
export type TreePart =
  | { readonly part: 'entry'; readonly entry: Entry; readonly head: Uint8Array }
  /** Of the file that came last, in order. */
  | { readonly part: 'content'; readonly bytes: Uint8Array }
  | { readonly part: 'end' }

export interface TreeReader {
  /**
   * Takes bytes in pieces of any length.
   * @throws ERR_TRANSFER_NAME | ERR_TRANSFER_SHAPE
   */
  read(bytes: Uint8Array): Generator<TreePart, void>
  /** Bytes of a head that has not come whole. */
  readonly pending: number
  /** Whether the end has come. */
  readonly ended: boolean
}

/** Bytes of the head that begins here, as far as can be told. */
export const headLength = (bytes: Uint8Array): number =>
  bytes.length < HEAD_BYTES ? HEAD_BYTES : HEAD_BYTES + new DataView(bytes.buffer, bytes.byteOffset).getUint16(2)

const lie = (text: string): ProtocolError => new ProtocolError('ERR_TRANSFER_SHAPE', text)

/**
 * Reads the row of bytes of a stranger.
 * @param announced no more than this is accepted
 */
export const createTreeReader = (rules: NameRules, announced: Totals): TreeReader => {
  const paths = createPathOrder(rules)
  const left = { ...announced }
  let head = new Uint8Array(0)
  let contentLeft = 0
  let ended = false

  const take = (entry: Entry): void => {
    const count = entry.kind === 'file' ? 'files' : 'folders'
    left[count] -= 1
    left.bytes -= entry.size
    if (left[count] < 0 || left.bytes < 0) throw lie('there is more in the transfer than was announced')
    const fault = pathFault(entry.path, rules) ?? paths.next(entry.path, entry.kind === 'folder')
    if (fault !== undefined) throw new ProtocolError('ERR_TRANSFER_NAME', `a name in the transfer ${fault}`)
  }

  return {
    *read(bytes) {
      let rest = bytes
      while (rest.length > 0) {
        if (ended) throw lie('something follows the end')
        if (contentLeft > 0) {
          const content = rest.subarray(0, contentLeft)
          contentLeft -= content.length
          rest = rest.subarray(content.length)
          yield { part: 'content', bytes: content }
          continue
        }
        const piece = rest.subarray(0, headLength(head) - head.length)
        head = concatBytes(head, piece)
        rest = rest.subarray(piece.length)
        if (head.length < headLength(head)) continue
        const whole = head
        head = new Uint8Array(0)
        const entry = decodeHead(whole)
        if (entry === undefined) {
          ended = true
          yield { part: 'end' }
        } else {
          take(entry)
          contentLeft = entry.size
          yield { part: 'entry', entry, head: whole }
        }
      }
    },
    get pending() {
      return head.length
    },
    get ended() {
      return ended
    },
  }
}

/** @returns undefined for the end. @throws ERR_TRANSFER_SHAPE | ERR_TRANSFER_NAME */
export const decodeHead = (head: Uint8Array): Entry | undefined => {
  const view = new DataView(head.buffer, head.byteOffset)
  const kind = view.getUint8(0)
  const flags = view.getUint8(1)
  const size = Number(view.getBigUint64(4))
  const modifiedMs = Number(view.getBigInt64(12))
  if (kind === 0) {
    if (head.length !== HEAD_BYTES || head.some((byte) => byte !== 0)) throw lie('an end of a form unknown here')
    return undefined
  }
  if (kind > KINDS.file || flags > 1 || (kind === KINDS.folder && (size > 0 || flags > 0))) {
    throw lie('an entry of a kind unknown here')
  }
  if (!Number.isSafeInteger(size) || Math.abs(modifiedMs) > MODIFIED_MS_MAX) throw lie('an entry out of all bounds')
  if (head.length - HEAD_BYTES > TRANSFER_PATH_BYTES_MAX) throw lie('a path that is too long')
  const path = pathIn(head.subarray(HEAD_BYTES))
  return { kind: kind === KINDS.file ? 'file' : 'folder', path, size, executable: flags === 1, modifiedMs }
}

const pathIn = (bytes: Uint8Array): Path => {
  try {
    return fromUtf8(bytes).split('/')
  } catch (cause) {
    throw new ProtocolError('ERR_TRANSFER_NAME', 'a name in the transfer is not UTF-8', { cause })
  }
}
