/** Over plain HTTP somebody may read all, change all, and say all again (docs/threats.md). None of it is worth anything. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { describe, it, type TestContext } from 'node:test'
import fc from 'fast-check'
import { readReceipt } from '../protocol/payment-receipt.ts'
import { formatContentDigest } from '../protocol/payment-proof.ts'
import { createJose } from '../protocol/jose.ts'
import { signOffers } from '../protocol/offers.ts'
import { rsaKeyPair } from '../sim/rsa-keys.ts'
import { createKeyRail, createSpender, HOST, keyPayer, offersOf, requestOf, startGateway } from './testing.ts'

const alice = keyPayer(3)
const mallory = keyPayer(4)

const scene = async (t: TestContext) => {
  const rail = createKeyRail()
  const served: string[] = []
  const service = await startGateway({
    rails: { test: rail },
    handler: async (request) => {
      served.push(`${request.method} ${new URL(request.url).pathname} ${await request.text()}`)
      return new Response('served')
    },
  })
  t.after(() => service.stop())
  await service.credit(rail, alice, 10_000n)
  await service.credit(rail, mallory, 10_000n)
  return { rail, service, served, spender: await createSpender(alice) }
}

/** What a request shows to everybody on the way. */
interface Seen {
  readonly method: string
  readonly target: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | undefined
}

const again = ({ method, target, headers, body }: Seen): Request => requestOf(method, target, headers, body)

const digestOf = (body: string) => formatContentDigest(createHash('sha256').update(body).digest('base64url'))

/** Ways to make something else of it. */
const tampering = fc.oneof(
  fc.record({ method: fc.constantFrom('GET', 'PUT', 'DELETE') }),
  fc.record({ target: fc.constantFrom('/steal', '/a?to=mallory', '/a/') }),
  fc.record({ body: fc.constantFrom('pay mallory', 'order') }),
  fc.record({ header: fc.constantFrom('payment-amount', 'idempotency-key'), value: fc.constantFrom('', '1', '99') }),
  fc.record({ header: fc.constant('payment-account-address'), value: fc.constant(mallory.account) }),
  fc.record({ header: fc.constant('payment-proof'), counter: fc.integer({ min: 1, max: 2_000 }) }),
  fc.record({ header: fc.constant('host'), value: fc.constantFrom('evil.example', `${HOST}:81`) }),
  fc.record({ header: fc.constant('payment-voucher'), flip: fc.nat(2_000) }),
  fc.record({ drop: fc.constantFrom('payment-proof', 'payment-voucher', 'content-digest', 'payment-amount') }),
)
type Tampering = typeof tampering extends fc.Arbitrary<infer Value> ? Value : never

const tamper = (seen: Seen, change: Tampering): Seen => {
  const headers = { ...seen.headers }
  const { method, target, body, header, value, counter, flip, drop } = change as {
    [name: string]: string | undefined
  } & { counter?: number; flip?: number }
  if (header && value !== undefined) headers[header] = value
  if (header && counter) headers[header] = `${counter}.${headers[header]?.split('.')[1]}`
  if (header && flip !== undefined) {
    const text = headers[header] ?? ''
    const at = flip % text.length
    headers[header] = text.slice(0, at) + (text[at] === 'A' ? 'B' : 'A') + text.slice(at + 1)
  }
  if (drop) delete headers[drop]
  if (body !== undefined && headers['content-digest']) headers['content-digest'] = digestOf(body)
  const takesBody = (method ?? seen.method) !== 'GET'
  const content = body ?? seen.body
  return {
    method: method ?? seen.method,
    target: target ?? seen.target,
    headers,
    body: takesBody ? content : undefined,
  }
}

describe('a man in the middle of plain HTTP', () => {
  it('uses no voucher again: nothing that he says again or changes is served or charged', async (t) => {
    const { service, served, spender } = await scene(t)
    const record = async (body: string): Promise<Seen> => {
      const headers = { 'payment-amount': '.02', 'idempotency-key': `k${served.length}` }
      const request = spender.ask('POST', '/a', { body, headers })
      const seen = { method: 'POST', target: '/a', headers: Object.fromEntries(request.headers), body }
      const response = await service.fetch(request)
      assert.equal(response.status, 200)
      return seen
    }
    const recorded = [await record('one'), await record('two'), await record('three')]
    const before = served.length
    const usage = async () => {
      const response = await service.fetch(spender.ask('GET', '/usage'))
      const { usage: all } = (await response.json()) as { usage: string }
      return all
    }
    const charged = await usage()
    for (const seen of recorded) assert.equal((await service.fetch(again(seen))).status, 409)
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...recorded),
        fc.array(tampering, { minLength: 1, maxLength: 3 }),
        async (seen, changes) => {
          const response = await service.fetch(again(changes.reduce(tamper, seen)))
          assert.ok(response.status >= 400, String(response.status))
        },
      ),
      { numRuns: 300 },
    )
    assert.equal(served.length, before)
    assert.equal(await usage(), charged)
    const theirs = await createSpender(mallory)
    const { usage: malloryUsage } = (await (await service.fetch(theirs.ask('GET', '/usage'))).json()) as {
      usage: string
    }
    assert.equal(malloryUsage, '0')
  })

  it('who is first gets no more than the payer asked for: the same request, once', async (t) => {
    const { service, served, spender } = await scene(t)
    const request = spender.ask('POST', '/a', { body: 'one' })
    const seen = { method: 'POST', target: '/a', headers: Object.fromEntries(request.headers), body: 'one' }
    assert.equal((await service.fetch(again(seen))).status, 200)
    assert.equal((await service.fetch(request)).status, 409)
    assert.deepEqual(served, ['POST /a one'])
  })

  it('learns nothing by a restart of the gateway', async (t) => {
    const { service, served, spender } = await scene(t)
    const request = spender.ask('GET', '/a')
    const seen = { method: 'GET', target: '/a', headers: Object.fromEntries(request.headers), body: undefined }
    await service.fetch(request)
    await service.restart()
    assert.equal((await service.fetch(again(seen))).status, 409)
    assert.equal(served.length, 1)
  })

  it('changes no terms: offers that he changed are not read, receipts tell what was charged', async (t) => {
    const { service, spender } = await scene(t)
    const unpaid = await service.fetch(requestOf('GET', '/a', { host: HOST }))
    const { body, offers } = await offersOf(unpaid.clone())
    const forged = { ...offers, offers: offers.offers.map((offer) => ({ ...offer, serviceAccount: 'mallory' })) }
    const { encryptTo: _, ...claims } = forged
    const signed = await signOffers(createJose(), claims, rsaKeyPair(4).privateKey)
    await assert.rejects(offersOf(Response.json({ ...body, offers: signed })), { code: 'ERR_JWS_INVALID' })
    const { payload } = signed
    const mixed = { ...(body.offers as object), payload }
    await assert.rejects(offersOf(Response.json({ ...body, offers: mixed })), { code: 'ERR_JWS_INVALID' })

    const answer = await service.fetch(spender.ask('GET', '/a'))
    const receipt = readReceipt(answer.headers.get('payment-receipt') ?? '', spender.key)
    assert.deepEqual([receipt.cost, receipt.balance], [100n, 9_900n])
    assert.throws(() => readReceipt(answer.headers.get('payment-receipt') ?? '', new Uint8Array(32)), {
      code: 'ERR_JWS_INVALID',
    })
  })
})
