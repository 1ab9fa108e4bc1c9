import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createClientHost, createPeerPlaces, placeOf } from './place.ts'

describe('a place', () => {
  it('is an IPv4 address, also within IPv6, or the /64 of an IPv6 one', () => {
    for (const host of ['192.0.2.1', '::ffff:192.0.2.1']) assert.equal(placeOf(host), '192.0.2.1')
    for (const host of ['2001:db8::1', '2001:DB8:0:0:ffff::2', '2001:db8::3%eth0'])
      assert.equal(placeOf(host), '2001:db8::/64')
    assert.equal(placeOf('somewhere'), 'somewhere')
  })
})

describe('what connections count for', () => {
  it('is the place of the peer, and nothing for a trusted proxy', () => {
    const places = createPeerPlaces(['2001:db8::7', '127.0.0.1'])
    for (const proxy of ['2001:db8::7', '127.0.0.1', '::ffff:127.0.0.1']) assert.equal(places(proxy), undefined)
    assert.equal(places('2001:db8::8'), '2001:db8::/64')
  })
})

describe('the address of a client', () => {
  const direct = createClientHost([])

  it('is that of its connection, in whole', () => {
    const told = { '192.0.2.1': '192.0.2.1', '::ffff:192.0.2.1': '192.0.2.1', '2001:db8::7%eth0': '2001:db8::7' }
    for (const [host, address] of Object.entries(told)) assert.equal(direct(host, '198.51.100.1'), address)
  })

  it('is what trusted proxies tell, however their own address is written', () => {
    const behind = createClientHost(['2001:db8::7', '192.0.2.7'])
    for (const proxy of ['2001:db8::7', '2001:DB8:0::7', '192.0.2.7', '::ffff:192.0.2.7']) {
      assert.equal(behind(proxy, '203.0.113.9, 2001:db8:1::9'), '2001:db8:1::9')
      assert.equal(behind(proxy, '203.0.113.9, 192.0.2.7'), '203.0.113.9')
    }
    assert.equal(behind('192.0.2.7', undefined), '192.0.2.7')
    assert.equal(behind('192.0.2.7', 'unknown'), '192.0.2.7')
  })

  it('is not what a neighbour of a trusted proxy tells', () => {
    const behind = createClientHost(['2001:db8::7'])
    assert.equal(behind('2001:db8::8', '203.0.113.9'), '2001:db8::8')
    assert.equal(behind('2001:db8::7', '203.0.113.9, 2001:db8::8'), '2001:db8::8')
  })
})
