/**
 * Words as they are searched. The same rule for what is written and what is sought, and none of it a database's own, so
 * that every database finds the same.
 */
import { utf8 } from '../protocol/bytes.ts'
import type { Profile } from '../protocol/profile.ts'
import { vendorKey } from './columns.ts'
import { PLAN_WORDS_MAX, VENDOR_WORDS_MAX, WORD_LENGTH_MAX } from './limits.ts'
import type { WordRow } from './schema.ts'

/**
 * Letters, marks and digits in a row are a word. In scripts that put no space between words each character is one; what
 * is sought without a space is found without one.
 */
const WORD =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}]|[[\p{L}\p{M}\p{N}]--[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}]]+/gv

/** The words of a text in their order; case and compatibility forms do not matter. */
export const wordsOf = (text: string): string[] =>
  (text.normalize('NFKC').toLowerCase().match(WORD) ?? []).map((word) =>
    // Not between the halves of a character.
    word.slice(0, WORD_LENGTH_MAX).replace(/[\ud800-\udbff]$/, ''),
  )

/** Words in one column: a space before and after each, and none in them, so that `like '% prox%'` finds a beginning. */
export const encodePhrase = (words: readonly string[]): string => (words.length === 0 ? '' : ` ${words.join(' ')} `)

export const titleWords = ({ title }: Pick<Profile, 'title'>): string[] => wordsOf(title).slice(0, VENDOR_WORDS_MAX)

/** What a vendor is found by; of too many words the first count. */
export const vendorWords = (profile: Pick<Profile, 'title' | 'description' | 'serviceTypes' | 'regions'>): string[] =>
  [
    ...titleWords(profile),
    ...profile.serviceTypes.flatMap(wordsOf),
    ...profile.regions.flatMap(wordsOf),
    ...wordsOf(profile.description),
  ].slice(0, VENDOR_WORDS_MAX)

export const planWords = (title: string): string[] => wordsOf(title).slice(0, PLAN_WORDS_MAX)

/** Words as the index has them: bytes, which every database sorts alike. */
export const wordRows = (vendorId: bigint, words: readonly string[]): WordRow[] => {
  const id = vendorKey(vendorId)
  return [...new Set(words)].map((word) => ({ word: utf8(word), vendor_id: id }))
}

/**
 * What a search asks for: each piece between spaces is some words in a row, of which the last may be a beginning.
 * Empty when there is nothing but spaces; a piece without words is found nowhere.
 */
export const phrasesOf = (search: string): string[][] =>
  search
    .split(/\s+/u)
    .filter((piece) => piece !== '')
    .map(wordsOf)
