/** The client's half of a SOCKS5 handshake, over any connection to a proxy (RFC 1928, RFC 1929). */
import { isIPv4, isIPv6 } from 'node:net'
import type { Duplex } from 'node:stream'
import { type Address, NetworkError, type NetworkErrorCode } from './network.ts'
import { takeBytes } from './take-bytes.ts'

export interface SocksCredentials {
  readonly username: string
  readonly password: string
}

const VERSION = 5
const AUTH_VERSION = 1
const NO_AUTH = 0
const USER_PASSWORD = 2
const CONNECT = 1
const IPV4 = 1
const DOMAIN = 3
const IPV6 = 4

/**
 * Asks the proxy to connect; afterwards the connection leads to the destination. Names are sent as names. Not a byte
 * beyond the proxy's replies is taken from the connection.
 * @param connection a fresh one to the proxy; destroy it to give up
 * @throws ERR_NETWORK_PROXY when the proxy refuses us or speaks something else; ERR_NETWORK_UNREACHABLE,
 * ERR_NETWORK_TIMEOUT or ERR_NETWORK_FORBIDDEN as the proxy says of the destination
 */
export const socksHandshake = async (
  connection: Duplex,
  destination: Address,
  credentials: SocksCredentials | undefined,
): Promise<void> => {
  const request = [
    VERSION,
    CONNECT,
    0,
    ...destinationBytes(destination.host),
    destination.port >> 8,
    destination.port & 255,
  ]
  const method = credentials ? USER_PASSWORD : NO_AUTH
  connection.write(Uint8Array.of(VERSION, 1, method))
  const [version, chosen] = await take(connection, 2)
  if (version !== VERSION || chosen !== method) throw proxyFault('the proxy does not take this way to log in')
  if (credentials) {
    const login = [AUTH_VERSION, ...sized(credentials.username), ...sized(credentials.password)]
    connection.write(Uint8Array.from(login))
    const [authVersion, status] = await take(connection, 2)
    if (authVersion !== AUTH_VERSION || status !== 0) throw proxyFault('the proxy refuses the credentials')
  }
  connection.write(Uint8Array.from(request))
  const [replyVersion, reply = 1, , addressType] = await take(connection, 4)
  if (replyVersion !== VERSION) throw proxyFault('the proxy does not speak SOCKS5')
  if (reply !== 0) {
    throw new NetworkError(replies[reply] ?? 'ERR_NETWORK_PROXY', `the proxy did not connect (SOCKS5 reply ${reply})`)
  }
  await take(connection, (await boundAddressLength(connection, addressType)) + 2)
}

/** What the proxy's reply says of the destination, RFC 1928 §6; all others are the proxy's own faults. */
const replies: Readonly<Record<number, NetworkErrorCode>> = {
  2: 'ERR_NETWORK_FORBIDDEN',
  3: 'ERR_NETWORK_UNREACHABLE',
  4: 'ERR_NETWORK_UNREACHABLE',
  5: 'ERR_NETWORK_UNREACHABLE',
  6: 'ERR_NETWORK_TIMEOUT',
}

/** What a proxy replies when its own attempt to connect failed so: the inverse of the above, as far as there is one. */
export const socksReplyFor = {
  ERR_NETWORK_FORBIDDEN: 2,
  ERR_NETWORK_UNREACHABLE: 4,
  ERR_NETWORK_TIMEOUT: 6,
  ERR_NETWORK_PROXY: 1,
  ERR_NETWORK_PROTOCOL: 1,
  ERR_NETWORK_BODY_TOO_LARGE: 1,
  ERR_NETWORK_ADDRESS_IN_USE: 1,
} as const satisfies Record<NetworkErrorCode, number>

const proxyFault = (message: string) => new NetworkError('ERR_NETWORK_PROXY', message)

const destinationBytes = (host: string): number[] => {
  if (isIPv4(host)) return [IPV4, ...host.split('.').map(Number)]
  if (isIPv6(host)) return [IPV6, ...ipv6Bytes(host)]
  return [DOMAIN, ...sized(host)]
}

const sized = (text: string): number[] => {
  const bytes = new TextEncoder().encode(text)
  if (bytes.length === 0 || bytes.length > 255) throw proxyFault('SOCKS5 takes texts of 1 to 255 bytes')
  return [bytes.length, ...bytes]
}

const ipv6Bytes = (host: string): number[] => {
  // The URL parser knows every way to write an address and answers with hexadecimal groups and one `::`.
  const url = URL.parse(`http://[${host}]`)
  if (!url) throw proxyFault('an IPv6 address with a zone means nothing to a proxy')
  const [head = '', tail] = url.hostname.slice(1, -1).split('::')
  const groups = (text: string) => (text === '' ? [] : text.split(':').map((group) => parseInt(group, 16)))
  const left = groups(head)
  const right = groups(tail ?? '')
  const zeros = Array<number>(8 - left.length - right.length).fill(0)
  return [...left, ...zeros, ...right].flatMap((group) => [group >> 8, group & 255])
}

const boundAddressLength = async (connection: Duplex, addressType: number | undefined): Promise<number> => {
  if (addressType === IPV4) return 4
  if (addressType === IPV6) return 16
  if (addressType === DOMAIN) return (await take(connection, 1))[0] ?? 0
  throw proxyFault('the proxy does not speak SOCKS5')
}

const take = (connection: Duplex, length: number): Promise<Uint8Array> =>
  takeBytes(connection, length).catch(() => {
    throw proxyFault('the proxy closed the connection')
  })
