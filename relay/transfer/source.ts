/**
 * What is sent: files, folders, standard input or a text, walked in the one order that a recipient accepts. Links inside
 * folders and whatever is no file are left out and told of: they mean nothing on another machine, or lead elsewhere.
 */
import type { FileFacts, Folders, HeldFile, HeldFolder } from '../../effects/folders.ts'
import { utf8 } from '../../protocol/bytes.ts'
import { TRANSFER_MESSAGE_BYTES_MAX, TRANSFER_TEXT_BYTES_MAX } from '../../protocol/limits.ts'
import { compareNames, createPathOrder, foldName, pathFault, type Path } from '../../protocol/transfer/names.ts'
import type { Offer } from '../../protocol/transfer/messages.ts'
import { offerId } from '../../protocol/transfer/offer.ts'
import { encodeEntry, TREE_END, type Entry, type Totals } from '../../protocol/transfer/tree.ts'
import type { TransferEffects } from './effects.ts'
import { TransferError } from './errors.ts'

/** What a person wants to send. */
export type Sendable =
  | { readonly paths: readonly string[] }
  /** Standard input, say; it is kept in a file until it is sent, so that sending can go on after a break. */
  | { readonly stream: AsyncIterable<Uint8Array>; readonly name: string }
  | { readonly text: string }

/** One thing at the top of a transfer. */
interface Top {
  readonly name: string
  facts(): Promise<FileFacts>
  file(): Promise<HeldFile>
  folder(): Promise<HeldFolder>
  close(): Promise<void>
}

export interface FoundEntry {
  readonly entry: Entry
  /** Of a file. */
  open(): Promise<HeldFile>
}

/** What a folder has that is not sent. */
export interface LeftOut {
  readonly links: number
  readonly others: number
}

export interface Source {
  readonly offer: Offer
  readonly leftOut: LeftOut
  /** From the first entry on. @throws ERR_TRANSFER_NAME */
  walk(): AsyncGenerator<FoundEntry, undefined>
  close(): Promise<void>
}

/** @throws ERR_TRANSFER_NOTHING | ERR_TRANSFER_NAME | ERR_TRANSFER_TOO_MUCH; the system's own error */
export const openSource = async (effects: TransferEffects, sendable: Sendable): Promise<Source> => {
  const tops = await topsOf(effects.folders, sendable)
  const close = async () => {
    for (const top of tops) await top.close()
  }
  try {
    const counted = { links: 0, others: 0 }
    const summary = await summarize(walk(tops, counted))
    const names = tops.map(({ name }) => name)
    const kind = 'text' in sendable ? 'text' : 'files'
    const offer: Offer = { type: 'offer', version: 1, kind, id: offerId(names), names, ...summary }
    if (utf8(JSON.stringify(offer)).length > TRANSFER_MESSAGE_BYTES_MAX)
      throw new TransferError('ERR_TRANSFER_TOO_MUCH', 'too many names at once: put them into a folder and send that')
    return { offer, leftOut: counted, walk: () => walk(tops, { links: 0, others: 0 }), close }
  } catch (fault) {
    await close()
    throw fault
  }
}

const summarize = async (entries: AsyncIterable<FoundEntry>): Promise<Totals & { readonly length: number }> => {
  let [files, folders, bytes, length] = [0, 0, 0, TREE_END.length]
  for await (const { entry } of entries) {
    if (entry.kind === 'file') files += 1
    else folders += 1
    bytes += entry.size
    length += encodeEntry(entry).length + entry.size
  }
  if (files + folders > 0) return { files, folders, bytes, length }
  throw new TransferError('ERR_TRANSFER_NOTHING', 'there is nothing to send')
}

const topsOf = async (folders: Folders, sendable: Sendable): Promise<readonly Top[]> => {
  if ('text' in sendable) {
    const bytes = utf8(sendable.text)
    if (bytes.length > TRANSFER_TEXT_BYTES_MAX)
      throw new TransferError('ERR_TRANSFER_TOO_MUCH', 'too long for a text: put it into a file and send that')
    return [fileTop('text', memoryFile(bytes))]
  }
  if ('stream' in sendable) return [fileTop(sendable.name, await folders.spool(sendable.stream))]
  const tops: Top[] = []
  // One after the other, so that the first that is not there is the one that is told of.
  for (const path of sendable.paths) {
    const { folder, name, shown } = await folders.locate(path)
    tops.push({
      name: shown,
      async facts() {
        const facts = await folder.facts(name)
        if (facts?.kind === 'file' || facts?.kind === 'folder') return facts
        throw new TransferError('ERR_TRANSFER_NOTHING', 'only files and folders can be sent')
      },
      file: () => folder.file(name),
      folder: () => folder.folder(name),
      close: () => folder.close(),
    })
  }
  return tops.toSorted((a, b) => compareNames(a.name, b.name))
}

/** A file that is open for as long as it is sent. */
const fileTop = (name: string, file: HeldFile): Top => ({
  name,
  facts: () => file.facts(),
  file: async () => ({ ...file, close: async () => {} }),
  folder: () => Promise.reject(new TypeError('a file is no folder')),
  close: () => file.close(),
})

const memoryFile = (bytes: Uint8Array): HeldFile => {
  const readOnly = () => Promise.reject(new TypeError('what is sent is not written to'))
  return {
    facts: async () => ({ kind: 'file', size: bytes.length, modifiedMs: 0, executable: false }),
    async read(position, into) {
      const part = bytes.subarray(position, position + into.length)
      into.set(part)
      return part.length
    },
    write: readOnly,
    cut: readOnly,
    stamp: readOnly,
    sync: readOnly,
    close: async () => {},
  }
}

async function* walk(
  tops: readonly Top[],
  leftOut: { links: number; others: number },
): AsyncGenerator<FoundEntry, undefined> {
  const order = createPathOrder({ distinct: true })
  const check = (entry: Entry): Entry => {
    const { path, kind } = entry
    const fault = pathFault(path, { windows: false }) ?? order.next(path, kind === 'folder')
    if (fault === undefined) return entry
    throw new TransferError('ERR_TRANSFER_NAME', `${path.join('/')} cannot be sent, because the name ${fault}`)
  }
  for (const top of tops) {
    const facts = await top.facts()
    const entry = check(entryOf([top.name], facts))
    yield { entry, open: () => top.file() }
    if (entry.kind === 'folder') yield* inside(await top.folder(), [top.name], check, leftOut)
  }
}

async function* inside(
  folder: HeldFolder,
  path: Path,
  check: (entry: Entry) => Entry,
  leftOut: { links: number; others: number },
): AsyncGenerator<FoundEntry, undefined> {
  try {
    for (const name of sortNames(await folder.names())) {
      const facts = await folder.facts(name)
      if (facts?.kind === 'link') leftOut.links += 1
      else if (facts?.kind === 'other') leftOut.others += 1
      else if (facts) {
        const entry = check(entryOf([...path, name], facts))
        yield { entry, open: () => folder.file(name) }
        if (entry.kind === 'folder') yield* inside(await folder.folder(name), entry.path, check, leftOut)
      }
    }
  } finally {
    await folder.close()
  }
}

/** As `compareNames`, with each name folded once. */
const sortNames = (names: readonly string[]): string[] =>
  names
    .map((name) => ({ name, fold: foldName(name) }))
    .sort((a, b) => (a.fold < b.fold ? -1 : a.fold > b.fold ? 1 : a.name < b.name ? -1 : 1))
    .map(({ name }) => name)

const entryOf = (path: Path, { kind, size, modifiedMs, executable }: FileFacts): Entry =>
  // A folder's time changes with what is put into it, on both sides.
  kind === 'file'
    ? { kind, path, size, executable, modifiedMs }
    : { kind: 'folder', path, size: 0, executable: false, modifiedMs: 0 }
