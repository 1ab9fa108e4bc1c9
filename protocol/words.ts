/**
 * Words as vendors are found by. One rule for what is written and what is sought, and none of it a database's own, so
 * that every directory finds the same, and so does a buyer who reads the contract without one.
 */
import { PLAN_WORDS_MAX, SEARCH_LENGTH_MAX, SEARCH_WORDS_MAX, VENDOR_WORDS_MAX, WORD_LENGTH_MAX } from './limits.ts'
import type { Profile } from './profile.ts'

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

/** What a vendor says of itself, as far as it is searched. */
type Said = Pick<Profile, 'title' | 'description' | 'serviceTypes' | 'regions'>

export const titleWords = ({ title }: Pick<Said, 'title'>): string[] => wordsOf(title).slice(0, VENDOR_WORDS_MAX)

/** What a vendor is found by; of too many words the first count. */
export const vendorWords = (profile: Said): string[] =>
  [
    ...titleWords(profile),
    ...profile.serviceTypes.flatMap(wordsOf),
    ...profile.regions.flatMap(wordsOf),
    ...wordsOf(profile.description),
  ].slice(0, VENDOR_WORDS_MAX)

export const planWords = (title: string): string[] => wordsOf(title).slice(0, PLAN_WORDS_MAX)

/**
 * What a search asks for: each piece between spaces is some words in a row, of which the last may be a beginning.
 * Empty when there is nothing but spaces; a piece without words is found nowhere.
 * @returns undefined for more than a search may hold
 */
export const phrasesOf = (search: string): string[][] | undefined => {
  if (search.length > SEARCH_LENGTH_MAX) return undefined
  const phrases = search
    .split(/\s+/u)
    .filter((piece) => piece !== '')
    .map(wordsOf)
  return phrases.flat().length > SEARCH_WORDS_MAX ? undefined : phrases
}

/** Said where `phrasesOf` gives nothing. */
export const SEARCH_BOUNDS = `a search has at most ${SEARCH_WORDS_MAX} words and ${SEARCH_LENGTH_MAX} characters`

/**
 * How far a vendor is from a search: for each phrase 0 if it is in the title, 1 if it begins there, else 2.
 * @param planTitles of its plans on sale
 * @returns undefined when one of the phrases is found nowhere
 */
export const distanceFrom = (
  phrases: readonly (readonly string[])[],
  said: Said,
  planTitles: readonly string[],
): number | undefined => {
  const title = encodePhrase(titleWords(said))
  const everything = [vendorWords(said), ...planTitles.map(planWords)].map(encodePhrase)
  let distance = 0
  for (const phrase of phrases) {
    const begins = ` ${phrase.join(' ')}`
    if (phrase.length === 0 || !everything.some((text) => text.includes(begins))) return undefined
    distance += title.includes(`${begins} `) ? 0 : title.includes(begins) ? 1 : 2
  }
  return distance
}
