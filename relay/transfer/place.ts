/** Puts a tree that has arrived whole where it belongs. What is there already is replaced only if a person said so. */
import { FolderError, type HeldFolder } from '../../effects/folders.ts'
import { ProtocolError } from '../../protocol/errors.ts'
import { foldName, type NameRules } from '../../protocol/transfer/names.ts'
import { decodeHead, type Entry } from '../../protocol/transfer/tree.ts'
import { TransferError } from './errors.ts'

/**
 * Makes what has arrived durable, sees that all of it is there, and removes what an earlier attempt left beside it.
 * @param heads of the whole row, its end included
 */
export const sweep = async (
  tree: HeldFolder,
  heads: AsyncIterable<Uint8Array>,
  { distinct }: NameRules,
): Promise<void> => {
  const entries = heads[Symbol.asyncIterator]()
  let next: Entry | undefined
  const step = async (): Promise<void> => {
    const head = await entries.next()
    next = head.done ? undefined : decodeHead(head.value)
  }
  const keyOf = (name: string) => (distinct ? name : foldName(name))

  const inside = async (folder: HeldFolder, depth: number): Promise<void> => {
    const strays = new Map((await folder.names()).map((name) => [keyOf(name), name]))
    while (next?.path.length === depth) {
      const { kind, size, path } = next
      const name = path.at(-1) ?? ''
      strays.delete(keyOf(name))
      await step()
      if (kind === 'file') await syncFile(folder, name, size)
      else {
        const child = await folder.folder(name)
        try {
          await inside(child, depth + 1)
        } finally {
          await child.close()
        }
      }
    }
    for (const name of strays.values()) await folder.remove(name)
    await folder.sync()
  }
  await step()
  await inside(tree, 1)
}

const syncFile = async (folder: HeldFolder, name: string, size: number): Promise<void> => {
  const file = await folder.file(name)
  try {
    if ((await file.facts()).size !== size)
      throw new ProtocolError('ERR_TRANSFER_SHAPE', 'a file is not as long as it was')
    await file.sync()
  } finally {
    await file.close()
  }
}

/**
 * Moves what is at the top of a tree into a folder. What was moved before a crash is no longer in the tree.
 * @throws ERR_TRANSFER_EXISTS with what was not moved still in the tree
 */
export const place = async (
  tree: HeldFolder,
  target: HeldFolder,
  names: readonly string[],
  mayReplace: boolean,
): Promise<void> => {
  for (const name of names) {
    const facts = await tree.facts(name)
    if (!facts) continue
    try {
      if (mayReplace && facts.kind === 'folder') await merge(tree, target, name)
      else await tree.move(name, target, mayReplace)
    } catch (fault) {
      if (!(fault instanceof FolderError)) throw fault
      const text = `${name} is there already and is kept; what arrived is kept, too`
      throw new TransferError('ERR_TRANSFER_EXISTS', text, { cause: fault })
    }
  }
}

/** Files of one folder take the place of those in the other; what only that has stays. */
const merge = async (from: HeldFolder, to: HeldFolder, name: string): Promise<void> => {
  if (!(await to.facts(name))) return from.move(name, to, true)
  const source = await from.folder(name)
  try {
    const target = await to.folder(name)
    try {
      for (const each of (await source.names()).toSorted()) {
        const isFolder = (await source.facts(each))?.kind === 'folder'
        await (isFolder ? merge(source, target, each) : source.move(each, target, true))
      }
      await target.sync()
    } finally {
      await target.close()
    }
  } finally {
    await source.close()
  }
}
