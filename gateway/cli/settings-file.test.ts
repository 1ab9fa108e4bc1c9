import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { utf8 } from '../../protocol/bytes.ts'
import { parseSettingsFile, parseTabSettings } from './settings-file.ts'

const good = `
listen: "[::1]:8402"
upstream: http://127.0.0.1:3000
hosts: [API.example.com]
accounts:
  nano: { scheme: nano, rpc: "http://127.0.0.1:7076" }
price: 0.0001
routes:
  - match: GET /status
    price: free
  - match: /videos/*
    price: { NANO: .5 }
    per: once
`
const parse = (text: string) => parseSettingsFile(utf8(text), 'gateway.yaml')

describe('the file of `chrove gateway`', () => {
  it('is YAML, or JSON', () => {
    const settings = parse(good)
    assert.deepEqual(settings.listen, { host: '::1', port: 8402 })
    assert.equal(settings.upstream.href, 'http://127.0.0.1:3000/')
    assert.deepEqual(settings.hosts, ['api.example.com'])
    assert.equal(settings.price, '0.0001')
    assert.deepEqual(settings.routes[1]?.price, { NANO: '0.5' })
    assert.deepEqual(
      [settings.refundEndpoint, settings.scheme, settings.voucherSecondsMax],
      ['/refund', 'http', 86_400],
    )
    const { listen: _, upstream, ...rest } = settings
    const asJson = JSON.stringify({ ...rest, upstream: upstream.href, listen: '127.0.0.1:1' })
    assert.deepEqual(parse(asJson).routes, settings.routes)
  })

  it('is refused with the place that is wrong', () => {
    const wrong: readonly (readonly [string, RegExp])[] = [
      [good.replace('"[::1]:8402"', '8402'), /in gateway\.yaml, listen/],
      [good.replace('http://127.0.0.1:3000', 'ftp://x'), /upstream: must be an http or https URL/],
      [good.replace('hosts: [API.example.com]', 'hosts: []'), /hosts/],
      [good.replace('scheme: nano', 'scheme: gold'), /accounts\.nano\.scheme/],
      [good.replace('GET /status', 'status'), /routes\.0\.match/],
      [good.replace('/videos/*', '/*/videos'), /routes\.1\.match: may have \* at its end only/],
      [`${good}surprise: 1\n`, /its content|surprise/],
      ['a: [', /is not YAML/],
      [`a: &a [x]\nb: [${'*a,'.repeat(500)}]`, /is not YAML|its content|listen/],
    ]
    for (const [text, says] of wrong) {
      assert.throws(
        () => parse(text),
        (error: Error & { code?: string }) => {
          assert.equal(error.code, 'ERR_SETTINGS_INVALID')
          assert.match(error.message, says)
          return true
        },
      )
    }
  })
})

describe('the file of `chrove relay serve --paid`', () => {
  const accounts = '{ nano: { scheme: nano, rpc: "http://127.0.0.1:7076" } }'
  const tabs = (text: string) => parseTabSettings(utf8(text), 'paid.yaml')

  it('says what a bit costs, and nothing of routes', () => {
    const settings = tabs(`hosts: [relay.example]\naccounts: ${accounts}\nprice: "0.00000000001"`)
    assert.deepEqual(settings.routes, [{ match: '/pay/*', per: 'bit', price: '0.00000000001', pay: undefined }])
    assert.throws(() => tabs(`hosts: [relay.example]\naccounts: ${accounts}\nper: once`), {
      code: 'ERR_SETTINGS_INVALID',
    })
  })

  it('has a price', () => {
    const wrong = { code: 'ERR_SETTINGS_INVALID', message: /in paid.yaml, price/ }
    assert.throws(() => tabs(`hosts: [relay.example]\naccounts: ${accounts}`), wrong)
  })
})
