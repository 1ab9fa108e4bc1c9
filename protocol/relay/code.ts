/**
 * What one person tells the other: `7-mustard-reunion`. The relay gave the number; the words never leave the two ends.
 * Words are of the EFF's large list (CC BY 3.0 US), but for its four with a hyphen.
 */
import { DEFAULT_WORDLIST } from 'secure-password-utilities/wordlists'
import { ProtocolError } from '../errors.ts'
import { CHANNEL_NAME_LENGTH_MAX } from '../limits.ts'

export interface TransferCode {
  /** The channel's name at the relay. */
  readonly channel: string
  readonly words: readonly string[]
}

/** Two words are 25.8 bits: who tries one guess on each of a million channels succeeds with odds of 1 in 60. */
const WORDS_DRAWN = 2
const WORDS_MAX = 8
export const CODE_ENTROPY_BYTES = 16

const words: ReadonlySet<string> = new Set(DEFAULT_WORDLIST)
const CHANNEL_NAME = new RegExp(`^[a-z0-9]{1,${CHANNEL_NAME_LENGTH_MAX}}$`)

export const isChannelName = (text: string): boolean => CHANNEL_NAME.test(text)

/** @param entropy 16 uniform bytes; the bias of a word is below 2^-100 */
export const drawWords = (entropy: Uint8Array): readonly string[] => {
  let rest = entropy.reduce((number, byte) => (number << 8n) | BigInt(byte), 0n)
  const count = BigInt(DEFAULT_WORDLIST.length)
  return Array.from({ length: WORDS_DRAWN }, () => {
    const word = DEFAULT_WORDLIST[Number(rest % count)] ?? ''
    rest /= count
    return word
  })
}

export const formatCode = ({ channel, words: said }: TransferCode): string => [channel, ...said].join('-')

/**
 * Reads a code as people type it: any case, spaces for hyphens. A word that is none of the list is refused here, where
 * it costs nothing, and not by the other end, where it would cost the channel.
 * @throws ERR_CODE_WORDS
 */
export const parseCode = (text: string): TransferCode => {
  const [channel = '', ...said] = partsOf(text)
  if (!isChannelName(channel)) throw bad('a code begins with the number of its channel, such as 7-mustard-reunion')
  if (said.length < WORDS_DRAWN || said.length > WORDS_MAX)
    throw bad(`a code has ${WORDS_DRAWN} words or more after its number, such as 7-mustard-reunion`)
  const strange = said.findIndex((word) => !words.has(word))
  if (strange >= 0) throw bad(`word ${strange + 1} of the code is not in the list of words: look for a typing mistake`)
  return { channel, words: said }
}

/**
 * What the code could be, as far as it is typed: each with its last word completed.
 * @param most how many are wanted at most
 */
export const completeCode = (text: string, most = 16): readonly string[] => {
  const parts = partsOf(text)
  const begun = parts.at(-1) ?? ''
  if (parts.length < 2 || parts.length > WORDS_MAX + 1) return []
  const before = parts.slice(0, -1).join('-')
  return DEFAULT_WORDLIST.filter((word) => word.startsWith(begun))
    .slice(0, most)
    .map((word) => `${before}-${word}`)
}

const partsOf = (text: string): string[] =>
  text
    .normalize('NFKC')
    .trim()
    .toLowerCase()
    .split(/[\s-]+/u)

const bad = (message: string) => new ProtocolError('ERR_CODE_WORDS', message)
