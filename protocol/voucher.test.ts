import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { rsaKeyPair } from '../sim/rsa-keys.ts'
import { readOrRefused, refusedAs } from '../test/refusal.ts'
import { base64url, utf8 } from './bytes.ts'
import { signCompactJws } from './compact-jws.ts'
import type { ProtocolErrorCode } from './errors.ts'
import { createJose } from './jose.ts'
import { canonicalJson } from './json.ts'
import { VOUCHER_BYTES_MAX } from './limits.ts'
import { rsaSignerOf, rsaVoucherSigner } from './voucher-keys.ts'
import { checkVoucherClaims, openVoucher, sealVoucher, type VoucherClaims, type VoucherPolicy } from './voucher.ts'

const jose = createJose()
const service = rsaKeyPair(1)
const payer = rsaKeyPair(3)
const signer = rsaVoucherSigner(payer.privateKey)

const NOW = 1_900_000_000
const claims: VoucherClaims = {
  host: 'api.example.com',
  exp: NOW + 3600,
  iat: NOW,
  jti: base64url.encode(new Uint8Array(16).fill(1)),
  account: 'account',
  currency: 'NANO',
  key: base64url.encode(new Uint8Array(32).fill(2)),
}
const policy: VoucherPolicy = { purpose: 'payment', host: 'api.example.com', nowSeconds: NOW, secondsMax: 86_400 }

const open = (voucher: string) => openVoucher(jose, voucher, service.privateKey)
const sealed = (payload: Uint8Array) =>
  signCompactJws({ ...signer.header, typ: 'JWT' }, payload, signer.sign).then((jws) =>
    jose.encrypt(utf8(jws), service.publicKey),
  )

describe('SEED 004 Service Voucher Payment (SVP) Encoding', () => {
  it('1. a JWT, signed by the account; 2. encrypted to the service', async () => {
    const opened = await open(await sealVoucher(jose, claims, signer, service.publicKey))
    assert.deepEqual(opened.claims, claims)
    assert.equal(opened.jws.header.alg, 'RS256')
    assert.equal(opened.jws.header.typ, 'JWT')
    assert.deepEqual(await rsaSignerOf(opened.jws), payer.publicKey)
  })

  it("reads the seed's own claims: host and exp alone", async () => {
    const opened = await open(await sealed(utf8('{"host":"api.example.com","exp":1518557491}')))
    assert.deepEqual(opened.claims, { host: 'api.example.com', exp: 1_518_557_491 })
  })

  it('is read by nobody but the service', async () => {
    const voucher = await sealVoucher(jose, claims, signer, service.publicKey)
    await assert.rejects(openVoucher(jose, voucher, payer.privateKey), refusedAs('ERR_JWE_INVALID'))
  })

  it('drops members that it does not know (RFC 7519 §4)', async () => {
    const opened = await open(await sealed(canonicalJson({ ...claims, nbf: 5, more: {} })))
    assert.deepEqual(opened.claims, claims)
  })

  it('refuses claims of another shape, and names the member', async () => {
    const wrong: Record<string, unknown> = {
      host: 'API.example.com',
      exp: '1518557491',
      iat: -1,
      jti: 'short',
      account: '',
      currency: 'x'.repeat(17),
      purpose: 'gift',
      key: 'A'.repeat(42),
      cumulative: '1.5',
      signature: '0x00',
      channel: { vendorId: 1 },
      to: '',
      amount: '-1',
      refunds: 70_000,
      refundSignature: '0x',
    }
    for (const [name, value] of Object.entries(wrong)) {
      const voucher = await sealed(canonicalJson({ ...claims, [name]: value }))
      await assert.rejects(open(voucher), (error: Error & { code?: string }) => {
        assert.equal(error.code, 'ERR_VOUCHER_SHAPE', name)
        assert.ok(error.message.includes(`"${name}`), `${name}: ${error.message}`)
        return true
      })
    }
  })

  it('refuses what holds no JSON, what is no JWS, and what is too long', async () => {
    await assert.rejects(open(await sealed(utf8('no'))), refusedAs('ERR_VOUCHER_SHAPE'))
    await assert.rejects(open(await jose.encrypt(utf8('no'), service.publicKey)), refusedAs('ERR_JWS_INVALID'))
    const notUtf8 = await jose.encrypt(Uint8Array.of(0xff), service.publicKey)
    await assert.rejects(open(notUtf8), refusedAs('ERR_JWS_INVALID'))
    await assert.rejects(open('A'.repeat(VOUCHER_BYTES_MAX + 1)), refusedAs('ERR_VOUCHER_SHAPE'))
  })

  it('only ever reads or refuses what somebody sends', async () => {
    await fc.assert(
      fc.asyncProperty(fc.jsonValue(), async (value) => {
        await readOrRefused(() => sealed(utf8(JSON.stringify(value))).then(open))
      }),
      { numRuns: 50 },
    )
  })
})

describe('the claims of a voucher', () => {
  const check = (change: Partial<VoucherClaims>, other: Partial<VoucherPolicy> = {}) =>
    checkVoucherClaims({ ...claims, ...change }, { ...policy, ...other })
  const refused = (code: ProtocolErrorCode, change: Partial<VoucherClaims>, other: Partial<VoucherPolicy> = {}) =>
    assert.throws(() => check(change, other), refusedAs(code))
  const refund: Partial<VoucherClaims> = { purpose: 'refund', to: 'somewhere' }

  it('hold for their host, until they expire', () => {
    check({})
    check({ purpose: 'payment' })
    check({ exp: NOW + 1 })
    check({ exp: NOW + 86_400 })
    check({ iat: NOW + 300 })
  })

  it('hold for no other host', () => refused('ERR_VOUCHER_HOST', { host: 'api.example.org' }))

  it('hold until exp, which the server caps', () => {
    refused('ERR_VOUCHER_EXPIRED', { exp: NOW })
    refused('ERR_VOUCHER_TOO_LONG', { exp: NOW + 86_401 })
  })

  it('are not made in the future', () => refused('ERR_SIGNED_TIME', { iat: NOW + 301 }))

  it('SEED 004: a payment voucher asks for no refund, and a refund voucher pays nothing', () => {
    check(refund, { purpose: 'refund' })
    refused('ERR_VOUCHER_PURPOSE', refund)
    refused('ERR_VOUCHER_PURPOSE', {}, { purpose: 'refund' })
    refused('ERR_VOUCHER_PURPOSE', { purpose: 'payment' }, { purpose: 'refund' })
  })

  it('SEED 004: a refund says where to, of which account, and can be told from others', () => {
    for (const name of ['to', 'jti', 'account'] as const) {
      const { [name]: _, ...rest } = { ...claims, ...refund }
      assert.throws(
        () => checkVoucherClaims(rest as VoucherClaims, { ...policy, purpose: 'refund' }),
        refusedAs('ERR_VOUCHER_SHAPE'),
        name,
      )
    }
  })
})
