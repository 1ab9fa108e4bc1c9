/**
 * Text written by strangers on chain: any bytes at all. The bytes are kept as the truth; beside them stands a view
 * that is safe to store in any database and to show beside other text (DESIGN 11).
 */

/** A string of a contract. */
export interface ChainText {
  /** What is on chain. */
  readonly bytes: Uint8Array
  /** The same without what could harm a store, a terminal or a reader; see `cleanText`. */
  readonly text: string
}

/** Longest cleaned view, UTF-16 units: four times what a contract of ours accepts. */
export const CLEAN_TEXT_LENGTH_MAX = 16 * 1024

const decoder = new TextDecoder('utf-8', { ignoreBOM: true })

/**
 * Controls (NUL, escape, C1), but not tab and line feed; embeddings, overrides and isolates that turn reading order
 * around; invisible characters that make two names look the same; line separators; noncharacters.
 */
const UNSAFE =
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\ufdd0-\ufdef\ufffe\uffff\u{e0000}-\u{e0fff}]|\p{Noncharacter_Code_Point}/gu

/** What most text is made of: nothing unsafe is among it, and this is found out many times faster. */
const PLAIN = /^[\t\n -~]*$/

/**
 * The safe view of some bytes: bytes that are not UTF-8 become U+FFFD, unsafe characters go, and what is longer than
 * `CLEAN_TEXT_LENGTH_MAX` is cut between characters. Cleaning cleaned text changes nothing.
 */
export const cleanText = (bytes: Uint8Array): string => {
  const decoded = decoder.decode(bytes)
  const clean = PLAIN.test(decoded) ? decoded : decoded.replace(UNSAFE, '')
  const endsInHalf = isHighSurrogate(clean.charCodeAt(CLEAN_TEXT_LENGTH_MAX - 1))
  return clean.slice(0, CLEAN_TEXT_LENGTH_MAX - (endsInHalf ? 1 : 0))
}

/** The first of the two UTF-16 units of a character beyond U+FFFF. */
const isHighSurrogate = (unit: number): boolean => unit >= 0xd800 && unit <= 0xdbff

export const chainText = (bytes: Uint8Array): ChainText => ({ bytes, text: cleanText(bytes) })
