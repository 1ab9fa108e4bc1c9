/** Files that a person names, by their paths on this machine. */
import { link, open, readdir, unlink } from 'node:fs/promises'
import { CommandError } from './command-error.ts'
import type { UserFiles } from './user-files.ts'

export const createUserFiles = (): UserFiles => ({
  read: async (path, bytesMax) => {
    const file = await open(path, 'r')
    try {
      // One byte more than allowed tells; pipes and devices have no size to ask for.
      const buffer = new Uint8Array(bytesMax + 1)
      let length = 0
      while (length < buffer.length) {
        const { bytesRead } = await file.read(buffer, length, buffer.length - length)
        if (bytesRead === 0) return buffer.slice(0, length)
        length += bytesRead
      }
      throw new CommandError('ERR_USAGE', `the file is longer than ${bytesMax} bytes`)
    } finally {
      await file.close()
    }
  },
  list: async (path) => {
    try {
      const entries = await readdir(path, { withFileTypes: true })
      return entries.flatMap((entry) => (entry.isFile() ? [entry.name] : [])).toSorted()
    } catch (fault) {
      if (['ENOTDIR', 'ENOENT'].includes(String((fault as NodeJS.ErrnoException).code))) return undefined
      throw fault
    }
  },
  create: async (path, content) => {
    const file = await open(path, 'wx', 0o600)
    try {
      await file.writeFile(content)
      await file.sync()
    } finally {
      await file.close()
    }
  },
  begin: async (path) => {
    const part = `${path}.part`
    // Tells at once what would be found out at the end.
    await (await open(path, 'wx', 0o600)).close()
    await unlink(path)
    const file = await open(part, 'w', 0o600)
    return {
      write: async (piece) => await file.writeFile(piece),
      finish: async () => {
        await file.sync()
        await file.close()
        // Unlike a renaming, it replaces nothing.
        await link(part, path)
        await unlink(part)
      },
      leave: () => file.close(),
    }
  },
})
