/**
 * The first bytes on a relay's TCP port. The relay sends a greeting; the client proves, with the secret of its role, that
 * it is the one it says; the relay answers with a byte, and with another once the peer is there. From then on all bytes are
 * the peer's.
 *
 *   greeting := "chrove-relay-1" (14 bytes), nonce (32 bytes)
 *   hello    := 1, role (0 sender, 1 recipient), stream, generation (2 bytes, big-endian), length of the channel's name,
 *               the name, HMAC-SHA-256(role secret, greeting, all of the hello before)
 */
import { hmac } from '@noble/hashes/hmac.js'
import { sha256 } from '@noble/hashes/sha2.js'
import { concatBytes } from '@noble/hashes/utils.js'
import { equalBytes, utf8 } from '../bytes.ts'
import { ProtocolError } from '../errors.ts'
import { CHANNEL_NAME_LENGTH_MAX, CHANNEL_STREAMS_MAX } from '../limits.ts'
import { type Role, ROLES } from './agreement.ts'
import { isChannelName } from './code.ts'

const MAGIC = utf8('chrove-relay-1')
export const HELLO_NONCE_BYTES = 32
export const GREETING_BYTES = MAGIC.length + HELLO_NONCE_BYTES
const VERSION = 1
/** Up to and with the length of the channel's name. */
export const HELLO_HEAD_BYTES = 6
const MAC_BYTES = 32
export const GENERATION_MAX = 65_535

export interface Hello {
  readonly role: Role
  /** From 0. */
  readonly stream: number
  /** How often this end has connected anew; a later one takes the place of an earlier one, of which the relay may not know that it is dead. */
  readonly generation: number
  readonly channel: string
}

/** The relay's answers, one byte each; all but the first two come before it closes. */
export const HELLO_ANSWER = {
  /** The peer is not there yet. */
  waiting: 1,
  /** What follows comes from the peer. */
  stapled: 2,
  /** Not a hello, or not of a party of this channel: which of the two is not told. */
  refused: 16,
  /** Another connection of the same end is there. */
  occupied: 17,
  /** The channel's proof has not been opened, or the channel is over. */
  notProven: 18,
  /** Too many connections, or the relay is about to stop. */
  busy: 19,
} as const

export const greetingOf = (nonce: Uint8Array): Uint8Array => concatBytes(MAGIC, nonce)

/** @throws ERR_HELLO when no relay of ours says this */
export const checkGreeting = (greeting: Uint8Array): void => {
  if (greeting.length !== GREETING_BYTES || !equalBytes(greeting.subarray(0, MAGIC.length), MAGIC)) throw badHello()
}

/** @param secret of the role, as the relay gave it */
export const encodeHello = (
  { role, stream, generation, channel }: Hello,
  secret: string,
  greeting: Uint8Array,
): Uint8Array => {
  const name = utf8(channel)
  const head = [VERSION, ROLES.indexOf(role), stream, generation >> 8, generation & 255, name.length]
  const said = concatBytes(Uint8Array.from(head), name)
  return concatBytes(said, macOf(secret, greeting, said))
}

/**
 * How many bytes follow.
 * @param head the first 6
 * @throws ERR_HELLO
 */
export const helloRestBytes = (head: Uint8Array): number => {
  const [version, role = 255, stream = 255, , , length = 0] = head
  const isSound = version === VERSION && role < ROLES.length && stream < CHANNEL_STREAMS_MAX
  if (!isSound || length < 1 || length > CHANNEL_NAME_LENGTH_MAX) throw badHello()
  return length + MAC_BYTES
}

/**
 * What the hello says, and how to check that who says it may.
 * @param bytes whole, its head checked by `helloRestBytes`
 * @throws ERR_HELLO
 */
export const parseHello = (
  bytes: Uint8Array,
  greeting: Uint8Array,
): { readonly hello: Hello; isFrom(secret: string): boolean } => {
  const said = bytes.subarray(0, -MAC_BYTES)
  const [, role = 0, stream = 0, high = 0, low = 0] = said
  const channel = String.fromCharCode(...said.subarray(HELLO_HEAD_BYTES))
  if (!isChannelName(channel)) throw badHello()
  return {
    hello: { role: ROLES[role] ?? 'sender', stream, generation: (high << 8) | low, channel },
    isFrom: (secret) => equalBytes(macOf(secret, greeting, said), bytes.subarray(-MAC_BYTES)),
  }
}

const macOf = (secret: string, greeting: Uint8Array, said: Uint8Array): Uint8Array =>
  hmac(sha256, utf8(secret), concatBytes(greeting, said))

const badHello = () => new ProtocolError('ERR_HELLO', 'this is not how a relay is spoken to')
