import assert from 'node:assert/strict'
import { createHash, createHmac } from 'node:crypto'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { utf8 } from './bytes.ts'
import {
  announcedDigest,
  formatContentDigest,
  formatProof,
  parseProof,
  proofText,
  UNPROVED_BODY,
  type ProvedRequest,
} from './payment-proof.ts'

const key = new Uint8Array(32).fill(3)
const request: ProvedRequest = {
  counter: 7,
  method: 'POST',
  target: '/v1/search?q=a',
  idempotencyKey: 'k-1',
  amount: '.0001',
  bodyDigest: UNPROVED_BODY,
}
const parts = fc.record({
  counter: fc.integer({ min: 1, max: 999_999_999_999_999 }),
  method: fc.constantFrom('GET', 'POST', 'PUT', 'DELETE', 'REFUND'),
  target: fc.webPath().map((path) => path || '/'),
  idempotencyKey: fc.stringMatching(/^[!-~]{0,20}$/),
  amount: fc.constantFrom('', '1', '.0001'),
  bodyDigest: fc.constantFrom('-', '47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU'),
})

describe('Payment-Proof', () => {
  it('is the counter and the HMAC-SHA256 of the lines of the request', () => {
    const text = '7\nPOST\n/v1/search?q=a\nk-1\n.0001\n-'
    assert.equal(proofText(request), text)
    assert.equal(formatProof(key, request), `7.${createHmac('sha256', key).update(text).digest('base64url')}`)
  })

  it('reads what it writes', () => {
    fc.assert(
      fc.property(parts, (any) => {
        const mac = createHmac('sha256', key).update(proofText(any)).digest('base64url')
        assert.deepEqual(parseProof(formatProof(key, any)), { counter: any.counter, mac })
      }),
    )
  })

  it('differs for requests that differ', () => {
    fc.assert(
      fc.property(parts, parts, (one, other) => {
        const same = JSON.stringify(one) === JSON.stringify(other)
        assert.equal(formatProof(key, one) === formatProof(key, other), same)
      }),
    )
  })

  it('has one spelling', () => {
    const mac = 'A'.repeat(43)
    assert.deepEqual(parseProof(`1.${mac}`), { counter: 1, mac })
    for (const text of ['', '1', `0.${mac}`, `01.${mac}`, `-1.${mac}`, `1.${mac}=`, `1.${'A'.repeat(42)}B`]) {
      assert.equal(parseProof(text), undefined, text)
    }
    assert.equal(parseProof(`1000000000000000.${mac}`), undefined)
  })
})

describe('RFC 9530 Content-Digest', () => {
  const body = utf8('{"hello": "world"}')
  const digest = createHash('sha256').update(body).digest('base64url')

  it('appendix B.1: the digest of the example', () => {
    assert.equal(formatContentDigest(digest), 'sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:')
    assert.equal(announcedDigest('sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:'), digest)
  })

  it('is found among others, and is nothing else', () => {
    assert.equal(announcedDigest(`sha-512=:AA==:, ${formatContentDigest(digest)}`), digest)
    for (const text of ['', 'sha-256=:AA==:', 'sha-512=:AA==:', formatContentDigest(digest).slice(0, -1)]) {
      assert.equal(announcedDigest(text), undefined, text)
    }
  })
})
