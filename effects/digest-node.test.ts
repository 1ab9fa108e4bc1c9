import assert from 'node:assert/strict'
import { createHash, createHmac } from 'node:crypto'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { base64urlOfText, createSha256, hmacSha256, sha256 } from './digest-node.ts'

describe('digests', () => {
  it('RFC 4231 §4.3: HMAC-SHA-256', () => {
    const mac = hmacSha256(Buffer.from('Jefe'))('what do ya want for nothing?')
    const expected = '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843'
    assert.equal(Buffer.from(mac, 'base64url').toString('hex'), expected)
  })

  it('HMAC-SHA-256 is what the library makes of it, for keys and texts of all lengths, whatever came before', () => {
    const latin1 = fc.string({
      unit: fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code)),
      maxLength: 300,
    })
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), fc.array(latin1, { maxLength: 5 }), (key, texts) => {
        const mac = hmacSha256(key)
        for (const text of [...texts, 'x'.repeat(5_000)]) {
          assert.equal(mac(text), createHmac('sha256', key).update(text, 'latin1').digest('base64url'))
        }
      }),
    )
    assert.throws(() => hmacSha256(new Uint8Array(65)), TypeError)
  })

  it('SHA-256, whole and in pieces', () => {
    const bytes = Buffer.from('what comes in pieces')
    const pieces = createSha256()
    pieces.update(bytes.subarray(0, 5))
    pieces.update(bytes.subarray(5))
    const expected = createHash('sha256').update(bytes).digest()
    assert.equal(pieces.digest(), expected.toString('base64url'))
    assert.deepEqual(Buffer.from(sha256(bytes)), expected)
    assert.equal(base64urlOfText('ü?'), Buffer.from('ü?').toString('base64url'))
  })
})
