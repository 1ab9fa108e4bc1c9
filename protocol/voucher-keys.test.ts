import assert from 'node:assert/strict'
import { createPublicKey, verify, type JsonWebKey } from 'node:crypto'
import { describe, it } from 'node:test'
import { computeAddress } from 'ethers'
import fc from 'fast-check'
import { rsaKeyPair } from '../sim/rsa-keys.ts'
import { refusedAs } from '../test/refusal.ts'
import rfc7515 from '../test/vectors/rfc7515-a2.json' with { type: 'json' }
import { base64url, fromUtf8, toHex, utf8 } from './bytes.ts'
import { parseCompactJws, signCompactJws } from './compact-jws.ts'
import type { ProtocolErrorCode } from './errors.ts'
import { channelVoucherSigner, evmSignerOf, rsaSignerOf, rsaVoucherSigner } from './voucher-keys.ts'
import type { VoucherSigner } from './voucher.ts'

const rsa = rsaKeyPair(0)
const evmKey = new Uint8Array(32).fill(7)
const evmAddress = computeAddress(toHex(evmKey)).toLowerCase()

const sign = ({ header, sign: signer }: VoucherSigner, payload = utf8('{}')) =>
  signCompactJws({ ...header, typ: 'JWT' }, payload, signer)

/** The same text with one bit of one part changed. */
const flip = (text: string, part: number, at: number): string => {
  const parts = text.split('.')
  const bytes = base64url.decode(parts[part] ?? '')
  bytes[at % bytes.length]! ^= 1
  parts[part] = base64url.encode(bytes)
  return parts.join('.')
}

describe('a compact JWS', () => {
  it('RFC 7515 A.2: is taken apart as the vector says', () => {
    const jws = parseCompactJws(rfc7515.compact)
    assert.deepEqual(jws.header, { alg: 'RS256' })
    assert.equal(fromUtf8(jws.payload), rfc7515.payload)
    assert.equal(jws.signature.length, 256)
    assert.equal(fromUtf8(jws.signingInput), rfc7515.compact.slice(0, rfc7515.compact.lastIndexOf('.')))
  })

  it('RFC 7515 A.2: is put together as the vector says', async () => {
    const jws = parseCompactJws(rfc7515.compact)
    assert.equal(await signCompactJws(jws.header, jws.payload, async () => jws.signature), rfc7515.compact)
  })

  it('has three parts in the one spelling, and no extensions (RFC 7515 §4.1.11)', () => {
    const header = base64url.encode(utf8('{"alg":"RS256"}'))
    const encoded = (text: string) => base64url.encode(utf8(text))
    for (const text of [
      '',
      'a.b',
      `${header}.e30.AA.AA`,
      `${header}.e30=.AA`,
      `${header}.e31.AB`,
      `.e30.AA`,
      `${encoded('[]')}.e30.AA`,
      `${encoded('null')}.e30.AA`,
      `${encoded('{')}.e30.AA`,
      `${encoded('{"alg":"RS256","crit":["exp"]}')}.e30.AA`,
      `${encoded('{"alg":"RS256","b64":false}')}.e30.AA`,
    ]) {
      assert.throws(() => parseCompactJws(text), refusedAs('ERR_JWS_INVALID'), text)
    }
  })
})

describe('an RSA account', () => {
  it('RFC 7515 A.2: signs RS256 as the vector says', async () => {
    const { p, q, dp, dq, qi, d, n } = rfc7515.key
    const { sign: signer } = rsaVoucherSigner({ kty: 'RSA', e: 'AQAB', n, d, p, q, dp, dq, qi })
    const signature = rfc7515.compact.split('.')[2] ?? ''
    assert.equal(base64url.encode(await signer(parseCompactJws(rfc7515.compact).signingInput)), signature)
  })

  it('is told by what it signs', async () => {
    const jws = parseCompactJws(await sign(rsaVoucherSigner(rsa.privateKey)))
    assert.deepEqual(await rsaSignerOf(jws), rsa.publicKey)
  })

  it('has signed nothing that was changed', async () => {
    const text = await sign(rsaVoucherSigner(rsa.privateKey), utf8('{"host":"a"}'))
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(1, 2), fc.nat(2000), async (part, at) => {
        await assert.rejects(rsaSignerOf(parseCompactJws(flip(text, part, at))), refusedAs('ERR_JWS_INVALID'))
      }),
      { numRuns: 30 },
    )
  })

  it('speaks RS256 only, with a sound key', async () => {
    const jws = parseCompactJws(await sign(rsaVoucherSigner(rsa.privateKey)))
    const refused = (header: object, code: ProtocolErrorCode) =>
      assert.rejects(rsaSignerOf({ ...jws, header: { ...jws.header, ...header } }), refusedAs(code))
    await refused({ alg: 'none' }, 'ERR_JWS_INVALID')
    await refused({ alg: 'HS256' }, 'ERR_JWS_INVALID')
    await refused({ jwk: undefined }, 'ERR_KEY_INVALID')
    await refused({ jwk: { kty: 'RSA', n: 'AQAB', e: 'AQAB' } }, 'ERR_KEY_INVALID')
  })
})

describe("a channel's signer", () => {
  const text = sign(channelVoucherSigner(evmKey), utf8('{"host":"a"}'))

  it('RFC 8812 §3.2: signs ES256K as another implementation verifies it', async () => {
    const { header, signingInput, signature } = parseCompactJws(await text)
    const key = createPublicKey({ key: header.jwk as JsonWebKey, format: 'jwk' })
    assert.equal(header.alg, 'ES256K')
    assert.ok(verify('sha256', signingInput, { key, dsaEncoding: 'ieee-p1363' }, signature))
  })

  it('is told by what it signs', async () => {
    assert.equal(evmSignerOf(parseCompactJws(await text)), evmAddress)
  })

  it('RFC 8812 §3.2: may put s into either half of its range', async () => {
    const jws = parseCompactJws(await text)
    const order = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n
    const other = (order - BigInt(toHex(jws.signature.subarray(32)))).toString(16).padStart(64, '0')
    const signature = Uint8Array.from([...jws.signature.subarray(0, 32), ...Buffer.from(other, 'hex')])
    assert.equal(evmSignerOf({ ...jws, signature }), evmAddress)
  })

  it('has signed nothing that was changed', async () => {
    const signed = await text
    fc.assert(
      fc.property(fc.constantFrom(1, 2), fc.nat(100), (part, at) => {
        assert.throws(() => evmSignerOf(parseCompactJws(flip(signed, part, at))), refusedAs('ERR_JWS_INVALID'))
      }),
      { numRuns: 30 },
    )
  })

  it('speaks ES256K only, with the key that signed', async () => {
    const jws = parseCompactJws(await text)
    const other = parseCompactJws(await sign(channelVoucherSigner(new Uint8Array(32).fill(9))))
    const refused = (header: object) =>
      assert.throws(() => evmSignerOf({ ...jws, header: { ...jws.header, ...header } }), refusedAs('ERR_JWS_INVALID'))
    refused({ alg: 'RS256' })
    refused({ jwk: other.header.jwk })
    refused({ jwk: undefined })
    refused({ jwk: { kty: 'EC', crv: 'secp256k1', x: 'A'.repeat(43), y: '='.repeat(43) } })
    assert.throws(() => evmSignerOf({ ...jws, signature: new Uint8Array(64) }), refusedAs('ERR_JWS_INVALID'))
  })

  it('refuses to make a key of what is none, without telling it', () => {
    const wrong = new Uint8Array(32).fill(0xff)
    assert.throws(
      () => channelVoucherSigner(wrong),
      (error: Error) => !error.message.includes('ff'),
    )
  })
})
