/** The messages of `protocol/` between our code and software that we did not write. */
import assert from 'node:assert/strict'
import { createCipheriv, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, it } from 'node:test'
import { base64url, fromUtf8, utf8 } from '../../protocol/bytes.ts'
import { openCode, sealAnswer, sealCode, type Answer, type OpenedCode } from '../../protocol/cert-info.ts'
import { createJose } from '../../protocol/jose.ts'
import { canonicalJson } from '../../protocol/json.ts'
import { keyIdOf, publicKeyOf } from '../../protocol/keys.ts'
import { examinePriceDocument, signPriceContent, type PriceDocument } from '../../protocol/price.ts'
import { problemResponse } from '../../protocol/problem.ts'
import { largeRsaKey, rsaKeyPair } from '../../sim/rsa-keys.ts'
import { opensslDecrypt, opensslMissing, opensslSign, opensslVerifies, opensslWrap } from './openssl.ts'
import { pythonBuyerMissing, runPythonBuyer, type PythonPurchase, type PythonResult } from './python-buyer.ts'

const jose = createJose()
const signing = rsaKeyPair(0)
const encryption = rsaKeyPair(1)
const buyer = rsaKeyPair(2)
const stranger = rsaKeyPair(3)
const large = { privateKey: largeRsaKey, publicKey: publicKeyOf(largeRsaKey) }

const registry = '0x00000000000000000000000000000000c0ffee42'
const vendor = `chrove:eip155:31337:${registry}/1`
const nowSeconds = (): number => Math.floor(Date.now() / 1000)
const signTime = (ts: number) => jose.sign(utf8(String(ts)), signing.privateKey)

const priceDocument = async (): Promise<PriceDocument> => {
  const ts = nowSeconds()
  const Price = { symbol: 'ETH', amount: '0.001', unit: 'Day' }
  const content = {
    ContractAddress: registry,
    Price,
    PaymentChannels: [],
    PublicKey: { ...signing.publicKey },
    PublicKeyEnc: { ...encryption.publicKey },
    ts,
    brandinfo: { Logo: '', title: 'Flying "Ghost" \u2028\u007f', description: 'günstig\n\t\b\f\u0001 👻 \\/' },
  }
  return signPriceContent(jose, content, signing.privateKey, await signTime(ts))
}

const answerAt = (tsSeconds: number): Answer => ({
  servers: [
    {
      type: 'socks5',
      server_name: 'Köln',
      config: { address: '192.0.2.1', port: 1080, username: 'u', password: 'p"\\' },
    },
  ],
  tsSeconds,
  expiresSeconds: tsSeconds + 86_400,
  order: { id: `0x${'ab'.repeat(32)}`, vendor, plan: 1 },
})

describe('a buyer of Python and jwcrypto', { skip: pythonBuyerMissing }, () => {
  interface Deceit {
    /** Changes the price document on its way. */
    price?: (document: PriceDocument) => unknown
    /** Changes what the vendor takes for the question. */
    code?: (opened: OpenedCode) => OpenedCode
    answer?: (answer: Answer) => Answer
    signer?: typeof signing
    paid?: boolean
  }
  interface Visit extends PythonResult {
    readonly opened: readonly OpenedCode[]
  }

  /** A vendor of protocol functions alone, with one visit of the Python buyer. */
  const visit = async (deceit: Deceit = {}, purchase: Partial<PythonPurchase> = {}): Promise<Visit> => {
    const opened: OpenedCode[] = []
    const answer = async (url: URL): Promise<Response> => {
      if (url.pathname === '/price.json') {
        const document = await priceDocument()
        return Response.json(deceit.price ? deceit.price(document) : document)
      }
      const now = nowSeconds()
      const policy = { vendor, nowSeconds: now, legacy: false }
      const code = await openCode(jose, url.searchParams.get('code') ?? '', encryption.privateKey, policy)
      opened.push(code)
      if (deceit.paid === false) {
        return problemResponse({ status: 402, code: 'ERR_NOT_PAID', title: 'Not paid', detail: 'No order.' })
      }
      const { privateKey } = deceit.signer ?? signing
      const signer = { privateKey, timeSignature: await jose.sign(utf8(String(now)), privateKey) }
      const given = deceit.answer ? deceit.answer(answerAt(now)) : answerAt(now)
      return new Response(await sealAnswer(jose, given, deceit.code ? deceit.code(code) : code, signer))
    }
    const server = createServer((request, response) => {
      answer(new URL(request.url ?? '/', 'http://vendor')).then(
        async (reply) => response.writeHead(reply.status).end(await reply.text()),
        (error: unknown) => response.writeHead(500).end(String(error)),
      )
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    try {
      const result = await runPythonBuyer({
        url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
        vendor,
        signingKey: signing.publicKey,
        encryptionKey: encryption.publicKey,
        buyerKey: buyer.privateKey,
        ...purchase,
      })
      return { ...result, opened }
    } finally {
      server.close()
    }
  }

  it('verifies our price document, asks with its key, and reads our answer', async () => {
    const { status, stdout, stderr, opened } = await visit({}, { planId: 1 })
    assert.equal(status, 0, stderr)
    assert.equal(opened.length, 1)
    assert.deepEqual(opened[0]?.keyId, keyIdOf(buyer.publicKey))
    assert.equal(opened[0]?.planId, 1)
    const { order, servers } = answerAt(0)
    const said = JSON.parse(stdout) as { expires: number }
    assert.deepEqual(said, { order, servers, expires: said.expires })
  })

  it('does the same with the longest key', async () => {
    const { status, stderr, opened } = await visit({}, { buyerKey: large.privateKey })
    assert.equal(status, 0, stderr)
    assert.deepEqual(opened[0]?.key, large.publicKey)
    assert.equal(opened[0]?.planId, undefined)
  })

  const withTitle = (document: PriceDocument) => ({
    ...document,
    content: { ...document.content, brandinfo: { ...document.content.brandinfo, title: 'Flying Thief' } },
  })
  const refusals: Readonly<Record<string, readonly [Deceit, RegExp, Partial<PythonPurchase>?]>> = {
    'changed terms': [{ price: withTitle }, /the content is not signed/],
    'another key than the registered one': [
      {},
      /signing key is not the registered/,
      { signingKey: stranger.publicKey },
    ],
    'an answer to another question': [{ code: (code) => ({ ...code, nonce: 'A'.repeat(22) }) }, /another question/],
    'an answer by another vendor': [{ signer: stranger }, /InvalidJWSSignature/],
    "an answer for another vendor's order": [
      { answer: (answer) => ({ ...answer, order: { ...answer.order, vendor: `${vendor}0` } }) },
      /another vendor's order/,
    ],
    'an answer to another key': [{ code: (code) => ({ ...code, key: stranger.publicKey }) }, /InvalidJWEData/],
    'an order that was not paid': [{ paid: false }, /HTTP 402: .*ERR_NOT_PAID/],
  }
  for (const [name, [deceit, reason, purchase]] of Object.entries(refusals)) {
    it(`takes no credentials from ${name}`, async () => {
      const { status, stdout, stderr } = await visit(deceit, purchase)
      assert.equal(status, 1)
      assert.equal(stdout, '')
      assert.match(stderr, reason)
    })
  }
})

describe('the openssl command', { skip: opensslMissing }, () => {
  it('verifies the signatures of our price document, and refuses them by another key', async () => {
    const { ts_signature, content_signature } = await priceDocument()
    for (const jws of [ts_signature, content_signature]) {
      assert.ok(jws)
      assert.equal(opensslVerifies(jws, signing.publicKey), true)
      assert.equal(opensslVerifies(jws, stranger.publicKey), false)
      assert.equal(opensslVerifies({ ...jws, payload: base64url.encode(utf8('1')) }, signing.publicKey), false)
    }
  })

  it('makes the very signature that we make', async () => {
    for (const { privateKey } of [signing, large]) {
      const jws = await jose.sign(utf8('1546675268'), privateKey)
      const signature = opensslSign(utf8(`${jws.protected}.${jws.payload}`), privateKey)
      assert.equal(base64url.encode(signature), jws.signature)
    }
  })

  it('opens what we encrypt: a code with the vendor key, an answer with the buyer key', async () => {
    const question = { vendor, tsSeconds: nowSeconds(), nonce: new Uint8Array(16).fill(1) }
    for (const pair of [buyer, large]) {
      const code = await sealCode(jose, question, pair, encryption.publicKey)
      const inside = JSON.parse(opensslDecrypt(code, encryption.privateKey).toString()) as { key: unknown }
      assert.deepEqual(inside.key, pair.publicKey)

      const policy = { vendor, nowSeconds: question.tsSeconds, legacy: false }
      const opened = await openCode(jose, code, encryption.privateKey, policy)
      const signer = { privateKey: signing.privateKey, timeSignature: await signTime(question.tsSeconds) }
      const sealed = await sealAnswer(jose, answerAt(question.tsSeconds), opened, signer)
      const answer = JSON.parse(opensslDecrypt(sealed, pair.privateKey).toString()) as { order: unknown }
      assert.deepEqual(answer.order, answerAt(0).order)
      assert.throws(() => opensslDecrypt(sealed, stranger.privateKey), /could not decrypt/)
    }
  })

  it('encrypts what we open', async () => {
    const header = base64url.encode(canonicalJson({ alg: 'RSA-OAEP-256', enc: 'A256GCM' }))
    const [contentKey, iv] = [randomBytes(32), randomBytes(12)]
    const cipher = createCipheriv('aes-256-gcm', contentKey, iv).setAAD(Buffer.from(header))
    const ciphertext = Buffer.concat([cipher.update('from openssl'), cipher.final()])
    const parts = [opensslWrap(contentKey, encryption.publicKey), iv, ciphertext, cipher.getAuthTag()]
    const jwe = [header, ...parts.map((part) => base64url.encode(part))].join('.')
    assert.equal(fromUtf8(await jose.decrypt(jwe, encryption.privateKey)), 'from openssl')
  })

  it('verifies, as we do, the ts_signature of the original document of 2019', async () => {
    const { default: document } = await import('../vectors/chrove-price-2019.json', { with: { type: 'json' } })
    const { keys } = await examinePriceDocument(jose, document, document.content.ts)
    assert.ok(keys)
    assert.equal(opensslVerifies(document.ts_signature, keys.signing), true)
  })
})
