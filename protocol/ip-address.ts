/** IP addresses as text and as bytes, and which of them belong to the public Internet. */

/** The 4 or 16 bytes of an address; undefined for what is none in the usual notation, zones included. */
export const parseIp = (text: string): Uint8Array | undefined => {
  if (/^\d{1,3}(\.\d{1,3}){3}$/.test(text)) {
    const numbers = text.split('.').map(Number)
    // A leading zero means octal to some and decimal to others.
    return numbers.join('.') === text && numbers.every((number) => number < 256) ? Uint8Array.from(numbers) : undefined
  }
  if (!/^[0-9a-f:.]*:[0-9a-f:.]*$/i.test(text)) return undefined
  // The URL parser knows all the ways to write an IPv6 address and gives one: hexadecimal groups and at most one `::`.
  const canonical = URL.parse(`http://[${text}]`)?.hostname.slice(1, -1)
  if (canonical === undefined) return undefined
  const [left = [], right = []] = canonical.split('::').map((half) => (half === '' ? [] : half.split(':')))
  const groups = [...left, ...Array<string>(8 - left.length - right.length).fill('0'), ...right]
  return Uint8Array.from(groups.map((group) => parseInt(group, 16)).flatMap((group) => [group >> 8, group & 255]))
}

/**
 * The one usual text of an address.
 * @param bytes 4 or 16
 * @see RFC 5952 §4, but for the mixed notation
 */
export const formatIp = (bytes: Uint8Array): string => {
  if (bytes.length === 4) return bytes.join('.')
  const groups = Array.from({ length: 8 }, (_, index) =>
    (((bytes[2 * index] ?? 0) << 8) | (bytes[2 * index + 1] ?? 0)).toString(16),
  )
  return new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1)
}

type Range = readonly [network: string, prefixBits: number]

/** What the IANA registry of IPv4 special-purpose addresses does not call globally reachable, and multicast. */
const reservedIpv4: readonly Range[] = [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  // Azure's own service of every virtual machine: no other host has this address.
  ['168.63.129.16', 32],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 3],
]

/** Within 2000::/3, the only global unicast there is: protocol assignments, documentation, and tunnels into IPv4. */
const reservedIpv6: readonly Range[] = [
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
]

/** IPv6 addresses that stand for the IPv4 address in their last four bytes: mapped (RFC 4291) and NAT64 (RFC 6052). */
const carriersOfIpv4: readonly Range[] = [
  ['::ffff:0:0', 96],
  ['64:ff9b::', 96],
]

/**
 * Whether an address is one of the public Internet: not of this machine, a private network, a link or its metadata
 * service, multicast, documentation, or anything reserved. What is no address is not public.
 */
export const isPublicIp = (text: string): boolean => {
  const bytes = parseIp(text)
  if (bytes === undefined) return false
  if (bytes.length === 4) return !within(bytes, reservedIpv4)
  if (within(bytes, carriersOfIpv4)) return !within(bytes.subarray(12), reservedIpv4)
  return within(bytes, [['2000::', 3]]) && !within(bytes, reservedIpv6)
}

const within = (bytes: Uint8Array, ranges: readonly Range[]): boolean =>
  ranges.some(([network, prefixBits]) => commonBits(bytes, parseIp(network) ?? new Uint8Array()) >= prefixBits)

const commonBits = (a: Uint8Array, b: Uint8Array): number => {
  const index = a.findIndex((byte, at) => byte !== b[at])
  if (index === -1) return a.length * 8
  return index * 8 + Math.clz32((a[index] ?? 0) ^ (b[index] ?? 0)) - 24
}
