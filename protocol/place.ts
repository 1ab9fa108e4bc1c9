/** Where a request comes from, as far as quotas count: an IPv4 address, or the /64 of an IPv6 one. Kept in memory only. */
import { formatIp, parseIp } from './ip-address.ts'

/** Bytes of an IPv6 address that a network hands out to one customer. */
const IPV6_PREFIX_BYTES = 8
const MAPPED_PREFIX = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255]

/** @returns the bytes of an address, without its zone, and as IPv4 where IPv6 only carries it */
const bytesOf = (host: string): Uint8Array | undefined => {
  const bytes = parseIp(host.replace(/%.*$/, ''))
  const isMapped = bytes?.length === 16 && MAPPED_PREFIX.every((byte, at) => bytes[at] === byte)
  return isMapped ? bytes.subarray(MAPPED_PREFIX.length) : bytes
}

/** @param host an address as the network tells it; what is none stays as it is */
const addressOf = (host: string): string => {
  const bytes = bytesOf(host)
  return bytes === undefined ? host : formatIp(bytes)
}

/** @param host an address as the network tells it; what is none is a place of its own */
export const placeOf = (host: string): string => {
  const bytes = bytesOf(host)
  if (bytes === undefined) return host
  if (bytes.length === 4) return formatIp(bytes)
  const prefix = new Uint8Array(16)
  prefix.set(bytes.subarray(0, IPV6_PREFIX_BYTES))
  return `${formatIp(prefix)}/64`
}

/**
 * How to tell the address that a request came from: that of the connection, or behind proxies that are trusted the last
 * one they tell of that is none of them.
 * @param trustedProxies addresses: each is trusted itself, and not its neighbours
 */
export const createClientHost = (trustedProxies: readonly string[]) => {
  const trusted = new Set(trustedProxies.map(addressOf))
  /** @param forwarded the `X-Forwarded-For` header */
  return (host: string, forwarded: string | null | undefined): string => {
    const chain = [...(forwarded ?? '').split(','), host].map((part) => addressOf(part.trim()))
    for (let at = chain.length - 1; at > 0; at--) {
      const hop = chain[at] ?? ''
      if (!trusted.has(hop)) return hop
      // What a trusted proxy wrote, but not as an address, tells nothing.
      if (parseIp(chain[at - 1] ?? '') === undefined) return hop
    }
    return chain[0] ?? host
  }
}

/**
 * What connections of a peer count for; undefined for a proxy that is trusted, which has them for many.
 * @param trustedProxies as for `createClientHost`
 */
export const createPeerPlaces = (trustedProxies: readonly string[]) => {
  const trusted = new Set(trustedProxies.map(addressOf))
  return (host: string): string | undefined => (trusted.has(addressOf(host)) ? undefined : placeOf(host))
}
