/** Reading and writing JSON that others sign or send. */
import canonicalize from 'canonicalize'
import { fromUtf8, utf8 } from './bytes.ts'
import { ProtocolError } from './errors.ts'
import { JSON_DEPTH_MAX } from './limits.ts'

/**
 * Parses JSON that is not nested deeper than we and the libraries behind us can follow.
 * @param input text, or UTF-8 bytes
 * @throws ERR_JSON_INVALID
 */
export const parseJson = (input: string | Uint8Array): unknown => {
  try {
    const text = typeof input === 'string' ? input : fromUtf8(input)
    if (opens(text) > JSON_DEPTH_MAX && depthOf(text) > JSON_DEPTH_MAX) throw new Error('nested too deeply')
    return JSON.parse(text) as unknown
  } catch (cause) {
    throw new ProtocolError('ERR_JSON_INVALID', `not JSON in UTF-8 of at most ${JSON_DEPTH_MAX} levels`, { cause })
  }
}

/** How many brackets open anywhere in the text, which no nesting exceeds; cheap, and enough for nearly all we read. */
const opens = (text: string): number => text.split('{').length + text.split('[').length - 2

/** The deepest nesting of brackets outside strings; an upper bound for text that is not JSON. */
const depthOf = (text: string): number => {
  let depth = 0
  let deepest = 0
  let inString = false
  for (let i = 0; i < text.length; i++) {
    const character = text[i]
    if (inString) {
      if (character === '\\') i++
      else if (character === '"') inString = false
    } else if (character === '"') inString = true
    else if (character === '{' || character === '[') deepest = Math.max(deepest, ++depth)
    else if (character === '}' || character === ']') depth--
  }
  return deepest
}

/**
 * The one byte sequence that stands for a JSON value.
 * @throws ERR_JSON_INVALID for what JSON cannot hold, lone surrogates included
 * @see RFC 8785
 */
export const canonicalJson = (value: unknown): Uint8Array<ArrayBuffer> => {
  let text: string | undefined
  try {
    text = canonicalize(value)
  } catch (cause) {
    throw new ProtocolError('ERR_JSON_INVALID', 'not a value that JSON can hold', { cause })
  }
  if (text === undefined || !text.isWellFormed()) {
    throw new ProtocolError('ERR_JSON_INVALID', 'not a value that JSON can hold')
  }
  return utf8(text)
}
