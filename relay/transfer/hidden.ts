/** The hidden folder in which a transfer gathers, seen from outside. */
import { z } from 'zod'
import type { HeldFolder } from '../../effects/folders.ts'
import { parseJson } from '../../protocol/json.ts'
import type { Offer, Prefix } from '../../protocol/transfer/messages.ts'

export const TREE_NAME = 'tree'
export const HEADS_NAME = 'heads'
export const WHOLE_NAME = 'whole'
const WHOLE_BYTES_MAX = 1024

/** The same for the same names at the top. */
export const hiddenName = ({ id }: Pick<Offer, 'id'>): string => `.chrove-${id.slice(0, 16)}.part`

/** What a folder has of what an offer would put into it. */
export interface Standing {
  /** Names of the offer that are taken. */
  readonly existing: readonly string[]
  /** Whether an earlier attempt left something to go on with. */
  readonly kept: boolean
}

export const standingOf = async (target: HeldFolder, offer: Offer): Promise<Standing> => {
  const kept = (await target.facts(hiddenName(offer)))?.kind === 'folder'
  const placed = kept ? await placedOf(target, offer) : new Set()
  const existing: string[] = []
  for (const name of offer.names) {
    if (!placed.has(name) && (await target.facts(name))) existing.push(name)
  }
  return { existing, kept }
}

/** What an earlier attempt has put into its place before it was cut off. */
const placedOf = async (target: HeldFolder, offer: Offer): Promise<ReadonlySet<string>> => {
  const placed = new Set<string>()
  const hidden = await target.folder(hiddenName(offer))
  try {
    if (!(await readWhole(hidden)) || (await hidden.facts(TREE_NAME))?.kind !== 'folder') return placed
    const tree = await hidden.folder(TREE_NAME)
    for (const name of offer.names) {
      if (!(await tree.facts(name))) placed.add(name)
    }
    await tree.close()
    return placed
  } finally {
    await hidden.close()
  }
}

const wholeSchema = z.strictObject({ length: z.int().positive(), digest: z.string().regex(/^[0-9a-f]{64}$/) })

/** What arrived whole and is being put into its place; undefined before. */
export const readWhole = async (hidden: HeldFolder): Promise<Prefix | undefined> => {
  if (!(await hidden.facts(WHOLE_NAME))) return undefined
  const file = await hidden.file(WHOLE_NAME)
  try {
    const buffer = new Uint8Array(WHOLE_BYTES_MAX)
    return wholeSchema.safeParse(parseJson(buffer.subarray(0, await file.read(0, buffer)))).data
  } catch {
    // Cut off while it was written, before anything was put anywhere.
    return undefined
  } finally {
    await file.close()
  }
}

/** Whether names that differ in case or in Unicode form only are different files there. */
export const distinguishes = async (hidden: HeldFolder): Promise<boolean> => {
  const name = 'prob\u00e9'
  await (await hidden.makeFile(name)).close()
  const isSame = (await hidden.facts('PROB\u00c9')) ?? (await hidden.facts('probe\u0301'))
  await hidden.remove(name)
  return isSame === undefined
}
