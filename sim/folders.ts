/**
 * Folders on a simulated disk. A program that uses them can die between any two steps, and within a write; the disk can
 * be full; and power can be lost, with which goes what was not made durable.
 */
import { FolderError, type FileFacts, type Folders, type HeldFile, type HeldFolder } from '../effects/folders.ts'
import { foldName } from '../protocol/transfer/names.ts'
import { never } from './life.ts'

export interface SimFile {
  readonly kind: 'file'
  content: Uint8Array
  /** Bytes at the beginning that a loss of power leaves. */
  durable: number
  executable: boolean
  modifiedMs: number
}

export interface SimFolder {
  readonly kind: 'folder'
  readonly entries: Map<string, SimEntry>
}

/** A link leads nowhere here: whoever follows one is found out by the error. */
type SimEntry = SimFile | SimFolder | { readonly kind: 'link' | 'other' }

export interface SimDisk {
  readonly root: SimFolder
  /** Bytes that still fit. */
  freeBytes: number
  /** Whether names that differ in case or in form only are one. */
  readonly folds: boolean
  readonly windows: boolean
}

export const createSimDisk = (options: { readonly folds?: boolean; readonly windows?: boolean } = {}): SimDisk => ({
  root: { kind: 'folder', entries: new Map() },
  freeBytes: 1e12,
  folds: options.folds ?? false,
  windows: options.windows ?? false,
})

export const simFile = (content: Uint8Array, executable = false, modifiedMs = 1_700_000_000_000): SimFile => ({
  kind: 'file',
  content,
  durable: content.length,
  executable,
  modifiedMs,
})

/** What was not durable is cut off, or reads as zeros, as `draw` says: a number from 0 to 1 for each file. */
export const losePower = (folder: SimFolder, draw: () => number): void => {
  for (const entry of folder.entries.values()) {
    if (entry.kind === 'folder') losePower(entry, draw)
    if (entry.kind !== 'file' || entry.durable >= entry.content.length) continue
    const left = entry.durable + Math.floor(draw() * (entry.content.length - entry.durable + 1))
    if (draw() < 0.5) entry.content = entry.content.slice(0, left)
    else entry.content.fill(0, left)
    entry.durable = entry.content.length
  }
}

const system = (code: string): Error => Object.assign(new Error(code), { code })
const notSo = () => new FolderError('ERR_FOLDER_KIND', 'not what it should be')

export interface SimFoldersOptions {
  /** Changes of the disk that this program lives to make. */
  readonly stepsMax?: number
  /** Told when it dies. */
  readonly onDeath?: () => void
}

/** Paths are names with slashes between, from the root of the disk on; they begin with one. */
export const createSimFolders = (disk: SimDisk, { stepsMax = Infinity, onDeath }: SimFoldersOptions = {}): Folders => {
  let steps = 0
  const locked = new Set<SimFolder>()
  const folderOf = new WeakMap<HeldFolder, SimFolder>()
  const keyIn = (folder: SimFolder, name: string): string =>
    disk.folds ? ([...folder.entries.keys()].find((key) => foldName(key) === foldName(name)) ?? name) : name

  /** @returns false at the step within which the program dies */
  const lives = async (): Promise<boolean> => {
    if (steps > stepsMax) return never()
    steps += 1
    if (steps <= stepsMax) return true
    onDeath?.()
    return false
  }
  const step = async (): Promise<void> => {
    if (!(await lives())) await never()
  }

  const factsOf = (entry: SimEntry): FileFacts => ({
    kind: entry.kind,
    size: entry.kind === 'file' ? entry.content.length : 0,
    modifiedMs: entry.kind === 'file' ? entry.modifiedMs : 0,
    executable: entry.kind === 'file' && entry.executable,
  })

  const resize = (file: SimFile, length: number): void => {
    disk.freeBytes -= length - file.content.length
    const { content } = file
    const room = content.byteOffset === 0 ? content.buffer.byteLength : 0
    // Room for more than is asked for, so that a file can grow in small steps.
    file.content = new Uint8Array(length <= room ? content.buffer : new ArrayBuffer(2 * length), 0, length)
    if (length > room) file.content.set(content)
    else file.content.fill(0, content.length)
    file.durable = Math.min(file.durable, length)
  }

  const holdFile = (file: SimFile): HeldFile => ({
    facts: async () => factsOf(file),
    async read(position, into) {
      const part = file.content.subarray(position, position + into.length)
      into.set(part)
      return part.length
    },
    async write(position, bytes) {
      const survives = await lives()
      const room = file.content.length + disk.freeBytes - position
      const fits = Math.min(survives ? bytes.length : Math.floor(bytes.length / 2), Math.max(room, 0))
      if (position + fits > file.content.length) resize(file, position + fits)
      file.content.set(bytes.subarray(0, fits), position)
      file.durable = Math.min(file.durable, position)
      if (!survives) await never()
      if (fits < bytes.length) throw system('ENOSPC')
    },
    async cut(length) {
      await step()
      resize(file, length)
    },
    async stamp(executable, modifiedMs) {
      await step()
      Object.assign(file, { executable, modifiedMs })
    },
    async sync() {
      await step()
      file.durable = file.content.length
    },
    close: async () => {},
  })

  const hold = (folder: SimFolder): HeldFolder => {
    const find = (name: string) => folder.entries.get(keyIn(folder, name))
    const make = async <Made extends SimFile | SimFolder>(name: string, made: Made): Promise<Made> => {
      const there = find(name)
      if (there === undefined) {
        await step()
        folder.entries.set(name, made)
        return made
      }
      if (there.kind !== made.kind) throw notSo()
      return there as Made
    }
    const held: HeldFolder = {
      names: async () => [...folder.entries.keys()],
      facts: async (name) => {
        const entry = find(name)
        return entry && factsOf(entry)
      },
      async folder(name) {
        const entry = find(name)
        if (!entry) throw system('ENOENT')
        if (entry.kind !== 'folder') throw notSo()
        return hold(entry)
      },
      async file(name) {
        const entry = find(name)
        if (!entry) throw system('ENOENT')
        if (entry.kind !== 'file') throw notSo()
        return holdFile(entry)
      },
      makeFile: async (name) => holdFile(await make(name, simFile(new Uint8Array(0)))),
      makeFolder: async (name) => hold(await make(name, { kind: 'folder', entries: new Map() })),
      async remove(name) {
        const entry = find(name)
        if (entry?.kind === 'folder') {
          const inside = hold(entry)
          for (const each of await inside.names()) await inside.remove(each)
        }
        if (!entry) return
        await step()
        if (entry.kind === 'file') resize(entry, 0)
        folder.entries.delete(keyIn(folder, name))
      },
      async move(name, to, mayReplace) {
        const target = folderOf.get(to)
        const entry = find(name)
        if (!target || !entry) throw system('ENOENT')
        const there = target.entries.get(keyIn(target, name))
        if (there && (!mayReplace || there.kind === 'folder' || entry.kind === 'folder'))
          throw new FolderError('ERR_FOLDER_EXISTS', 'there is something of that name')
        await step()
        folder.entries.delete(keyIn(folder, name))
        target.entries.delete(keyIn(target, name))
        target.entries.set(name, entry)
      },
      sync: step,
      freeBytes: async () => disk.freeBytes,
      async lock() {
        if (locked.has(folder)) throw new FolderError('ERR_FOLDER_BUSY', 'another process is at work in it')
        locked.add(folder)
        return () => void locked.delete(folder)
      },
      isOwn: async () => true,
      close: async () => {},
    }
    folderOf.set(held, folder)
    return held
  }

  const walk = (path: string): SimFolder => {
    let at = disk.root
    for (const name of path.split('/').filter((each) => each !== '')) {
      const entry = at.entries.get(keyIn(at, name))
      if (!entry) throw system('ENOENT')
      if (entry.kind !== 'folder') throw system('ENOTDIR')
      at = entry
    }
    return at
  }

  return {
    windows: disk.windows,
    open: async (path) => hold(walk(path)),
    async locate(path) {
      const at = path.lastIndexOf('/')
      const name = path.slice(at + 1)
      return { folder: hold(walk(path.slice(0, at))), name, shown: name }
    },
    async spool(stream) {
      const file = simFile(new Uint8Array(0))
      const held = holdFile(file)
      for await (const chunk of stream) await held.write(file.content.length, chunk)
      return held
    },
  }
}
