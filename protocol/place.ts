/** Where a request comes from, as far as quotas count: an IPv4 address, or the /64 of an IPv6 one. Kept in memory only. */
import { formatIp, parseIp } from './ip-address.ts'

/** Bytes of an IPv6 address that a network hands out to one customer. */
const IPV6_PREFIX_BYTES = 8
const MAPPED_PREFIX = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255]

/** @param host an address as the network tells it; what is none is a place of its own */
export const placeOf = (host: string): string => {
  const bytes = parseIp(host.replace(/%.*$/, ''))
  if (bytes === undefined) return host
  if (bytes.length === 4) return formatIp(bytes)
  if (MAPPED_PREFIX.every((byte, at) => bytes[at] === byte)) return formatIp(bytes.subarray(12))
  const prefix = new Uint8Array(16)
  prefix.set(bytes.subarray(0, IPV6_PREFIX_BYTES))
  return `${formatIp(prefix)}/64`
}

/**
 * The address that a request came from: that of the connection, or behind proxies that are trusted the last one they
 * tell of that is none of them.
 * @param forwarded the `X-Forwarded-For` header
 */
export const clientHost = (
  host: string,
  forwarded: string | null | undefined,
  trustedProxies: ReadonlySet<string>,
): string => {
  const chain = [...(forwarded ?? '').split(',').map((part) => part.trim()), placeOf(host)]
  for (let at = chain.length - 1; at > 0; at--) {
    const hop = chain[at] ?? ''
    if (!trustedProxies.has(placeOf(hop))) return hop
    // What a trusted proxy wrote, but not as an address, tells nothing.
    if (parseIp(chain[at - 1] ?? '') === undefined) return hop
  }
  return chain[0] ?? host
}
