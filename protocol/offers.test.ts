import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { rsaKeyPair } from '../sim/rsa-keys.ts'
import { refusedAs } from '../test/refusal.ts'
import { createJose } from './jose.ts'
import { thumbprintOf } from './keys.ts'
import { readOffers, signOffers, type Offers, type OffersAnchor } from './offers.ts'
import { canonicalHost, costsMoney, parseCost } from './payment-headers.ts'

const jose = createJose()
const signing = rsaKeyPair(0)
const encryption = rsaKeyPair(1)
const NOW = 1_900_000_000

const offers: Offers = {
  purpose: 'offers',
  host: 'api.example.com',
  vendor: 'chrove:eip155:31337:0x00000000000000000000000000000000c0ffee42/1',
  route: 'GET /v1/*',
  per: 'access',
  ts: NOW,
  exp: NOW + 120,
  refundEndpoint: '/refund',
  voucherEndpoint: '/vouchers',
  usageEndpoint: '/usage',
  encryptionKey: encryption.publicKey as unknown as Offers['encryptionKey'],
  signingKey: signing.publicKey as unknown as Offers['signingKey'],
  offers: [
    { scheme: 'nano', currency: 'NANO', decimals: 30, price: '100', serviceAccount: 'nano_1' },
    {
      scheme: 'channel',
      currency: 'ETH',
      decimals: 18,
      price: '5',
      serviceAccount: '0x00000000000000000000000000000000c0ffee43',
      chainId: '31337',
      payments: '0x00000000000000000000000000000000c0ffee43',
      vendorId: '1',
      token: '0x0000000000000000000000000000000000000000',
      withdrawDelayMinSeconds: 3600,
    },
    {
      scheme: 'order',
      currency: 'USDC',
      decimals: 6,
      price: '0.0000125',
      serviceAccount: '0x00000000000000000000000000000000c0ffee43',
      chainId: '31337',
      registry: '0x00000000000000000000000000000000c0ffee42',
      vendorId: '1',
      planIds: [3],
    },
  ],
}
const anchor: OffersAnchor = {
  host: 'api.example.com',
  nowSeconds: NOW,
  signingKey: thumbprintOf(signing.publicKey),
  encryptionKey: thumbprintOf(encryption.publicKey),
}
const signed = (change: Partial<Offers> = {}, key = signing.privateKey) =>
  signOffers(jose, { ...offers, ...change }, key)
const read = (jws: unknown, change: Partial<OffersAnchor> = {}) => readOffers(jose, jws, { ...anchor, ...change })

describe('the offers of a 402', () => {
  it('tell every way to pay, and the key that vouchers are encrypted to', async () => {
    assert.deepEqual(await read(await signed()), { ...offers, encryptTo: encryption.publicKey })
  })

  it("are the listed vendor's", async () => {
    const stranger = rsaKeyPair(2)
    const theirs = await signed({ signingKey: stranger.publicKey as never }, stranger.privateKey)
    await assert.rejects(read(theirs), refusedAs('ERR_OFFERS_KEY'))
    const swapped = await signed({ encryptionKey: stranger.publicKey as never })
    await assert.rejects(read(swapped), refusedAs('ERR_OFFERS_KEY'))
    await assert.rejects(read(await signed({}, stranger.privateKey)), refusedAs('ERR_JWS_INVALID'))
  })

  it('are changed by nobody on the way', async () => {
    const good = await signed()
    const cheap = await signOffers(jose, { ...offers, route: 'GET /other' }, rsaKeyPair(2).privateKey)
    await assert.rejects(read({ ...good, payload: cheap.payload }), refusedAs('ERR_JWS_INVALID'))
  })

  it('are of the host that was asked, and of now', async () => {
    const jws = await signed()
    await assert.rejects(read(jws, { host: 'api.example.org' }), refusedAs('ERR_OFFERS_HOST'))
    await assert.rejects(read(jws, { nowSeconds: NOW + 120 }), refusedAs('ERR_SIGNED_TIME'))
    await assert.rejects(read(jws, { nowSeconds: NOW - 301 }), refusedAs('ERR_SIGNED_TIME'))
    await assert.rejects(read(await signed({ ts: NOW - 301 })), refusedAs('ERR_SIGNED_TIME'))
  })

  it('have the shape of offers', async () => {
    const wrong = [{ purpose: 'receipt' }, { offers: [] }, { per: 'day' }, { refundEndpoint: 'refund' }]
    for (const change of wrong) {
      const jws = await jose.sign(
        new TextEncoder().encode(JSON.stringify({ ...offers, ...change })),
        signing.privateKey,
      )
      await assert.rejects(read(jws), refusedAs('ERR_OFFERS_SHAPE'))
    }
    await assert.rejects(read('offers'), refusedAs('ERR_OFFERS_SHAPE'))
  })
})

describe('SEED 004 Headers', () => {
  it('Content-Cost is in whole units, with or without the zero before the point', () => {
    assert.equal(parseCost('.0001', 4), 1n)
    assert.equal(parseCost('0.0001', 4), 1n)
    assert.equal(parseCost('2', 4), 20_000n)
    assert.equal(parseCost('.00001', 4), undefined)
    assert.equal(parseCost('.', 4), undefined)
    assert.equal(parseCost('-1', 4), undefined)
  })

  it('SEED 004 HTTP Methods: HEAD, OPTIONS and REFUND are free, all others cost', () => {
    const free = ['HEAD', 'OPTIONS', 'REFUND']
    for (const method of [...free, 'GET', 'POST', 'PUT', 'PATCH', 'DELETE']) {
      assert.equal(costsMoney(method), !free.includes(method), method)
    }
  })

  it('a host has one spelling', () => {
    assert.equal(canonicalHost('API.Example.com:443', 'https:'), 'api.example.com')
    assert.equal(canonicalHost('api.example.com:80', 'http:'), 'api.example.com')
    assert.equal(canonicalHost('api.example.com:8402', 'http:'), 'api.example.com:8402')
    assert.equal(canonicalHost('[::1]:80', 'http:'), '[::1]')
  })
})
