/**
 * The server's half of a SOCKS5 handshake: from the bytes so far to what to do next (RFC 1928, RFC 1929). Reading,
 * writing and checking logins are left to the caller.
 */
import { fromUtf8 } from './bytes.ts'
import { formatIp, parseIp } from './ip-address.ts'

/** How clients prove who they are; the only method that is accepted. */
export type SocksAuth = 'none' | 'password'

export type SocksStage = 'greeting' | 'login' | 'request'

export interface SocksLogin {
  readonly username: string
  readonly password: string
}

export interface SocksDestination {
  /** IP address, or a name of ASCII letters, digits, `.`, `-` and `_`. */
  readonly host: string
  readonly port: number
}

export type SocksRefusal = 'not-socks5' | 'method' | 'malformed' | 'command' | 'address-type'

export type SocksDecision =
  /** The message is incomplete: get at least so many bytes more. */
  | { readonly do: 'read'; readonly bytes: number }
  | { readonly do: 'go-on'; readonly send: Uint8Array; readonly stage: SocksStage }
  | { readonly do: 'check-login'; readonly login: SocksLogin }
  | { readonly do: 'connect'; readonly destination: SocksDestination }
  /** Send this and close. */
  | { readonly do: 'refuse'; readonly send: Uint8Array; readonly why: SocksRefusal }

/** RFC 1928 §6. */
export const SOCKS_REPLY = { granted: 0, failed: 1, forbidden: 2, command: 7, addressType: 8 } as const

/** Answers to `check-login`, RFC 1929 §2; after `granted` the stage is `request`. */
export const SOCKS_LOGIN_ANSWER = { granted: Uint8Array.of(1, 0), denied: Uint8Array.of(1, 1) } as const

/** @returns a reply that tells nothing of the server's own address */
export const socksReply = (code: number): Uint8Array => Uint8Array.of(VERSION, code, 0, IPV4, 0, 0, 0, 0, 0, 0)

/**
 * What to do at this stage with the bytes of its message so far. A message has at most 513 bytes; `read` never asks
 * for bytes beyond it.
 */
export const decideSocks = (auth: SocksAuth, stage: SocksStage, bytes: Uint8Array): SocksDecision =>
  stages[stage](bytes, auth)

const VERSION = 5
const LOGIN_VERSION = 1
const CONNECT = 1
const IPV4 = 1
const DOMAIN = 3
const IPV6 = 4
const METHOD = { none: 0, password: 2 } as const satisfies Record<SocksAuth, number>
const NO_METHOD = Uint8Array.of(VERSION, 0xff)
const STAGE_AFTER_GREETING = { none: 'request', password: 'login' } as const satisfies Record<SocksAuth, SocksStage>

/** Version, count, methods. */
const greeting = (bytes: Uint8Array, auth: SocksAuth): SocksDecision => {
  const [version = VERSION, count = 0] = bytes
  if (version !== VERSION) return refuse('not-socks5')
  if (bytes.length < 2 + count) return read(2 + count - bytes.length)
  const method = METHOD[auth]
  if (!bytes.subarray(2, 2 + count).includes(method)) return refuse('method', NO_METHOD)
  return { do: 'go-on', send: Uint8Array.of(VERSION, method), stage: STAGE_AFTER_GREETING[auth] }
}

/** Version, length, user name, length, password. */
const login = (bytes: Uint8Array): SocksDecision => {
  const [version = LOGIN_VERSION, nameLength] = bytes
  if (version !== LOGIN_VERSION) return refuse('malformed', SOCKS_LOGIN_ANSWER.denied)
  if (nameLength === undefined) return read(2 - bytes.length)
  const passwordLength = bytes[2 + nameLength]
  if (passwordLength === undefined) return read(3 + nameLength - bytes.length)
  const length = 3 + nameLength + passwordLength
  if (bytes.length < length) return read(length - bytes.length)
  try {
    const username = fromUtf8(bytes.subarray(2, 2 + nameLength))
    const password = fromUtf8(bytes.subarray(3 + nameLength, length))
    return { do: 'check-login', login: { username, password } }
  } catch {
    return refuse('malformed', SOCKS_LOGIN_ANSWER.denied)
  }
}

/** Version, command, reserved, address type, address, port. */
const request = (bytes: Uint8Array): SocksDecision => {
  const [version = VERSION, command, reserved = 0, addressType, nameLength] = bytes
  if (version !== VERSION || reserved !== 0) return refuse('malformed', socksReply(SOCKS_REPLY.failed))
  if (addressType === undefined) return read(4 - bytes.length)
  if (addressType === DOMAIN && nameLength === undefined) return read(1)
  const start = addressType === DOMAIN ? 5 : 4
  const addressLength = { [IPV4]: 4, [DOMAIN]: nameLength, [IPV6]: 16 }[addressType]
  if (addressLength === undefined) return refuse('address-type', socksReply(SOCKS_REPLY.addressType))
  const length = start + addressLength + 2
  if (bytes.length < length) return read(length - bytes.length)
  // Only now, with the whole message read, does a refusal reach the client: closing on unread bytes may drop it.
  if (command !== CONNECT) return refuse('command', socksReply(SOCKS_REPLY.command))
  const address = bytes.subarray(start, start + addressLength)
  const host = addressType === DOMAIN ? hostName(address) : formatIp(address)
  if (host === undefined) return refuse('malformed', socksReply(SOCKS_REPLY.failed))
  return { do: 'connect', destination: { host, port: ((bytes[length - 2] ?? 0) << 8) | (bytes[length - 1] ?? 0) } }
}

const stages = { greeting, login, request } as const satisfies Record<
  SocksStage,
  (bytes: Uint8Array, auth: SocksAuth) => SocksDecision
>

const read = (bytes: number): SocksDecision => ({ do: 'read', bytes })
const refuse = (why: SocksRefusal, send: Uint8Array = new Uint8Array()): SocksDecision => ({ do: 'refuse', send, why })

/** A name that resolvers take for a name, or an address in text, which some clients send as if it were one. */
const hostName = (bytes: Uint8Array): string | undefined => {
  const text = String.fromCharCode(...bytes)
  return /^[a-z0-9._-]+$/i.test(text) || parseIp(text) ? text : undefined
}
