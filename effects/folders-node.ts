/**
 * Folders of this machine. Linux lets a path go on from an open folder (`/proc/self/fd/N/name`), which is `openat`:
 * there no other program can turn a path elsewhere. On other systems the last name of a path is safe from that only.
 */
import { randomUUID } from 'node:crypto'
import { constants, type Stats } from 'node:fs'
import {
  link,
  lstat,
  mkdir,
  open,
  readdir,
  realpath,
  rename,
  rm,
  statfs,
  unlink,
  type FileHandle,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, dirname, join, resolve } from 'node:path'
import process from 'node:process'
import { tryLockFile } from './file-lock.ts'
import { FolderError, type FileFacts, type Folders, type HeldFile, type HeldFolder, type Located } from './folders.ts'

const { O_RDONLY, O_RDWR, O_CREAT, O_EXCL } = constants
/** What Windows does not have. */
const { O_NOFOLLOW = 0, O_DIRECTORY = 0, O_NONBLOCK = 0 } = constants as Partial<typeof constants>
const isWindows = process.platform === 'win32'
const LOCK_NAME = 'lock'
/** What a disk without such a thing says: there are many that keep no modes, no links, or no folders by themselves. */
const NOT_THERE = ['EPERM', 'EACCES', 'EINVAL', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS']

const codeOf = (fault: unknown): string => String((fault as NodeJS.ErrnoException).code)

/** Passes over what this disk does not have. */
const unlessThere = (fault: unknown): void => {
  if (!NOT_THERE.includes(codeOf(fault))) throw fault
}

const kindFault = (cause?: unknown): FolderError =>
  new FolderError('ERR_FOLDER_KIND', 'a link, or otherwise not what it should be', { cause })

const factsOf = (stats: Stats): FileFacts => ({
  kind: stats.isFile() ? 'file' : stats.isDirectory() ? 'folder' : stats.isSymbolicLink() ? 'link' : 'other',
  size: stats.size,
  modifiedMs: Math.floor(stats.mtimeMs),
  executable: !isWindows && (stats.mode & 0o100) !== 0,
})

const isSame = (a: Stats, b: Stats): boolean => a.dev === b.dev && a.ino === b.ino

/** Opens what is no link. @throws ERR_FOLDER_KIND */
const openNoLink = async (path: string, flags: number, mode?: number): Promise<FileHandle> => {
  try {
    return await open(path, flags | O_NOFOLLOW, mode)
  } catch (fault) {
    if (['ELOOP', 'ENOTDIR', 'EISDIR', 'ENXIO', 'EMLINK'].includes(codeOf(fault))) throw kindFault(fault)
    throw fault
  }
}

const holdFile = async (path: string, flags: number): Promise<HeldFile> => {
  // Opening a pipe would wait for its other end.
  const handle = await openNoLink(path, flags | O_NONBLOCK, 0o666)
  const stats = await handle.stat()
  if (stats.isFile() && (O_NOFOLLOW !== 0 || isSame(stats, await lstat(path)))) return heldFile(handle)
  await handle.close()
  throw kindFault()
}

const heldFile = (handle: FileHandle): HeldFile => ({
  facts: async () => factsOf(await handle.stat()),
  read: async (position, into) => (await handle.read(into, 0, into.length, position)).bytesRead,
  async write(position, bytes) {
    let written = 0
    while (written < bytes.length) {
      written += (await handle.write(bytes, written, bytes.length - written, position + written)).bytesWritten
    }
  },
  cut: (length) => handle.truncate(length),
  async stamp(executable, modifiedMs) {
    if (executable) {
      // Whoever may read it may run it.
      const mode = (await handle.stat()).mode & 0o777
      await handle.chmod(mode | ((mode & 0o444) >> 2)).catch(unlessThere)
    }
    await handle.utimes(modifiedMs / 1000, modifiedMs / 1000)
  },
  sync: () => handle.sync(),
  close: () => handle.close(),
})

/** Folders that this module holds, by what it gave out: only between such can things be moved. */
const pathsOf = new WeakMap<HeldFolder, string>()

const holdFolder = async (path: string): Promise<HeldFolder> => {
  const handle = await openNoLink(path, O_RDONLY | O_DIRECTORY)
  const stats = await handle.stat()
  const through = `/proc/self/fd/${handle.fd}`
  const canGoThrough = await lstat(through).then(
    () => process.platform === 'linux',
    () => false,
  )
  if (!stats.isDirectory() || (!canGoThrough && !isSame(stats, await lstat(path)))) {
    await handle.close()
    throw kindFault()
  }
  return heldFolder(handle, canGoThrough ? through : path)
}

const heldFolder = (handle: FileHandle, base: string): HeldFolder => {
  const at = (name: string): string => {
    if (name === '' || name === '.' || name === '..' || /[/\0]/.test(name) || (isWindows && /[\\:]/.test(name)))
      throw new FolderError('ERR_FOLDER_NAME', 'not the name of a file')
    return join(base, name)
  }
  const statsOf = async (path: string): Promise<Stats | undefined> => {
    try {
      return await lstat(path)
    } catch (fault) {
      if (codeOf(fault) === 'ENOENT') return undefined
      throw fault
    }
  }

  const folder: HeldFolder = {
    async names() {
      const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
      // A path through the folder's descriptor ends at it, and a link there is the system's own.
      const raw = await readdir(`${base}/`, { encoding: 'buffer' })
      return raw.map((name) => {
        try {
          return decoder.decode(name)
        } catch (cause) {
          throw new FolderError('ERR_FOLDER_NAME', 'a name in the folder is no Unicode text: rename it', { cause })
        }
      })
    },
    async facts(name) {
      const stats = await statsOf(at(name))
      return stats && factsOf(stats)
    },
    folder: async (name) => holdFolder(at(name)),
    file: async (name) => holdFile(at(name), O_RDONLY),
    makeFile: async (name) => holdFile(at(name), O_RDWR | O_CREAT),
    async makeFolder(name, isPrivate = false) {
      await mkdir(at(name), isPrivate ? 0o700 : 0o777).catch((fault: unknown) => {
        if (codeOf(fault) !== 'EEXIST') throw fault
      })
      return holdFolder(at(name))
    },
    remove: async (name) => rm(at(name), { recursive: true, force: true }),
    async move(name, to, mayReplace) {
      const from = at(name)
      const target = join(pathOf(to), name)
      const stats = await lstat(from)
      const there = await statsOf(target)
      const exists = () => new FolderError('ERR_FOLDER_EXISTS', 'there is something of that name')
      if (stats.isDirectory()) {
        if (there) throw exists()
        return rename(from, target)
      }
      if (mayReplace) {
        if (there?.isDirectory()) throw exists()
        return rename(from, target)
      }
      try {
        await link(from, target)
      } catch (fault) {
        if (codeOf(fault) === 'EEXIST') {
          // An earlier move that was cut off has got as far as this.
          const now = await statsOf(target)
          if (!now || !isSame(stats, now)) throw exists()
        } else if (NOT_THERE.includes(codeOf(fault))) {
          // A disk without hard links: an empty file keeps the place, and is ours to replace.
          await (await open(target, O_RDWR | O_CREAT | O_EXCL)).close()
          return rename(from, target)
        } else throw fault
      }
      await unlink(from)
    },
    sync: () => handle.sync().catch(unlessThere),
    async freeBytes() {
      const { bavail, bsize } = await statfs(`${base}/`)
      return bavail * bsize
    },
    async lock() {
      const unlock = tryLockFile(join(base, LOCK_NAME))
      if (unlock) return unlock
      throw new FolderError('ERR_FOLDER_BUSY', 'another process is at work in it')
    },
    isOwn: async () => isWindows || (await handle.stat()).uid === process.getuid?.(),
    close: () => handle.close(),
  }
  pathsOf.set(folder, base)
  return folder
}

const pathOf = (folder: HeldFolder): string => {
  const path = pathsOf.get(folder)
  if (path === undefined) throw new TypeError('a folder of another door')
  return path
}

export const createFolders = (): Folders => ({
  windows: isWindows,
  open: async (path) => holdFolder(await realpath(path)),
  async locate(path): Promise<Located> {
    const real = await realpath(path)
    const [name, shown] = [basename(real), basename(resolve(path))]
    if (name === '' || shown === '')
      throw new FolderError('ERR_FOLDER_NAME', 'a whole disk has no name: name a folder in it')
    return { folder: await holdFolder(dirname(real)), name, shown }
  },
  async spool(stream) {
    const path = join(tmpdir(), `chrove-${randomUUID()}`)
    const handle = await open(path, O_RDWR | O_CREAT | O_EXCL, 0o600)
    try {
      // Systems that keep an open file from being unlinked have it until they are restarted.
      await unlink(path).catch(() => {})
      const file = heldFile(handle)
      let position = 0
      for await (const chunk of stream) {
        await file.write(position, chunk)
        position += chunk.length
      }
      return file
    } catch (fault) {
      await handle.close()
      throw fault
    }
  },
})
