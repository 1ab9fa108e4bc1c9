/** A running vendor and buyers that have no code of ours: Python's jwcrypto, and the `openssl` command. */
import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import { base64url, fromUtf8 } from '../../protocol/bytes.ts'
import { keyHashOf } from '../../protocol/cert-info.ts'
import { canonicalJson } from '../../protocol/json.ts'
import { orderIdOf } from '../../chain/contracts.ts'
import type { RsaPrivateKey } from '../../protocol/keys.ts'
import type { PriceDocument } from '../../protocol/price.ts'
import { rsaKeyPair } from '../../sim/rsa-keys.ts'
import { curlMissing, curlThrough } from '../curl.ts'
import { eventually } from '../eventually.ts'
import { openMarket, openShop, payFor, type Market, type Shop } from '../market.ts'
import { startPage } from '../../scripts/start/page.ts'
import { opensslMissing, opensslVerifies } from './openssl.ts'
import { pythonBuyerMissing, runPythonBuyer, type PythonResult } from './python-buyer.ts'

const payer = rsaKeyPair(2)
const stranger = rsaKeyPair(3)

let market: Market
let shop: Shop
before(async () => {
  market = await openMarket()
  shop = await openShop(market, { title: 'Flying Ghost' })
  await shop.serve()
  await eventually('the vendor has read the registry', async () =>
    (await fetch(`${shop.url}/health`)).ok ? true : undefined,
  )
})
after(() => market.close())

/** In its first second a vendor answers 409, for it cannot know what was asked before: another code is made. */
const visit = (buyerKey: RsaPrivateKey, planId = 1): Promise<PythonResult> =>
  eventually('the vendor is done with starting', async () => {
    const result = await runPythonBuyer({
      url: shop.url,
      vendor: shop.uri,
      signingKey: shop.keys.signing.publicKey,
      encryptionKey: shop.keys.encryption.publicKey,
      buyerKey,
      planId,
    })
    return /HTTP 409: .*ERR_CODE_TOO_OLD/.test(result.stderr) ? undefined : result
  })

it('a key that paid nothing is answered 402 by the vendor', { skip: pythonBuyerMissing }, async () => {
  const { status, stderr } = await visit(stranger.privateKey)
  assert.equal(status, 1)
  assert.match(stderr, /HTTP 402: .*"ERR_NOT_PAID"/)
})

it(
  'a key that paid collects an account, and curl browses with it',
  { skip: pythonBuyerMissing || curlMissing },
  async () => {
    const keyHash = keyHashOf(payer.publicKey)
    await payFor(market, shop, keyHash)
    const { stdout } = await eventually('the vendor has seen the payment', async () => {
      const result = await visit(payer.privateKey)
      if (result.status === 1 && /HTTP 402: /.test(result.stderr)) return undefined
      assert.equal(result.status, 0, result.stderr)
      return result
    })
    const { order, servers } = JSON.parse(stdout) as {
      order: unknown
      servers: { type: string; config: Parameters<typeof curlThrough>[0] }[]
    }
    assert.deepEqual(order, { id: orderIdOf(shop.vendorId, 1, keyHash), vendor: shop.uri, plan: 1 })
    const [server] = servers
    assert.equal(server?.type, 'socks5')
    const page = await startPage()
    try {
      assert.notEqual(await curlThrough(server.config, page.url), 'refused')
      assert.equal(await curlThrough({ ...server.config, password: 'wrong' }, page.url), 'refused')
    } finally {
      await page.close()
    }
  },
)

it('a key that paid for one plan is answered 402 for another', { skip: pythonBuyerMissing }, async () => {
  const { stderr } = await visit(payer.privateKey, 2)
  assert.match(stderr, /HTTP 402: /)
})

it("openssl verifies both signatures of the vendor's price document", { skip: opensslMissing }, async () => {
  const document = (await (await fetch(`${shop.url}/price.json`)).json()) as PriceDocument
  const { content, ts_signature, content_signature } = document
  const { publicKey } = shop.keys.signing
  assert.equal(fromUtf8(base64url.decode(ts_signature.payload)), String(content.ts))
  assert.ok(opensslVerifies(ts_signature, publicKey))
  assert.ok(content_signature)
  assert.deepEqual(base64url.decode(content_signature.payload), canonicalJson(content))
  assert.ok(opensslVerifies(content_signature, publicKey))
  assert.ok(!opensslVerifies({ ...ts_signature, payload: content_signature.payload }, publicKey))
})
