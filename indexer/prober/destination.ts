/**
 * Where a probe may go. Anyone may register any endpoint: it must not make this machine speak to itself, to its private
 * network or to the metadata service of its host.
 */
import { type AllowIp, NetworkError } from '../../effects/network.ts'
import { isPublicIp, parseIp } from '../../protocol/ip-address.ts'
import { IndexerError } from '../errors.ts'

export interface Reach {
  /** `any` is for development: it reaches what only this machine can. */
  readonly addresses: 'public' | 'any'
  /** Names are resolved by a proxy, where nothing can be checked. */
  readonly proxied: boolean
}

/** Ports of HTTP, and those that anyone may open: what listens on others speaks something else. */
const isPortOfHttp = (port: string): boolean => port === '' || port === '80' || port === '443' || Number(port) >= 1024

/** Names that mean something else in every network: RFC 6761, RFC 6762, RFC 8375, and `.internal` of ICANN. */
const localName = /(^|\.)(localhost|local|internal|home\.arpa|invalid|test)$/

/**
 * What the network door is to be told of a destination.
 * @param url as the URL parser made it, which has turned every odd spelling of an IPv4 address into the usual one
 * @returns undefined when there is nothing that the door could check
 * @throws ERR_NETWORK_FORBIDDEN | ERR_ENDPOINT_PORT when there is no going there
 */
export const allowedAt = ({ hostname, port }: URL, { addresses, proxied }: Reach): AllowIp | undefined => {
  if (!isPortOfHttp(port)) throw new IndexerError('ERR_ENDPOINT_PORT', 'HTTP is not asked for on this port')
  if (addresses === 'any') return undefined
  const host = hostname.replace(/^\[|\]$/g, '').replace(/\.$/, '')
  const isLiteral = parseIp(host) !== undefined
  const isOutside = isLiteral ? isPublicIp(host) : !localName.test(host) && (!proxied || host.includes('.'))
  if (!isOutside) throw new NetworkError('ERR_NETWORK_FORBIDDEN', 'this destination may not be connected to')
  return proxied && !isLiteral ? undefined : isPublicIp
}
