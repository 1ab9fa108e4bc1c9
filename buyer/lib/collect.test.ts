import assert from 'node:assert/strict'
import { before, beforeEach, describe, it } from 'node:test'
import fc from 'fast-check'
import type { Hash } from '../../chain/types.ts'
import type { Buyer } from './index.ts'
import { ENDPOINT, notPaid, openAtVendor, openTestMarket, sealFor, SERVERS, type TestMarket } from './test-market.ts'

let market: TestMarket
before(async () => {
  market = await openTestMarket()
})
beforeEach(() => market.reset())

const buyOne = async (planId = 1): Promise<{ readonly buyer: Buyer; readonly orderId: Hash }> => {
  const { buyer } = market.start()
  await buyer.init(market.fundedKey)
  const { orderId } = await buyer.buy({ vendor: '1', planId, periods: 1 })
  return { buyer, orderId }
}

const nowSeconds = () => Math.floor(market.clock.nowMs() / 1000)
const isCertInfo = (request: Request) => new URL(request.url).pathname.endsWith('/cert.info')

describe('collecting credentials', () => {
  it('gives what the vendor sealed to the key of the order, from the first endpoint that works', async () => {
    const { buyer, orderId } = await buyOne()
    assert.deepEqual((await buyer.collect(orderId)).servers, SERVERS)
    assert.deepEqual(market.requests, [
      'GET http://gone.example/price.json',
      `GET ${ENDPOINT}/price.json`,
      `POST ${ENDPOINT}/cert.info`,
    ])
  })

  it('keeps them: the vendor is asked once, by any process, until they expire or are asked for anew', async () => {
    const { buyer, orderId } = await buyOne()
    const first = await buyer.collect(orderId)
    const asked = market.requests.length
    assert.deepEqual(await market.start().buyer.collect(orderId), first)
    assert.equal(market.requests.length, asked)
    await buyer.collect(orderId, { refresh: true })
    assert.ok(market.requests.length > asked)
  })

  it('asks by GET where a vendor knows no POST', async () => {
    const { buyer, orderId } = await buyOne()
    market.answer = async (request, honest) =>
      request.method === 'POST' ? new Response('no', { status: 405 }) : honest(request)
    assert.deepEqual((await buyer.collect(orderId)).servers, SERVERS)
    assert.equal(market.requests.at(-1), `GET ${ENDPOINT}/cert.info`)
  })

  it('waits for a vendor that has not seen the payment yet, and says so', async () => {
    const { buyer, orderId } = await buyOne()
    let refusals = 3
    market.answer = async (request, honest) => (isCertInfo(request) && refusals-- > 0 ? notPaid() : honest(request))
    const told: string[] = []
    const { servers } = await buyer.collect(orderId, { tell: (sentence) => told.push(sentence) })
    assert.deepEqual(servers, SERVERS)
    assert.equal(told.length, 3)
    assert.match(told[0] ?? '', /not seen the payment confirmed yet; asking again in \d+ s/)
  })

  it('gives up waiting at the bound, with a fault that passes', async () => {
    const { buyer, orderId } = await buyOne()
    market.answer = async (request, honest) => (isCertInfo(request) ? notPaid() : honest(request))
    const startMs = market.clock.nowMs()
    await assert.rejects(buyer.collect(orderId, { waitMs: 60_000 }), { code: 'ERR_NOT_YET_CONFIRMED', retryable: true })
    assert.ok(market.clock.nowMs() - startMs <= 60_000)
  })

  it('makes a new code for each try', async () => {
    const { buyer, orderId } = await buyOne()
    const nonces: (string | undefined)[] = []
    market.answer = async (request, honest) => {
      if (!isCertInfo(request)) return honest(request)
      nonces.push((await openAtVendor(market, await request.text())).nonce)
      return notPaid()
    }
    await assert.rejects(buyer.collect(orderId, { waitMs: 30_000 }))
    assert.ok(nonces.length > 2)
    assert.equal(new Set(nonces).size, nonces.length)
  })

  it('asks by the time of the vendor when its own clock is behind: one that just started takes nothing older', async () => {
    const { orderId } = await buyOne()
    await market.passSeconds(1)
    const startedAtSeconds = nowSeconds() - 1
    market.answer = async (request, honest) => {
      if (!isCertInfo(request)) return honest(request)
      const { tsSeconds } = await openAtVendor(market, await request.clone().text())
      return tsSeconds > startedAtSeconds ? honest(request) : new Response('too old', { status: 409 })
    }
    const { buyer } = market.start({ behindMs: 120_000 })
    assert.deepEqual((await buyer.collect(orderId, { waitMs: 0 })).servers, SERVERS)
  })

  it('takes no answer of another order', async () => {
    const { buyer, orderId } = await buyOne()
    market.answer = async (request, honest) => {
      if (!isCertInfo(request)) return honest(request)
      const opened = await openAtVendor(market, await request.text())
      return new Response(await sealFor(market, opened, nowSeconds(), { orderId: `0x${'ab'.repeat(32)}` }))
    }
    await assert.rejects(buyer.collect(orderId), { code: 'ERR_ANSWER_OF_OTHER_ORDER' })
  })

  it('takes no answer to an earlier question', async () => {
    const { buyer, orderId } = await buyOne()
    let recorded: string | undefined
    market.answer = async (request, honest) => {
      if (!isCertInfo(request)) return honest(request)
      const answer = await (await honest(request)).text()
      recorded ??= answer
      return new Response(recorded)
    }
    await buyer.collect(orderId)
    await assert.rejects(buyer.collect(orderId, { refresh: true }), { code: 'ERR_NONCE' })
  })

  it('tells a vendor nothing whose price document is not by the registered key', async () => {
    const { buyer, orderId } = await buyOne()
    market.answer = async (request, honest) => {
      const document = (await (await honest(request)).json()) as { content: { brandinfo: object } }
      return Response.json({ ...document, content: { ...document.content, ts: nowSeconds() - 400 } })
    }
    await assert.rejects(buyer.collect(orderId), { code: 'ERR_VENDOR_UNTRUSTED', retryable: false })
    assert.equal(
      market.requests.some((request) => request.includes('cert.info')),
      false,
    )
  })

  it('shows a refusal in one line without control characters', async () => {
    const { buyer, orderId } = await buyOne()
    const problem = { code: 'ERR_X', title: 'No\u001b[2J', detail: 'because\nof you' }
    market.answer = async (request, honest) =>
      isCertInfo(request) ? Response.json(problem, { status: 403 }) : honest(request)
    await assert.rejects(buyer.collect(orderId), {
      code: 'ERR_VENDOR_REFUSED',
      message: 'the vendor refuses: No[2J: because of you',
    })
  })

  it('outlasts a vendor that is away for a while', async () => {
    const { buyer, orderId } = await buyOne()
    let failures = 4
    market.answer = async (request, honest) => {
      if (failures-- > 0) throw Object.assign(new Error('slow'), { code: 'ERR_NETWORK_TIMEOUT', retryable: true })
      return honest(request)
    }
    assert.deepEqual((await buyer.collect(orderId)).servers, SERVERS)
  })

  it('does not ask for an order whose time is over', async () => {
    const { buyer, orderId } = await buyOne()
    await market.passSeconds(3601)
    const asked = market.requests.length
    await assert.rejects(buyer.collect(orderId), { code: 'ERR_ORDER_NOT_RUNNING' })
    assert.equal(market.requests.length, asked)
  })

  it('turns whatever a server sends into an error with a code', async () => {
    const { buyer, orderId } = await buyOne()
    const answer = fc.record({
      path: fc.constantFrom('/base/price.json', '/base/cert.info'),
      status: fc.constantFrom(200, 400, 402, 404, 418, 500),
      body: fc.oneof(
        fc.string(),
        fc.json(),
        fc.base64String().map((text) => `${text}.${text}.a.b.c`),
      ),
    })
    await fc.assert(
      fc.asyncProperty(answer, async ({ path, status, body }) => {
        market.answer = async (request, honest) =>
          new URL(request.url).pathname === path ? new Response(body, { status }) : honest(request)
        await assert.rejects(buyer.collect(orderId, { waitMs: 0 }), { code: /^ERR_/ })
        const { endpoints } = await buyer.show('1')
        assert.equal(endpoints.length, 2)
      }),
      { numRuns: 60 },
    )
  })

  it('ends at once when interrupted', async () => {
    const { buyer, orderId } = await buyOne()
    market.answer = async (request, honest) => (isCertInfo(request) ? notPaid() : honest(request))
    const controller = new AbortController()
    const collecting = buyer.collect(orderId, {
      signal: controller.signal,
      tell: () => controller.abort(new Error('stop')),
    })
    await assert.rejects(collecting, /stop/)
  })
})

describe('cancelling', () => {
  const REFUND_TO = '0x70997970C51812dc3A010C7d01b50e0d17dc79C8'

  it('returns what is not used to any account, by the wei, and forgets the credentials', async () => {
    const { buyer, orderId } = await buyOne()
    await buyer.collect(orderId)
    await market.passSeconds(900)
    const beforeWei = await market.balanceWei(REFUND_TO.toLowerCase() as Parameters<TestMarket['balanceWei']>[0])
    const { refunded } = await buyer.cancel(orderId, REFUND_TO)
    const afterWei = await market.balanceWei(REFUND_TO.toLowerCase() as Parameters<TestMarket['balanceWei']>[0])
    assert.equal(afterWei - beforeWei, refunded)
    assert.ok(refunded > 0n && refunded < 27_001n)
    const [order] = await buyer.orders()
    assert.equal(order?.standing, 'cancelled')
    assert.equal(order?.hasCredentials, false)
    await assert.rejects(buyer.collect(orderId), { code: 'ERR_ORDER_NOT_RUNNING' })
    await assert.rejects(buyer.cancel(orderId, REFUND_TO), { code: 'ERR_ORDER_NOT_RUNNING' })
  })

  it('is refused for what was paid at once', async () => {
    const { buyer, orderId } = await buyOne(2)
    await assert.rejects(buyer.cancel(orderId, REFUND_TO), { code: 'ERR_NOT_REFUNDABLE' })
  })

  it('is refused to an address with a mistyped character, and to the zero address', async () => {
    const { buyer, orderId } = await buyOne()
    for (const wrong of [REFUND_TO.replace('C51', 'c51'), `0x${'0'.repeat(40)}`, '0x12', 'me']) {
      await assert.rejects(buyer.cancel(orderId, wrong), { code: 'ERR_ADDRESS_INVALID' })
    }
  })
})

describe('showing a vendor', () => {
  it('gives its listing and says which endpoint can be trusted, with its words made safe', async () => {
    const view = await market.start().buyer.show('1')
    assert.equal(view.vendor, market.vendor)
    assert.equal(view.profile.title, 'Flying[31m Ghost')
    assert.equal(view.listing.plans.length, 2)
    assert.deepEqual(
      view.endpoints.map(({ endpoint, outcome }) => [endpoint, outcome]),
      [
        ['http://gone.example', 'unreachable'],
        [ENDPOINT, 'acceptable'],
      ],
    )
  })

  it('does not ask for the passphrase', async () => {
    const settings = { passphrase: () => Promise.reject(new Error('asked')) }
    await market.start({ settings }).buyer.show('1')
    await market.start({ settings }).buyer.search({})
  })
})

describe('searching without a directory', () => {
  it('reads the contract, and finds words of title, description and type', async () => {
    const { buyer } = market.start()
    for (const text of ['', 'ghost', 'QUICK flying', 'proxy']) {
      const { source, found, complete } = await buyer.search({ text })
      assert.deepEqual([source, found.length, complete], ['contract', 1, true], text)
      assert.deepEqual(
        found[0]?.plans.map(({ title }) => title),
        ['hour', 'hour, at once'],
      )
    }
    assert.equal((await buyer.search({ text: 'ghost relay' })).found.length, 0)
    assert.equal((await buyer.search({ serviceType: 'relay' })).found.length, 0)
  })

  it('is what happens when the directory fails, which it says', async () => {
    const { buyer } = market.start({ settings: { directory: 'http://directory.example' } })
    const result = await buyer.search({})
    assert.equal(result.source, 'contract')
    assert.match(result.directoryFault ?? '', /does not answer/)
    assert.equal(result.found.length, 1)
  })
})
