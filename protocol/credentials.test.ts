import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { serverListSchema } from './credentials.ts'
import { SERVER_LIST_MAX } from './limits.ts'

/** The examples of the original, to the letter. */
const ss = {
  type: 'ss',
  server_name: 'hello',
  config: { address: '1.1.1.1', port: 1984, method: 'aes-cfb-256', key: 'romanholidy3947' },
}
const socks5 = {
  type: 'socks5',
  server_name: 'world',
  config: { address: '2.2.1.1', port: 11984, username: 'tomhanks', password: 'pass23hljhsdf' },
}
const https = {
  type: 'https',
  server_name: 'fish',
  config: { address: '3.3.3.3', port: 14455, username: 'tomcruse', password: 'pass5767lskljdf' },
}

const accepts = (list: unknown) => serverListSchema.safeParse(list).success

describe('the list of servers', () => {
  it('SEED 000 cert.info: the three types of the original keep their shapes', () => {
    assert.deepEqual(serverListSchema.parse([ss, socks5, https]), [ss, socks5, https])
  })

  it(`has 1 to ${SERVER_LIST_MAX} servers`, () => {
    assert.equal(accepts([]), false)
    assert.equal(accepts(Array(SERVER_LIST_MAX).fill(ss)), true)
    assert.equal(accepts(Array(SERVER_LIST_MAX + 1).fill(ss)), false)
  })

  const withConfig = (change: object) => ({ ...socks5, config: { ...socks5.config, ...change } })
  const wrong: Readonly<Record<string, unknown>> = {
    'an unknown type': { ...ss, type: 'vmess' },
    'the config of another type': { ...socks5, type: 'ss' },
    'port 0': withConfig({ port: 0 }),
    'port 65536': withConfig({ port: 65_536 }),
    'half a port': withConfig({ port: 80.5 }),
    'a port as text': withConfig({ port: '80' }),
    'no address': withConfig({ address: '' }),
    'an address over 255 characters': withConfig({ address: 'a'.repeat(256) }),
    'an empty password': withConfig({ password: '' }),
    'a password over 256 characters': withConfig({ password: 'p'.repeat(257) }),
    'no config': { type: 'ss', server_name: 'x' },
  }
  for (const [name, server] of Object.entries(wrong)) {
    it(`is refused when a server has ${name}`, () => assert.equal(accepts([ss, server]), false))
  }

  it('is read or refused, never a crash, whatever JSON comes', () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.jsonValue(), fc.array(fc.record({ type: fc.constant('ss'), config: fc.jsonValue() }))),
        (value) => {
          assert.equal(typeof accepts(value), 'boolean')
        },
      ),
    )
  })
})
