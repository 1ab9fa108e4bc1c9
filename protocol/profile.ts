/** What a vendor says of itself: JSON in the registry, of which readers believe only the shape (DESIGN 6). */
import { z } from 'zod'
import { parseJson } from './json.ts'
import { cleanText, type ChainText } from './text.ts'
import { utf8 } from './bytes.ts'

export interface Profile {
  /** Whether the bytes are JSON of the known shape; otherwise every other field is empty. */
  readonly valid: boolean
  readonly title: string
  readonly description: string
  /** Where the vendor's picture is, or the picture itself as a data URL; nothing of ours fetches it. */
  readonly logo: string
  /** Sorted, without repetition. */
  readonly serviceTypes: readonly string[]
  /** Sorted, without repetition. */
  readonly regions: readonly string[]
}

/** A word that can be searched for: `proxy`, `relay`, `eu-west`. */
const WORD = /^[a-z0-9][a-z0-9.-]{0,31}$/

/** Words of one kind that a vendor may name; more than anybody needs, few enough to search. */
const WORDS_MAX = 16

// Escapes of JSON can spell what the cleaned view of the bytes no longer held, so each text is cleaned again.
const text = z
  .string()
  .default('')
  .transform((value) => cleanText(utf8(value)))
const words = z
  .array(z.string())
  .default([])
  .transform((all) => {
    const known = all.map((word) => word.toLowerCase()).filter((word) => WORD.test(word))
    return [...new Set(known)].toSorted().slice(0, WORDS_MAX)
  })

const profileSchema = z.object({ title: text, description: text, logo: text, serviceTypes: words, regions: words })

const UNREADABLE: Profile = { valid: false, title: '', description: '', logo: '', serviceTypes: [], regions: [] }

/** Reads a profile; never fails, because the chain takes any bytes. Words of other spellings are left out. */
export const readProfile = (profile: ChainText): Profile => {
  try {
    return { valid: true, ...profileSchema.parse(parseJson(profile.bytes)) }
  } catch {
    return UNREADABLE
  }
}

/** A profile as the registry keeps it, in the shape that `readProfile` reads. */
export const formatProfile = ({ title, description, logo, serviceTypes, regions }: Omit<Profile, 'valid'>): string =>
  JSON.stringify({ title, description, logo, serviceTypes, regions })
