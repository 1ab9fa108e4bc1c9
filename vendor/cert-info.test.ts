/** `/cert.info` and `/price.json` as a buyer, a stranger and an attacker meet them. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { openAnswer, sealCode, type Question } from '../protocol/cert-info.ts'
import { examinePriceDocument } from '../protocol/price.ts'
import { base58, fromHex, toHex, utf8 } from '../protocol/bytes.ts'
import { formatKeyId, keyIdOf, thumbprintOf, type RsaKeyPair } from '../protocol/keys.ts'
import { CODE_BYTES_MAX } from '../protocol/limits.ts'
import { rsaKeyPair } from '../sim/rsa-keys.ts'
import { NOW, openTestVendor, VENDOR, type TestVendor } from './test-vendor.ts'

const alice = rsaKeyPair(10)
const bob = rsaKeyPair(11)
let nonces = 0

const questionTo = (vendor: string, more: Partial<Question> = {}): Question => {
  const nonce = new Uint8Array(16)
  new DataView(nonce.buffer).setUint32(0, ++nonces)
  return { vendor, tsSeconds: NOW, nonce, ...more }
}

const codeOf = (vendor: TestVendor, buyer: RsaKeyPair, question = questionTo(VENDOR)): Promise<string> =>
  sealCode(vendor.jose, question, buyer, vendor.keys.encryption.publicKey)

const ask = async (vendor: TestVendor, code: string) => {
  const response = await vendor.fetch(new Request('http://vendor.example/cert.info', { method: 'POST', body: code }))
  const body = await response.text()
  return { status: response.status, body, problem: () => JSON.parse(body) as Record<string, unknown> }
}

describe('cert.info', () => {
  it('gives a paid key its credentials, encrypted to that key and signed by the vendor', async () => {
    const vendor = await openTestVendor()
    await vendor.pay(alice, { planId: 1, endsAt: NOW + 60 })
    const question = questionTo(VENDOR)
    const { status, body } = await ask(vendor, await codeOf(vendor, alice, question))
    assert.equal(status, 200)
    const policy = { question, vendorSigningKey: vendor.keys.signing.publicKey, nowSeconds: NOW }
    const answer = await openAnswer(vendor.jose, body, alice.privateKey, policy)
    assert.deepEqual(answer.servers, vendor.servers)
    assert.equal(answer.expiresSeconds, NOW + 60)
    await assert.rejects(openAnswer(vendor.jose, body, bob.privateKey, policy), { code: 'ERR_JWE_INVALID' })
  })

  it('says how many bytes the answer has', async () => {
    const vendor = await openTestVendor()
    await vendor.pay(alice, { planId: 1, endsAt: NOW + 60 })
    const request = new Request('http://vendor.example/cert.info', {
      method: 'POST',
      body: await codeOf(vendor, alice),
    })
    const response = await vendor.fetch(request)
    assert.equal(response.headers.get('content-length'), String((await response.bytes()).length))
  })

  it('takes the code as a query too', async () => {
    const vendor = await openTestVendor()
    await vendor.pay(alice, { planId: 1, endsAt: NOW + 60 })
    const url = `http://vendor.example/cert.info?code=${await codeOf(vendor, alice)}`
    assert.equal((await vendor.fetch(new Request(url))).status, 200)
  })

  it('answers of any two orders have the same length', async () => {
    const vendor = await openTestVendor()
    await vendor.pay(alice, { planId: 1, endsAt: NOW + 60 })
    await vendor.pay(bob, { planId: 4_000_000_000, endsAt: NOW + 60_000_000 })
    const first = await ask(vendor, await codeOf(vendor, alice))
    const second = await ask(vendor, await codeOf(vendor, bob))
    assert.equal(first.body.length, second.body.length)
  })

  it('answers 402 with the payment methods to a key that paid nothing', async () => {
    const vendor = await openTestVendor()
    await vendor.pay(bob, { planId: 1, endsAt: NOW + 60 })
    const { status, problem } = await ask(vendor, await codeOf(vendor, alice))
    assert.equal(status, 402)
    assert.equal(problem().code, 'ERR_NOT_PAID')
    assert.equal((problem().PaymentChannels as unknown[]).length, 2)
  })

  it('tells a stranger the same whether other buyers have paid or not', async () => {
    const [empty, busy] = [await openTestVendor(), await openTestVendor()]
    await busy.pay(bob, { planId: 1, endsAt: NOW + 60 })
    const answers = [await ask(empty, await codeOf(empty, alice)), await ask(busy, await codeOf(busy, alice))]
    assert.deepEqual(answers[0]?.problem(), answers[1]?.problem())
  })

  it("does not take an order of another vendor's plan for one of its own", async () => {
    const vendor = await openTestVendor()
    await vendor.pay(alice, { planId: 1, endsAt: NOW + 60, vendorId: 2n })
    assert.equal((await ask(vendor, await codeOf(vendor, alice))).problem().code, 'ERR_NOT_PAID')
  })

  it('ends with the order, to the second', async () => {
    const vendor = await openTestVendor()
    await vendor.pay(alice, { planId: 1, endsAt: NOW + 60 })
    vendor.clock.seconds = NOW + 59
    assert.equal((await ask(vendor, await codeOf(vendor, alice))).status, 200)
    vendor.clock.seconds = NOW + 60
    const { status, problem } = await ask(vendor, await codeOf(vendor, alice))
    assert.deepEqual([status, problem().code], [402, 'ERR_ORDER_ENDED'])
  })

  it('gives nothing for an order that was cancelled, nor for one that a reorg undid', async () => {
    const vendor = await openTestVendor()
    await vendor.pay(alice, { planId: 1, endsAt: NOW + 60 })
    await vendor.pay(bob, { planId: 1, endsAt: NOW + 60 })
    await vendor.rollBack(1)
    await vendor.cancel(alice, { planId: 1, endsAt: NOW })
    assert.equal((await ask(vendor, await codeOf(vendor, alice))).problem().code, 'ERR_ORDER_ENDED')
    assert.equal((await ask(vendor, await codeOf(vendor, bob))).problem().code, 'ERR_NOT_PAID')
  })

  it('gives nothing for an order that the vendor refunded', async () => {
    const vendor = await openTestVendor()
    await vendor.pay(alice, { planId: 1, endsAt: NOW + 60 })
    assert.equal((await ask(vendor, await codeOf(vendor, alice))).status, 200)
    await vendor.refund(alice, { planId: 1, endsAt: NOW })
    assert.equal((await ask(vendor, await codeOf(vendor, alice))).problem().code, 'ERR_ORDER_ENDED')
  })

  it('answers for the plan that is asked for, else for the order that runs longest', async () => {
    const vendor = await openTestVendor()
    await vendor.pay(alice, { planId: 1, endsAt: NOW + 60 })
    await vendor.pay(alice, { planId: 2, endsAt: NOW + 90 })
    const planOf = async (question: Question) => {
      const { body } = await ask(vendor, await codeOf(vendor, alice, question))
      const policy = { question, vendorSigningKey: vendor.keys.signing.publicKey, nowSeconds: NOW }
      return (await openAnswer(vendor.jose, body, alice.privateKey, policy)).order.plan
    }
    assert.equal(await planOf(questionTo(VENDOR)), 2)
    assert.equal(await planOf(questionTo(VENDOR, { planId: 1 })), 1)
    const other = await ask(vendor, await codeOf(vendor, alice, questionTo(VENDOR, { planId: 3 })))
    assert.equal(other.problem().code, 'ERR_NOT_PAID')
  })

  describe('attacks', () => {
    it('a recorded code is refused when it comes again', async () => {
      const vendor = await openTestVendor()
      await vendor.pay(alice, { planId: 1, endsAt: NOW + 60 })
      const code = await codeOf(vendor, alice)
      assert.equal((await ask(vendor, code)).status, 200)
      const { status, problem } = await ask(vendor, code)
      assert.deepEqual([status, problem().code], [409, 'ERR_REPLAYED'])
    })

    it('a recorded code is refused after a restart, whatever time it was signed for', async () => {
      for (const tsSeconds of [NOW - 300, NOW, NOW + 1, NOW + 300]) {
        const vendor = await openTestVendor()
        await vendor.pay(alice, { planId: 1, endsAt: NOW + 600 })
        const code = await codeOf(vendor, alice, questionTo(VENDOR, { tsSeconds }))
        assert.equal((await ask(vendor, code)).status, 200)
        const again = await vendor.restart()
        assert.equal((await ask(again, code)).status, 409, `signed ${tsSeconds - NOW} s from now`)
      }
    })

    it('a code for another vendor is refused, though this vendor can read it', async () => {
      const vendor = await openTestVendor()
      await vendor.pay(alice, { planId: 1, endsAt: NOW + 60 })
      const elsewhere = VENDOR.replace(/\/1$/, '/2')
      const { status, problem } = await ask(vendor, await codeOf(vendor, alice, questionTo(elsewhere)))
      assert.deepEqual([status, problem().code], [400, 'ERR_AUDIENCE'])
    })

    it('a code redirected to another vendor cannot even be read', async () => {
      const vendor = await openTestVendor()
      const code = await sealCode(vendor.jose, questionTo(VENDOR), alice, rsaKeyPair(12).publicKey)
      assert.equal((await ask(vendor, code)).problem().code, 'ERR_JWE_INVALID')
    })

    it('a stale or future code is refused', async () => {
      const vendor = await openTestVendor()
      for (const tsSeconds of [NOW - 301, NOW + 301]) {
        const { problem } = await ask(vendor, await codeOf(vendor, alice, questionTo(VENDOR, { tsSeconds })))
        assert.equal(problem().code, 'ERR_SIGNED_TIME')
      }
    })

    it('a key cannot be used by someone who only knows its public half', async () => {
      const vendor = await openTestVendor()
      await vendor.pay(alice, { planId: 1, endsAt: NOW + 60 })
      const forged = { publicKey: alice.publicKey, privateKey: bob.privateKey }
      assert.equal((await ask(vendor, await codeOf(vendor, forged))).problem().code, 'ERR_JWS_INVALID')
    })

    it("the original's codes, which name no vendor, are accepted only where the vendor says so", async () => {
      for (const legacy of [false, true]) {
        const vendor = await openTestVendor({ legacy })
        await vendor.pay(alice, { planId: 1, endsAt: NOW + 60 })
        const signature = await vendor.jose.sign(utf8(String(NOW)), alice.privateKey)
        const envelope = { key: alice.publicKey, signature, request: 'my_subscribe' }
        const seal = () => vendor.jose.encrypt(utf8(JSON.stringify(envelope)), vendor.keys.encryption.publicKey)
        assert.equal((await ask(vendor, await seal())).status, legacy ? 200 : 400)
        assert.equal((await ask(vendor, await seal())).status, legacy ? 409 : 400, 'nor twice, however it is encrypted')
      }
    })

    it('anything else is refused with a problem document, never with a failure', async () => {
      const vendor = await openTestVendor()
      await fc.assert(
        fc.asyncProperty(
          fc.oneof(fc.string(), fc.string({ unit: 'binary', maxLength: 3000 }), fc.base64String()),
          async (code) => {
            const { status, problem } = await ask(vendor, code)
            assert.equal(status, 400)
            assert.match(String(problem().code), /^ERR_/)
          },
        ),
      )
    })

    it('a plaintext of any JSON is refused with a problem document', async () => {
      const vendor = await openTestVendor()
      await fc.assert(
        fc.asyncProperty(fc.json(), async (json) => {
          const code = await vendor.jose.encrypt(utf8(json), vendor.keys.encryption.publicKey)
          assert.equal((await ask(vendor, code)).status, 400)
        }),
      )
    })

    it('a code over the limit is refused before it is decrypted', async () => {
      const vendor = await openTestVendor()
      const { status, problem } = await ask(vendor, 'A'.repeat(CODE_BYTES_MAX + 1))
      assert.deepEqual([status, problem().code], [413, 'ERR_TOO_LARGE'])
    })
  })
})

describe('price.json', () => {
  const fetchPrice = async (vendor: TestVendor, query = '') => {
    const response = await vendor.fetch(new Request(`http://vendor.example/price.json${query}`))
    return { status: response.status, body: (await response.json()) as Record<string, unknown> }
  }

  it('is acceptable to a buyer who knows only the registry', async () => {
    const vendor = await openTestVendor()
    const { status, body } = await fetchPrice(vendor)
    assert.equal(status, 200)
    const anchor = {
      vendor: vendor.uri,
      signingKey: thumbprintOf(vendor.keys.signing.publicKey),
      encryptionKey: thumbprintOf(vendor.keys.encryption.publicKey),
      plans: vendor.plans.map((plan) => ({ ...plan, decimals: 6 })),
    }
    const examined = await examinePriceDocument(vendor.jose, body, NOW, anchor)
    assert.deepEqual(
      examined.findings.filter(({ holds }) => !holds),
      [],
    )
    assert.equal(examined.acceptable, true)
  })

  it('offers only what is on sale, in the currency that each plan is in', async () => {
    const vendor = await openTestVendor()
    const { content } = (await fetchPrice(vendor)).body as {
      content: { PaymentChannels: { PlanId: number; Token: string; Price: object }[] }
    }
    assert.deepEqual(
      content.PaymentChannels.map(({ PlanId, Token, Price }) => [PlanId, Token, Price]),
      [
        [1, `0x${'00'.repeat(20)}`, { symbol: 'ETH', amount: '0.0015', unit: 'Day' }],
        [3, `0x${'70'.repeat(20)}`, { symbol: 'CTD', amount: '2.5', unit: 'Day' }],
      ],
    )
  })

  it("carries the buyer's memo when it is asked for with ?kid=", async () => {
    const vendor = await openTestVendor()
    const keyId = keyIdOf(alice.publicKey)
    const { body } = await fetchPrice(vendor, `?kid=${formatKeyId(keyId)}`)
    const { content } = body as { content: { PaymentChannels: { MemoContent: string }[] } }
    assert.equal(content.PaymentChannels[0]?.MemoContent, toHex(keyId))
  })

  it('refuses a kid that is no key id', async () => {
    const vendor = await openTestVendor()
    for (const kid of ['', '0OIl', base58.encode(fromHex(`0x${'11'.repeat(31)}`)), '1'.repeat(5000)]) {
      assert.equal((await fetchPrice(vendor, `?kid=${kid}`)).status, 400)
    }
  })
})

it('says what it serves to whoever asks for something else', async () => {
  const vendor = await openTestVendor()
  const statusOf = async (path: string, method = 'GET') =>
    (await vendor.fetch(new Request(`http://vendor.example${path}`, { method }))).status
  assert.equal(await statusOf('/'), 404)
  assert.equal(await statusOf('/cert.info'), 400)
  assert.equal(await statusOf('/price.json', 'DELETE'), 405)
  assert.equal(await statusOf('/cert.info', 'PUT'), 405)
  assert.equal(await statusOf('/health'), 200)
})
