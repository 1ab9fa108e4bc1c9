/** What a command says, made safe for a terminal and for scripts. */

/** Result of a command. */
export interface Output {
  /** For scripts, after `ok`; bigint becomes decimal text. */
  readonly json: Readonly<Record<string, unknown>>
  /** For people; a newline is added. */
  readonly text: string
  /** False when the command did its work and the answer is no: exit code 1. */
  readonly ok?: boolean
}

/** Control characters except line feed, and those that turn the direction of writing around. */
const DANGEROUS = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g

/** Text that cannot move the cursor, change colours, or reorder what stands beside it. */
export const terminalSafe = (text: string): string => text.replace(DANGEROUS, '')

/** One line of JSON in which such characters are escaped, so that it can be shown and still parses to the same. */
export const jsonLine = (value: unknown): string =>
  JSON.stringify(value, (_key, member: unknown) => (typeof member === 'bigint' ? member.toString() : member)).replace(
    DANGEROUS,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
