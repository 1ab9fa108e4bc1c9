/**
 * What arrives for a folder. It is gathered in a hidden folder inside it, which only this user can enter, until it is
 * whole: so nothing that exists is touched before, and no link that somebody planted is ever met. What is there after a
 * crash is read again and compared with the sender, so that no write has to be waited for on the way.
 *
 * The hidden folder holds `tree`, the files as far as they came; `heads`, the heads of the row, each written after what
 * it names was made; `whole`, once nothing is missing; and `lock`.
 */
import { concatBytes } from '@noble/hashes/utils.js'
import { FolderError, type HeldFile, type HeldFolder } from '../../effects/folders.ts'
import { utf8 } from '../../protocol/bytes.ts'
import { ProtocolError } from '../../protocol/errors.ts'
import type { Offer, Prefix } from '../../protocol/transfer/messages.ts'
import type { NameRules } from '../../protocol/transfer/names.ts'
import { TREE_END, type Entry } from '../../protocol/transfer/tree.ts'
import type { TransferEffects } from './effects.ts'
import { TransferError } from './errors.ts'
import { headsIn } from './heads.ts'
import { createArrival, type Arrival, type Landing } from './landing.ts'
import { place, sweep } from './place.ts'
import { distinguishes, HEADS_NAME, hiddenName, readWhole, TREE_NAME, WHOLE_NAME } from './hidden.ts'
import { holdHidden, type Gathering } from './gathering.ts'

/** Read of a file that is there already at once, bytes. */
const READ_BYTES = 1024 * 1024

/** What a person decides about an offer. */
export interface Decision {
  /** Files that arrive take the place of those that are there. */
  readonly mayReplace: boolean
  /** Goes on with what an earlier attempt left; else that is removed. */
  readonly resume: boolean
}

/** @throws ERR_FOLDER_BUSY while another process receives the same; ERR_TRANSFER_DISK_FULL; the system's own error */
export const openFolderLanding = async (
  effects: TransferEffects,
  offer: Offer,
  target: HeldFolder,
  decision: Decision,
): Promise<Landing> => {
  const gathering = await holdHidden(target, offer)
  try {
    return await landIn(effects, offer, target, gathering, decision)
  } catch (fault) {
    await gathering.release()
    throw fault
  }
}

const landIn = async (
  effects: TransferEffects,
  offer: Offer,
  target: HeldFolder,
  { hidden, release }: Gathering,
  { mayReplace, resume }: Decision,
): Promise<Landing> => {
  if (!resume) {
    for (const name of [WHOLE_NAME, HEADS_NAME, TREE_NAME]) await hidden.remove(name)
  }
  let tree = await hidden.makeFolder(TREE_NAME)
  const rules: NameRules = { windows: effects.folders.windows, distinct: await distinguishes(hidden) }
  const heads = await hidden.makeFile(HEADS_NAME)
  let whole = await readWhole(hidden)
  let isPlaced = false

  let arrival: Arrival = createArrival(effects, rules, offer)
  let headsLength = 0
  /** Folders around what came last, each in the one before it. */
  const around: HeldFolder[] = []
  let current: { readonly held: HeldFile; readonly entry: Entry; filled: number } | undefined

  const leave = async (): Promise<void> => {
    if (!current || current.filled < current.entry.size) return
    const { held, entry } = current
    current = undefined
    await held.stamp(entry.executable, entry.modifiedMs)
    await held.close()
  }

  /** Makes a file or folder, or opens what was made before. */
  const enter = async (entry: Entry): Promise<void> => {
    const name = entry.path.at(-1) ?? ''
    for (const folder of around.splice(entry.path.length - 1)) await folder.close()
    const parent = around.at(-1) ?? tree
    if (entry.kind === 'folder') around.push(await parent.makeFolder(name))
    else current = { held: await parent.makeFile(name), entry, filled: 0 }
  }

  /** As `enter`, whatever an earlier attempt may have left there beyond what its heads tell. */
  const enterAnew = async (entry: Entry): Promise<void> => {
    try {
      await enter(entry)
    } catch (fault) {
      if (!(fault instanceof FolderError) || fault.code !== 'ERR_FOLDER_KIND') throw fault
      await (around.at(-1) ?? tree).remove(entry.path.at(-1) ?? '')
      await enter(entry)
    }
    await current?.held.cut(0)
  }

  const closeOpen = async (): Promise<void> => {
    for (const folder of around.splice(0)) await folder.close()
    const open = current
    current = undefined
    await open?.held.close()
  }

  /** Reads what there is of the current file, up to a place in the row. */
  const readCurrent = async (limit: number): Promise<void> => {
    if (!current) return
    const { held, entry } = current
    const there = (await held.facts()).size
    const length = Math.min(there, entry.size, limit - arrival.length)
    const buffer = new Uint8Array(Math.min(READ_BYTES, length))
    while (current.filled < length) {
      const count = await held.read(current.filled, buffer.subarray(0, length - current.filled))
      if (count === 0) break
      for (const _part of arrival.read(buffer.subarray(0, count)));
      current.filled += count
      arrival.settle()
    }
    if (there > current.filled) await held.cut(current.filled)
  }

  /** Finds out what is here, up to a place in the row; what is beyond it is dropped. */
  const replay = async (limit: number): Promise<void> => {
    await closeOpen()
    arrival = createArrival(effects, rules, offer)
    headsLength = 0
    try {
      for await (const head of headsIn(heads)) {
        if (current || arrival.length + head.length > limit) break
        for (const part of arrival.read(head)) {
          if (part.part === 'entry') await enter(part.entry)
        }
        headsLength += head.length
        await readCurrent(limit)
        await leave()
        arrival.settle()
      }
    } catch (fault) {
      if (!(fault instanceof ProtocolError)) throw fault
      // These heads are of another offer, or the system lost some of them: what is before them stands.
      await heads.cut(headsLength)
      return replay(limit)
    }
    await heads.cut(headsLength)
  }

  const close = async (): Promise<void> => {
    await closeOpen()
    await heads.close()
    await tree.close()
    await release()
    // Of what was refused at once there is nothing to go on with.
    if (!whole && headsLength === 0) await target.remove(hiddenName(offer))
  }

  try {
    if (!whole) await replay(Infinity)
    const missing = whole ? 0 : offer.length - arrival.length
    if (missing > (await target.freeBytes()))
      throw new TransferError('ERR_TRANSFER_DISK_FULL', `there is no room for ${missing} bytes more`)
  } catch (fault) {
    await close()
    throw fault
  }

  return {
    get length() {
      return whole?.length ?? arrival.length
    },

    arrived: () => (whole ? [whole] : arrival.arrived()),

    async rewind(length) {
      if (length === (whole?.length ?? arrival.length)) return
      // It is another now: what of the earlier one is in its place already stays there.
      if (whole) await hidden.remove(WHOLE_NAME)
      whole = undefined
      if (length === 0) {
        await closeOpen()
        await heads.cut(0)
        await tree.close()
        await hidden.remove(TREE_NAME)
        tree = await hidden.makeFolder(TREE_NAME)
      }
      await replay(length)
      if (arrival.length !== length) throw new TransferError('ERR_TRANSFER_DISK', 'what arrived is no longer there')
    },

    async write(bytes) {
      const pieces: Uint8Array[] = []
      for (const part of arrival.read(bytes)) {
        if (part.part === 'entry') {
          await enterAnew(part.entry)
          pieces.push(part.head)
        } else if (part.part === 'end') pieces.push(TREE_END)
        else if (current) {
          await current.held.write(current.filled, part.bytes)
          current.filled += part.bytes.length
        }
        await leave()
      }
      if (pieces.length > 0) {
        const more = concatBytes(...pieces)
        await heads.write(headsLength, more)
        headsLength += more.length
      }
      arrival.settle()
    },

    async finish(told) {
      if (isPlaced) return
      if (whole) {
        if (told.length !== whole.length || told.digest !== whole.digest)
          throw new ProtocolError('ERR_TRANSFER_SHAPE', 'what arrived earlier is not what the sender says it has sent')
      } else {
        arrival.compare(told)
        await closeOpen()
        await sweep(tree, headsIn(heads), rules)
        await writeWhole(hidden, told)
        whole = told
      }
      await place(tree, target, offer.names, mayReplace)
      await target.sync()
      isPlaced = true
      await close()
      await target.remove(hiddenName(offer))
    },

    close: async () => {
      if (!isPlaced) await close()
    },
  }
}

const writeWhole = async (hidden: HeldFolder, { length, digest }: Prefix): Promise<void> => {
  await hidden.sync()
  const file = await hidden.makeFile(WHOLE_NAME)
  try {
    await file.write(0, utf8(JSON.stringify({ length, digest })))
    await file.sync()
  } finally {
    await file.close()
  }
  await hidden.sync()
}
