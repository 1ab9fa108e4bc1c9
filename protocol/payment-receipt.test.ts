import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { rsaKeyPair } from '../sim/rsa-keys.ts'
import { readOrRefused, refusedAs } from '../test/refusal.ts'
import { base64url, utf8 } from './bytes.ts'
import { createJose } from './jose.ts'
import { readReceipt, readSignedReceipt, receiptText, type Receipt } from './payment-receipt.ts'

const jose = createJose()
const vendor = rsaKeyPair(0)
const key = new Uint8Array(32).fill(4)
const receipt: Receipt = {
  purpose: 'receipt',
  host: 'api.example.com',
  account: 'account',
  currency: 'NANO',
  jti: 'AQEBAQEBAQEBAQEBAQEBAQ',
  n: 12,
  cost: 100n,
  usage: 1200n,
  balance: -5n,
  ts: 1_900_000_000,
}
const header = base64url.encode(utf8('{"alg":"HS256"}'))
const signed = (text: string, with_ = key, head = header) => {
  const input = `${head}.${base64url.encode(utf8(text))}`
  return `${input}.${createHmac('sha256', with_).update(input).digest('base64url')}`
}

describe('Payment-Receipt', () => {
  it('tells what a request cost, under the key of its voucher', () => {
    assert.deepEqual(readReceipt(signed(receiptText(receipt)), key), receipt)
  })

  it('writes out all that JSON would', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 20 }), fc.bigInt({ min: 0n, max: 10n ** 30n }), (account, cost) => {
        const any = { ...receipt, account, cost }
        const asJson = { ...any, cost: `${cost}`, usage: `${any.usage}`, balance: `${any.balance}` }
        assert.equal(receiptText(any), JSON.stringify(asJson))
      }),
    )
  })

  it('is made by nobody without that key, and by no other algorithm', () => {
    const text = receiptText(receipt)
    const refused = refusedAs('ERR_JWS_INVALID')
    assert.throws(() => readReceipt(signed(text, new Uint8Array(32)), key), refused)
    const none = base64url.encode(utf8('{"alg":"none"}'))
    assert.throws(() => readReceipt(signed(text, key, none), key), refused)
    const [head, , mac] = signed(text).split('.')
    const other = base64url.encode(utf8(receiptText({ ...receipt, cost: 1n })))
    assert.throws(() => readReceipt(`${head}.${other}.${mac}`, key), refused)
  })

  it('is signed by the vendor for who wants to show it', async () => {
    const { protected: head, payload, signature } = await jose.sign(utf8(receiptText(receipt)), vendor.privateKey)
    const text = `${head}.${payload}.${signature}`
    assert.deepEqual(await readSignedReceipt(jose, text, vendor.publicKey), receipt)
    await assert.rejects(readSignedReceipt(jose, text, rsaKeyPair(1).publicKey), refusedAs('ERR_JWS_INVALID'))
  })

  it('is refused when it is of another shape', () => {
    const refused = refusedAs('ERR_RECEIPT_SHAPE')
    assert.throws(() => readReceipt(signed('{}'), key), refused)
    assert.throws(() => readReceipt(signed(receiptText(receipt).replace('"receipt"', '"offers"')), key), refused)
    assert.throws(() => readReceipt('a'.repeat(3000), key), refused)
  })

  it('is only ever read or refused', async () => {
    await fc.assert(
      fc.asyncProperty(fc.jsonValue(), async (value) => {
        await readOrRefused(() => readReceipt(signed(JSON.stringify(value)), key))
      }),
    )
  })
})
