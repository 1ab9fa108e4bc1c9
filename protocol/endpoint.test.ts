import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { endpointUrl } from './endpoint.ts'

describe('the URL of a route', () => {
  const cases: [endpoint: string, url: string | undefined][] = [
    ['http://vendor.example', 'http://vendor.example/price.json'],
    ['https://vendor.example:8443/shop/', 'https://vendor.example:8443/shop/price.json'],
    ['vendor.example', 'http://vendor.example/price.json'],
    ['198.51.100.7:8080', 'http://198.51.100.7:8080/price.json'],
    ['2001:db8::1', 'http://[2001:db8::1]/price.json'],
    ['[2001:db8::1]:81', 'http://[2001:db8::1]:81/price.json'],
    ['http://abcdefghij.onion/', 'http://abcdefghij.onion/price.json'],
    ['http://vendor.example/?a=1#b', 'http://vendor.example/price.json'],
    ['http://user:password@vendor.example', undefined],
    ['ftp://vendor.example', undefined],
    ['file:///etc/passwd', undefined],
    ['javascript:alert(1)', undefined],
    ['', undefined],
    ['http://', undefined],
  ]
  for (const [endpoint, url] of cases) {
    it(`of "${endpoint}" is ${url ?? 'refused'}`, () => assert.equal(endpointUrl(endpoint, 'price.json')?.href, url))
  }

  it('is http or https without a login, whatever the endpoint says', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.webUrl(), fc.ipV6()), (endpoint) => {
        const url = endpointUrl(endpoint, 'price.json')
        if (!url) return
        assert.match(url.protocol, /^https?:$/)
        assert.equal(url.username + url.password + url.search + url.hash, '')
        assert.ok(url.pathname.endsWith('/price.json'))
      }),
    )
  })
})
