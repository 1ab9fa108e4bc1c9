/**
 * Names in a transfer. They come from a stranger: none may leave the folder it is put into, be a device, drive a
 * terminal, read backwards, or become the same file as another.
 */
import { TRANSFER_NAME_BYTES_MAX, TRANSFER_PATH_BYTES_MAX, TRANSFER_PATH_NAMES_MAX } from '../limits.ts'

/** How the files of a machine are named. */
export interface NameRules {
  /** Windows reserves names and characters, and drops dots and spaces at the end. */
  readonly windows: boolean
  /** Whether names that differ in case or in Unicode form only are different files. */
  readonly distinct: boolean
}

/** From the top folder of a transfer down. */
export type Path = readonly string[]

/** C0, DEL, C1; line and paragraph separators; embeddings, overrides and isolates; noncharacters. */
const HARMFUL = /[\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069\ufdd0-\ufdef]|\p{Noncharacter_Code_Point}/u
const WINDOWS_CHARACTERS = /[<>:"\\|?*]/
/** Devices with any ending after them; superscript digits count as digits, and spaces before the ending do not count. */
const WINDOWS_DEVICE = /^(?:con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$|clock\$) *(?:[.:].*)?$/i

const byteLength = (text: string): number => new TextEncoder().encode(text).length

/** @returns why a name is refused, to be said after "the name"; undefined for a good one */
export const nameFault = (name: string, { windows }: Pick<NameRules, 'windows'>): string | undefined => {
  if (name === '') return 'is empty'
  if (name === '.' || name === '..') return 'leads elsewhere'
  if (name.includes('/')) return 'has a slash in it'
  if (!name.isWellFormed() || HARMFUL.test(name)) return 'has characters that harm a terminal or its reader'
  if (byteLength(name) > TRANSFER_NAME_BYTES_MAX) return `is longer than ${TRANSFER_NAME_BYTES_MAX} bytes`
  if (!windows) return undefined
  if (WINDOWS_CHARACTERS.test(name)) return 'has a character that Windows does not take'
  if (WINDOWS_DEVICE.test(name)) return 'is a device on Windows'
  if (/[. ]$/.test(name)) return 'ends in a dot or a space, which Windows drops'
  return undefined
}

/** @returns why a path is refused, to be said after "the name"; undefined for a good one */
export const pathFault = (path: Path, rules: Pick<NameRules, 'windows'>): string | undefined => {
  if (path.length === 0) return 'is empty'
  if (path.length > TRANSFER_PATH_NAMES_MAX) return `is in more than ${TRANSFER_PATH_NAMES_MAX} folders`
  if (byteLength(path.join('/')) > TRANSFER_PATH_BYTES_MAX) return `is longer than ${TRANSFER_PATH_BYTES_MAX} bytes`
  for (const name of path) {
    const fault = nameFault(name, rules)
    if (fault !== undefined) return fault
  }
  return undefined
}

/** Names that some file system takes for one have one fold: without case, Unicode form and invisible characters. */
export const foldName = (name: string): string =>
  name
    .normalize('NFD')
    .replace(/\p{Default_Ignorable_Code_Point}/gu, '')
    .toUpperCase()
    .toLowerCase()
    .normalize('NFD')

const order = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

/** The order of names in a folder: those with one fold stand side by side. */
export const compareNames = (a: string, b: string): number => order(foldName(a), foldName(b)) || order(a, b)

export interface PathOrder {
  /**
   * Takes the next path.
   * @returns why it cannot come next, as `nameFault`
   */
  next(path: Path, isFolder: boolean): string | undefined
}

/**
 * Sees that a tree is told in one order, each folder before what is in it, and nothing twice; so that a million names
 * are checked against each other while only the last is remembered.
 */
export const createPathOrder = ({ distinct }: Pick<NameRules, 'distinct'>): PathOrder => {
  let last: Path = []
  /** Of the names in `last`, those that are folders. */
  let folders = 0
  return {
    next(path, isFolder) {
      const depth = path.length - 1
      if (depth > folders || path.some((name, at) => at < depth && name !== last[at]))
        return 'is in no folder before it'
      const sibling = last[depth]
      const name = path[depth] ?? ''
      if (sibling !== undefined) {
        if (compareNames(sibling, name) >= 0) return 'is out of order, or comes twice'
        if (!distinct && foldName(sibling) === foldName(name))
          return 'differs from another only in case or in the form of its letters'
      }
      last = path
      folders = isFolder ? path.length : depth
      return undefined
    },
  }
}
