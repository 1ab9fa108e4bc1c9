import assert from 'node:assert/strict'
import { isIP, SocketAddress } from 'node:net'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import ipaddr from 'ipaddr.js'
import { formatIp, isPublicIp, parseIp } from './ip-address.ts'

const ipBytes = fc.oneof(fc.uint8Array({ minLength: 4, maxLength: 4 }), fc.uint8Array({ minLength: 16, maxLength: 16 }))
/** Texts that are addresses, nearly addresses, or neither. */
const ipLike = fc.oneof(
  fc.ipV4(),
  fc.ipV6(),
  fc.ipV4Extended(),
  fc.string({ unit: fc.constantFrom(...'0127af:.%[]'), maxLength: 20 }),
)

describe('IP addresses', () => {
  it('are the same after being written and read', () => {
    fc.assert(fc.property(ipBytes, (bytes) => assert.deepEqual(parseIp(formatIp(bytes)), bytes)))
  })

  it('are those that the operating system takes, without zones', () => {
    fc.assert(
      fc.property(ipLike, (text) => {
        assert.equal(parseIp(text)?.length, { 0: undefined, 4: 4, 6: 16 }[text.includes('%') ? 0 : isIP(text)])
      }),
      { numRuns: 2000 },
    )
  })

  it('RFC 5952 §4: have one text', () => {
    for (const text of ['2001:db8::1', '::', '::1', '1::', '2001:db8:0:1:1:1:1:1', '2001:0:0:1::1']) {
      assert.equal(
        formatIp(parseIp(text) ?? assert.fail(text)),
        new SocketAddress({ address: text, family: 'ipv6' }).address,
      )
    }
    assert.deepEqual(parseIp('::ffff:192.0.2.1'), parseIp('::FFFF:c000:0201'))
  })
})

describe('the public Internet', () => {
  it('has the usual addresses', () => {
    for (const ip of [
      '1.1.1.1',
      '8.8.8.8',
      '172.15.0.1',
      '172.32.0.1',
      '223.255.255.255',
      '2606:4700::1111',
      '2a00::1',
    ]) {
      assert.ok(isPublicIp(ip), ip)
    }
  })

  it('has none of this machine, private networks, links, metadata services, multicast and documentation', () => {
    const ips = ['0.0.0.0', '127.0.0.1', '127.255.255.255', '10.0.0.1', '100.64.0.1', '100.127.255.255', '169.254.169.254', '168.63.129.16',
      '172.16.0.1', '172.31.255.255', '192.168.1.1', '192.0.0.1', '192.0.2.1', '198.19.255.255', '203.0.113.9', '224.0.0.1',
      '255.255.255.255', '::', '::1', 'fe80::1', 'fe80::1%eth0', 'fc00::1', 'fd00:ec2::254', 'ff02::1', '2001:db8::1',
      '2001::1', '2002:7f00:1::', '3fff::1', '4000::1', '100::1'] // prettier-ignore
    for (const ip of ips) assert.ok(!isPublicIp(ip), ip)
  })

  it('has no name and no other text', () => {
    for (const text of ['', 'localhost', '127.1', '0x7f.0.0.1', '017700000001', '2130706433', '01.1.1.1', '[::1]']) {
      assert.ok(!isPublicIp(text), text)
    }
  })

  it('holds an IPv6 address that stands for an IPv4 one exactly if it holds that one', () => {
    fc.assert(
      fc.property(fc.ipV4(), (ip) => {
        assert.equal(isPublicIp(`::ffff:${ip}`), isPublicIp(ip))
        assert.equal(isPublicIp(`64:ff9b::${ip}`), isPublicIp(ip))
      }),
    )
    assert.ok(!isPublicIp('::ffff:7f00:1'))
  })

  it('is what ipaddr.js calls unicast, within what is given out of IPv6, and without the service of Azure', () => {
    /** First and last addresses of blocks, where mistakes are. */
    const borders = fc
      .tuple(fc.nat(65_535), fc.constantFrom(2, 14), fc.constantFrom(0, 255))
      .map(([head, length, fill]) => [head >> 8, head & 255, ...Array<number>(length).fill(fill)])
    const carriers = fc
      .tuple(fc.constantFrom('::ffff:', '64:ff9b::', '64:ff9b:1::', '::', '2002::', '2001::'), fc.ipV4())
      .map(([prefix, ip]) => [...(parseIp(`${prefix}${ip}`) ?? [])])
    const any = fc.oneof(ipBytes, borders, carriers)
    fc.assert(
      fc.property(any, (bytes) => {
        const text = formatIp(Uint8Array.from(bytes))
        const theirs = ipaddr.process(text)
        const isNat64 = theirs.kind() === 'ipv6' && theirs.match(ipaddr.parseCIDR('64:ff9b::/96'))
        const carried = isNat64 ? ipaddr.fromByteArray([...bytes.slice(12)]) : theirs
        const given = carried.kind() === 'ipv4' || carried.match(ipaddr.parseCIDR('2000::/3'))
        const isPublic = carried.range() === 'unicast' && given && carried.toString() !== '168.63.129.16'
        assert.equal(isPublicIp(text), isPublic, `${text}: ${carried.range()}`)
      }),
      { numRuns: 20_000 },
    )
  })
})
