import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { turn } from '../effects/turn-node.ts'
import { base64url } from '../protocol/bytes.ts'
import { createJose } from '../protocol/jose.ts'
import { readReceipt, readSignedReceipt } from '../protocol/payment-receipt.ts'
import type { VoucherClaims } from '../protocol/voucher.ts'
import {
  channelPayer,
  createChannelRail,
  createKeyRail,
  createSpender,
  HOST,
  keyPayer,
  NOW,
  offersOf,
  requestOf,
  seal,
  serviceKeys,
  startGateway,
  VENDOR,
  type TestGateway,
  type TestGatewayOptions,
  type TestPayer,
  type TestRail,
} from './testing.ts'
import type { Incoming } from './vouchers.ts'

const alice = keyPayer(3)
const bob = keyPayer(4)

const started = async (t: TestContext, options: TestGatewayOptions = {}) => {
  const service = await startGateway(options)
  t.after(() => service.stop())
  return service
}

/** A gateway of one rail, and a payer with money there. */
const funded = async (t: TestContext, amount = 1_000n, options: TestGatewayOptions = {}) => {
  const rail = createKeyRail()
  const service = await started(t, { rails: { test: rail }, ...options })
  await service.credit(rail, alice, amount)
  return { rail, ...withFetch(service), spender: await createSpender(alice) }
}

const withFetch = (service: Awaited<ReturnType<typeof startGateway>>) => ({
  service,
  fetch: (request: Request) => service.fetch(request),
})

/** What a server asks the gateway about a request. */
const incomingOf = ({ url, method, headers }: Request): Incoming => ({
  method,
  target: url.slice(url.indexOf('/', 'http://'.length)),
  host: HOST,
  header: (name) => headers.get(name) ?? undefined,
  headers: () => headers,
})

/** A gateway whose charges wait until a test lets them be written. */
const withGate = async (t: TestContext, options: TestGatewayOptions = {}) => {
  let gate = Promise.resolve()
  let open = () => {}
  t.after(() => open())
  const all = await funded(t, 1_000n, { ...options, turn: () => gate.then(turn) })
  return {
    ...all,
    admit: (request: Request) => all.service.gateway.admit(incomingOf(request)),
    /** Once nothing is being written. @returns what opens it again */
    async shut() {
      for (let turns = 0; turns < 5; turns++) await turn()
      const opening = Promise.withResolvers<void>()
      gate = opening.promise
      open = opening.resolve
      return open
    },
  }
}

const problem = async (response: Response) => {
  assert.equal(response.headers.get('content-type'), 'application/problem+json')
  return (await response.json()) as { code: string; status: number; detail: string; [name: string]: unknown }
}

const refused = async (response: Response, status: number, code: string) => {
  const told = await problem(response)
  assert.deepEqual([response.status, told.status, told.code], [status, status, code], told.detail)
  assert.ok(told.detail.length > 10)
  return told
}

const withVoucher = (voucher: string, payer: TestPayer = alice, target = '/a', method = 'GET') =>
  requestOf(method, target, {
    host: HOST,
    'payment-account-currency': payer.currency,
    'payment-account-address': payer.account,
    'payment-voucher': voucher,
  })

describe('SEED 004 402 Response Payload', () => {
  it('serviceAccount and hostname, with the signed ways to pay', async (t) => {
    const service = await started(t)
    const response = await service.fetch(requestOf('GET', '/a?b=c', { host: HOST }))
    assert.equal(response.status, 402)
    const { body, offers } = await offersOf(response)
    assert.equal(body.serviceAccount, 'service-account')
    assert.equal(body.hostname, HOST)
    assert.equal(body.code, 'ERR_PAYMENT_REQUIRED')
    assert.equal(offers.vendor, VENDOR)
    assert.equal(offers.route, '* /*')
    assert.equal(offers.per, 'access')
    assert.deepEqual(
      [offers.refundEndpoint, offers.voucherEndpoint, offers.usageEndpoint],
      ['/refund', '/vouchers', '/usage'],
    )
    assert.deepEqual(
      offers.offers.map(({ scheme, currency, decimals, price, serviceAccount }) => ({
        scheme,
        currency,
        decimals,
        price,
        serviceAccount,
      })),
      [{ scheme: 'order', currency: 'TEST', decimals: 4, price: '100', serviceAccount: 'service-account' }],
    )
  })

  it('names the host of the settings when the request names another', async (t) => {
    const service = await started(t)
    const response = await service.fetch(requestOf('GET', '/a', { host: 'evil.example' }))
    assert.equal((await problem(response)).hostname, HOST)
  })
})

describe('SEED 004 Headers', () => {
  it('of an answer: Content-Cost, -Account-Address, -Cost-Per, -Cost-Currency and Payment-Refund-Endpoint', async (t) => {
    const { fetch, spender } = await funded(t)
    for (const response of [
      await fetch(spender.ask('GET', '/a')),
      await fetch(requestOf('HEAD', '/a', { host: HOST })),
      await fetch(requestOf('GET', '/a', { host: HOST })),
    ]) {
      assert.equal(response.headers.get('Content-Cost'), '0.01')
      assert.equal(response.headers.get('Content-Account-Address'), 'service-account')
      assert.equal(response.headers.get('Content-Cost-Per'), 'access')
      assert.equal(response.headers.get('Content-Cost-Currency'), 'TEST')
      assert.equal(response.headers.get('Payment-Refund-Endpoint'), '/refund')
    }
  })

  it('of a request: the account is the one that the headers name, or the voucher alone', async (t) => {
    const { fetch, spender } = await funded(t)
    assert.equal((await fetch(spender.ask('GET', '/a'))).status, 200)
    const without = spender.ask('GET', '/a')
    without.headers.delete('payment-account-address')
    without.headers.delete('payment-account-currency')
    assert.equal((await fetch(without)).status, 200)
    const other = spender.ask('GET', '/a', { headers: { 'payment-account-address': bob.account } })
    await refused(await fetch(other), 403, 'ERR_VOUCHER_ACCOUNT')
    const currency = spender.ask('GET', '/a', { headers: { 'payment-account-currency': 'NANO' } })
    await refused(await fetch(currency), 403, 'ERR_VOUCHER_ACCOUNT')
  })

  it('SEED 004 Payment Manager: usage in real time, balance and receipt on each answer', async (t) => {
    const { fetch, spender } = await funded(t)
    for (const n of [1, 2, 3]) {
      const { headers } = await fetch(spender.ask('GET', '/a'))
      assert.equal(
        headers.get('Payment-Account-Balance'),
        `0.${10 - n}`.replace(/^0\.(\d)$/, (_, digit: string) => `0.0${digit}`),
      )
      assert.equal(headers.get('Payment-Account-Usage'), `0.0${n}`)
      const receipt = readReceipt(headers.get('Payment-Receipt') ?? '', spender.key)
      assert.deepEqual(
        [receipt.n, receipt.cost, receipt.usage, receipt.balance],
        [n, 100n, BigInt(n) * 100n, 1000n - BigInt(n) * 100n],
      )
      assert.deepEqual(
        [receipt.account, receipt.currency, receipt.host, receipt.ts],
        [alice.account, 'TEST', HOST, NOW],
      )
    }
  })

  it('a receipt for others is signed by the vendor, on demand', async (t) => {
    const { fetch, spender } = await funded(t)
    const asked = spender.ask('GET', '/a', { headers: { prefer: 'payment-receipt=RS256' } })
    const receipt = (await fetch(asked)).headers.get('Payment-Receipt') ?? ''
    const read = await readSignedReceipt(createJose(), receipt, serviceKeys.signing.publicKey)
    assert.deepEqual([read.cost, read.usage], [100n, 100n])
  })
})

describe('SEED 004 HTTP Methods', () => {
  it('HEAD and OPTIONS are free and tell the cost', async (t) => {
    const { service, fetch } = await funded(t)
    for (const method of ['HEAD', 'OPTIONS']) {
      const response = await fetch(requestOf(method, '/a', { host: HOST }))
      assert.equal(response.status, 200)
      assert.equal(response.headers.get('Content-Cost'), '0.01')
    }
    assert.ok(service.gateway.ready())
  })

  it('GET, POST, PUT, PATCH and DELETE cost', async (t) => {
    const { fetch, spender } = await funded(t)
    for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE']) {
      assert.equal((await fetch(requestOf(method, '/a', { host: HOST }))).status, 402, method)
      assert.equal((await fetch(spender.ask(method, '/a'))).status, 200, method)
    }
    const { headers } = await fetch(spender.ask('GET', '/a'))
    assert.equal(headers.get('Payment-Account-Usage'), '0.06')
  })

  for (const [method, target] of [
    ['REFUND', '/anything'],
    ['POST', '/refund'],
  ] as const) {
    it(`${method} ${target} gives the rest back, once, to the address that the request names`, async (t) => {
      const { rail, service, fetch, spender } = await funded(t)
      await fetch(spender.ask('GET', '/a'))
      const request = await seal(alice, { purpose: 'refund', to: 'to-elsewhere', exp: NOW + 600 })
      const response = await fetch(requestOf(method, target, { host: HOST, 'payment-voucher': request }))
      assert.equal(response.status, 202)
      const told = (await response.json()) as Record<string, unknown>
      assert.deepEqual([told.amount, told.currency, told.to, told.state], ['900', 'TEST', 'to-elsewhere', 'pending'])
      await eventually(() => rail.refunds.length === 1)
      assert.deepEqual(
        [rail.refunds[0]?.amount, rail.refunds[0]?.to, rail.refunds[0]?.id],
        [900n, 'to-elsewhere', told.refund],
      )
      await eventually(async () => {
        const state = await fetch(requestOf('GET', response.headers.get('location') ?? '', { host: HOST }))
        return ((await state.json()) as { state: string }).state === 'paid'
      })
      const again = await fetch(requestOf(method, target, { host: HOST, 'payment-voucher': request }))
      await refused(again, 409, 'ERR_REFUND_REPLAYED')
      await service.restart()
      const later = await fetch(requestOf(method, target, { host: HOST, 'payment-voucher': request }))
      await refused(later, 409, 'ERR_REFUND_REPLAYED')
      assert.equal(rail.refunds.length, 1)
      await refused(await fetch(spender.ask('GET', '/a')), 409, 'ERR_VOUCHER_RESTARTED')
      const fresh = await createSpender(alice)
      await refused(await fetch(fresh.ask('GET', '/a')), 402, 'ERR_BALANCE_SHORT')
    })
  }
})

describe('SEED 004 Client: the Service Voucher Refund (SVR)', () => {
  const ask = async (change: Partial<VoucherClaims>) =>
    requestOf(
      'POST',
      '/refund',
      { host: HOST },
      await seal(alice, { purpose: 'refund', to: 'to-me', exp: NOW + 600, ...change }),
    )

  it('may ask for a part, comes as a body as well, and leaves the rest to be used', async (t) => {
    const { rail, fetch, spender } = await funded(t)
    const response = await fetch(await ask({ amount: '300' }))
    assert.equal(((await response.json()) as { amount: string }).amount, '300')
    await eventually(() => rail.refunds.length === 1)
    assert.equal((await fetch(spender.ask('GET', '/a'))).headers.get('Payment-Account-Balance'), '0.06')
  })

  it('is refused for more than there is, by another key, to no address, and when it lives too long', async (t) => {
    const { rail, fetch } = await funded(t)
    const told = await refused(await fetch(await ask({ amount: '1001' })), 409, 'ERR_REFUND_AMOUNT')
    assert.equal(told.refundable, '1000')
    await refused(await fetch(await ask({ to: 'nowhere' })), 400, 'ERR_REFUND_ADDRESS')
    await refused(await fetch(await ask({ exp: NOW + 601 })), 403, 'ERR_VOUCHER_TOO_LONG')
    const forged = await seal({ ...bob, account: alice.account }, { purpose: 'refund', to: 'to-bob', exp: NOW + 600 })
    await refused(await fetch(requestOf('POST', '/refund', { host: HOST }, forged)), 403, 'ERR_VOUCHER_ACCOUNT')
    assert.equal(rail.refunds.length, 0)
  })

  it('is no payment, and a payment voucher is no refund request', async (t) => {
    const { fetch, spender } = await funded(t)
    const svr = await seal(alice, { purpose: 'refund', to: 'to-me', exp: NOW + 600 })
    await refused(await fetch(withVoucher(svr)), 400, 'ERR_VOUCHER_PURPOSE')
    await refused(
      await fetch(requestOf('POST', '/refund', { host: HOST }, spender.voucher)),
      400,
      'ERR_VOUCHER_PURPOSE',
    )
  })

  it('is paid once although the rail fails and the gateway starts anew in between', async (t) => {
    const { rail, service, fetch } = await funded(t)
    rail.refundOutcome = 'later'
    await fetch(await ask({}))
    await service.restart()
    rail.refundOutcome = 'paid'
    await service.restart()
    await eventually(() => rail.refunds.length === 1)
    await service.restart()
    assert.equal(rail.refunds.length, 1)
  })

  it('goes back to the account when it can never be paid', async (t) => {
    const { rail, fetch } = await funded(t)
    rail.refundOutcome = 'never'
    const response = await fetch(await ask({}))
    const location = response.headers.get('location') ?? ''
    await eventually(async () => {
      const state = await fetch(requestOf('GET', location, { host: HOST }))
      return ((await state.json()) as { state: string }).state === 'failed'
    })
    const spender = await createSpender(alice)
    assert.equal((await fetch(spender.ask('GET', '/a'))).status, 200)
  })

  it('of a channel: less can be signed than before, so that the rest is free', async (t) => {
    const rail = createChannelRail()
    const payer = channelPayer(5)
    const service = await started(t, { rails: { channel: rail }, settings: { price: '0.0001' } })
    await service.credit(rail, payer, 1_000n)
    const spender = await createSpender(payer, { cumulative: '500', signature: `0x${'11'.repeat(65)}` })
    assert.equal((await service.fetch(spender.ask('GET', '/a'))).status, 200)
    const svr = await seal(payer, {
      purpose: 'refund',
      to: 'to-me',
      exp: NOW + 600,
      cumulative: '100',
      signature: `0x${'12'.repeat(65)}`,
    })
    const response = await service.fetch(requestOf('REFUND', '/', { host: HOST, 'payment-voucher': svr }))
    assert.equal(((await response.json()) as { amount: string }).amount, '900')
  })
})

describe('SEED 004 Service Voucher Payment: a wrong voucher', () => {
  const cases: readonly (readonly [name: string, status: number, code: string, change: Partial<VoucherClaims>])[] = [
    ['of another host', 403, 'ERR_VOUCHER_HOST', { host: 'api.example.org' }],
    ['that has expired', 403, 'ERR_VOUCHER_EXPIRED', { exp: NOW }],
    ['that lives too long', 403, 'ERR_VOUCHER_TOO_LONG', { exp: NOW + 86_401 }],
    ['of the future', 403, 'ERR_VOUCHER_EARLY', { iat: NOW + 301 }],
    ['of a currency that is not taken', 400, 'ERR_PAYMENT_HEADERS', { currency: 'NANO' }],
    ['of an account of another form', 400, 'ERR_PAYMENT_HEADERS', { account: 'nano_1' }],
    ["of an account that is another's", 403, 'ERR_VOUCHER_ACCOUNT', { account: bob.account }],
  ]
  for (const [name, status, code, change] of cases) {
    it(`${name} is refused as ${code}`, async (t) => {
      const { fetch } = await funded(t)
      await refused(await fetch(withVoucher(await seal(alice, change))), status, code)
    })
  }

  it('that is not encrypted to the service is refused as ERR_VOUCHER_ENCRYPTION', async (t) => {
    const { fetch, spender } = await funded(t)
    await refused(await fetch(withVoucher('no.jwe')), 400, 'ERR_VOUCHER_ENCRYPTION')
    const cut = spender.voucher.slice(0, -4)
    await refused(await fetch(withVoucher(cut)), 400, 'ERR_VOUCHER_ENCRYPTION')
    await refused(await fetch(withVoucher('A'.repeat(7_000))), 400, 'ERR_VOUCHER_SHAPE')
  })

  it('that is not signed by the key in its header is refused as ERR_VOUCHER_SIGNATURE', async (t) => {
    const { fetch } = await funded(t)
    const forged = { ...alice, signer: { header: alice.signer.header, sign: bob.signer.sign } }
    await refused(await fetch(withVoucher(await seal(forged))), 403, 'ERR_VOUCHER_SIGNATURE')
  })

  it('of an account that nobody paid into is refused as ERR_BALANCE_SHORT, with offers', async (t) => {
    const { fetch } = await funded(t)
    const response = await fetch(withVoucher(await seal(bob), bob))
    assert.equal(response.status, 402)
    const { body, offers } = await offersOf(response)
    assert.equal(body.code, 'ERR_BALANCE_SHORT')
    assert.equal(offers.offers.length, 1)
  })

  it('is not taken under a Host that the service does not have, even where both agree', async (t) => {
    const { fetch } = await funded(t)
    const stolen = await seal(alice, { host: 'evil.example' })
    const request = requestOf('GET', '/a', { host: 'evil.example', 'payment-voucher': stolen })
    await refused(await fetch(request), 403, 'ERR_VOUCHER_HOST')
  })

  it('when the balance is short the answer says how much is missing', async (t) => {
    const { fetch, spender } = await funded(t, 150n)
    assert.equal((await fetch(spender.ask('GET', '/a'))).status, 200)
    const told = await refused(await fetch(spender.ask('GET', '/a')), 402, 'ERR_BALANCE_SHORT')
    assert.match(told.detail, /0\.005 TEST more/)
  })

  it('expires while it is known', async (t) => {
    const { service, fetch, spender } = await funded(t)
    assert.equal((await fetch(spender.ask('GET', '/a'))).status, 200)
    service.clock.nowMs += 3600_000
    await refused(await fetch(spender.ask('GET', '/a')), 403, 'ERR_VOUCHER_EXPIRED')
  })

  it('of an account that is being closed is refused as ERR_ACCOUNT_SUSPENDED', async (t) => {
    const { rail, fetch, spender } = await funded(t)
    const deposits = await rail.deposits()
    await deposits.suspend(alice.account, true)
    await refused(await fetch(spender.ask('GET', '/a')), 403, 'ERR_ACCOUNT_SUSPENDED')
    await deposits.suspend(alice.account, false)
    assert.equal((await fetch(spender.ask('GET', '/a'))).status, 200)
  })

  it('pays no longer once its deposit is undone', async (t) => {
    const { rail, service, fetch, spender } = await funded(t, 1_000n)
    await service.credit(rail, alice, 500n, 'undone')
    assert.equal((await fetch(spender.ask('GET', '/a'))).headers.get('Payment-Account-Balance'), '0.14')
    const deposits = await rail.deposits()
    await Promise.all([deposits.revoke('undone'), deposits.revoke('deposit-1')])
    assert.equal((await fetch(spender.ask('GET', '/a'))).status, 402)
    await deposits.debit({ id: 'withdrawal', account: alice.account, amount: 10n })
    await service.credit(rail, alice, 211n)
    assert.equal((await fetch(spender.ask('GET', '/a'))).headers.get('Payment-Account-Balance'), '0.0001')
  })
})

describe('a voucher without a key', () => {
  it('is good for one request, also after a restart', async (t) => {
    const { service, fetch } = await funded(t)
    const voucher = await seal(alice)
    assert.equal((await fetch(withVoucher(voucher))).status, 200)
    await refused(await fetch(withVoucher(voucher)), 409, 'ERR_VOUCHER_USED')
    await service.restart()
    await refused(await fetch(withVoucher(voucher)), 409, 'ERR_VOUCHER_USED')
  })

  it('is good for one of many that come at once', async (t) => {
    const { fetch } = await funded(t)
    const voucher = await seal(alice)
    const answers = await Promise.all(Array.from({ length: 8 }, () => fetch(withVoucher(voucher))))
    assert.equal(answers.filter(({ status }) => status === 200).length, 1)
  })

  it('was not used by a request that was not served', async (t) => {
    let fails = true
    const handler = () => new Response('', { status: fails ? 503 : 200 })
    const { fetch } = await funded(t, 1_000n, { handler })
    const voucher = await seal(alice)
    assert.equal((await fetch(withVoucher(voucher))).status, 503)
    fails = false
    const response = await fetch(withVoucher(voucher))
    assert.deepEqual([response.status, response.headers.get('Payment-Account-Usage')], [200, '0.01'])
  })

  it("may have the seed's own claims alone, host and exp, where the headers name the account", async (t) => {
    const { fetch } = await funded(t)
    const minimal = { iat: undefined, jti: undefined, account: undefined, currency: undefined } as never
    const voucher = await seal(alice, minimal)
    assert.equal((await fetch(withVoucher(voucher))).status, 200)
    // Encrypted anew it is the same voucher.
    const again = await seal(alice, minimal)
    assert.notEqual(again, voucher)
    await refused(await fetch(withVoucher(again)), 409, 'ERR_VOUCHER_USED')
    const nameless = requestOf('GET', '/a', {
      host: HOST,
      'payment-voucher': await seal(alice, { ...(minimal as object), exp: NOW + 9 }),
    })
    await refused(await fetch(nameless), 400, 'ERR_PAYMENT_HEADERS')
  })
})

describe('a voucher with a key', () => {
  it('pays for many requests, each proved, in about any sequence', async (t) => {
    const { fetch, spender } = await funded(t)
    const requests = Array.from({ length: 8 }, () => spender.ask('GET', '/a'))
    const answers = await Promise.all(requests.toReversed().map((request) => fetch(request)))
    assert.ok(answers.every(({ status }) => status === 200))
  })

  it('pays for none without proof, with the proof of another, or with one that was seen', async (t) => {
    const { fetch, spender } = await funded(t)
    const without = spender.ask('GET', '/a')
    without.headers.delete('payment-proof')
    await refused(await fetch(without), 403, 'ERR_PROOF_MISSING')
    const shapeless = spender.ask('GET', '/a', { headers: { 'payment-proof': '1' } })
    await refused(await fetch(shapeless), 400, 'ERR_PROOF_SHAPE')
    const proof = spender.ask('GET', '/a').headers.get('payment-proof') ?? ''
    for (const [method, target, headers] of [
      ['GET', '/b', {}],
      ['GET', '/a?b', {}],
      ['POST', '/a', {}],
      ['GET', '/a', { 'idempotency-key': 'k' }],
      ['GET', '/a', { 'payment-amount': '1' }],
    ] as const) {
      const moved = spender.ask(method, target, { headers: { ...headers, 'payment-proof': proof } })
      await refused(await fetch(moved), 403, 'ERR_PROOF_WRONG')
    }
    const first = spender.ask('GET', '/a')
    assert.equal((await fetch(first.clone())).status, 200)
    await refused(await fetch(first), 409, 'ERR_PROOF_REPLAYED')
  })

  it('has to be made anew after a restart', async (t) => {
    const { service, fetch, spender } = await funded(t)
    assert.equal((await fetch(spender.ask('GET', '/a'))).status, 200)
    await service.restart()
    await refused(await fetch(spender.ask('GET', '/a')), 409, 'ERR_VOUCHER_RESTARTED')
    const fresh = await createSpender(alice)
    assert.equal((await fetch(fresh.ask('GET', '/a'))).headers.get('Payment-Account-Usage'), '0.02')
  })

  it('proves the body too, which has to be the announced one to its last byte', async (t) => {
    const bodies: string[] = []
    const handler = async (request: Request) => {
      bodies.push(await request.text())
      return new Response('ok')
    }
    const { fetch, spender } = await funded(t, 1_000n, { handler })
    assert.equal((await fetch(spender.ask('POST', '/a', { body: 'pay 5' }))).status, 200)
    const honest = spender.ask('POST', '/a', { body: 'pay 5' })
    const changed = requestOf('POST', '/a', Object.fromEntries(honest.headers), 'pay 500')
    await refused(await fetch(changed), 400, 'ERR_BODY_DIGEST')
    assert.deepEqual(bodies, ['pay 5'])
    const usage = (await fetch(spender.ask('POST', '/a', { body: 'x' }))).headers.get('Payment-Account-Usage')
    assert.equal(usage, '0.02')
  })
})

describe('a voucher with a key, sent at once in two ways', () => {
  it('is refused in any spelling but the one of base64url', async (t) => {
    const { fetch, spender } = await funded(t)
    const digits = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
    // The last bits of the tag spell nothing.
    const last = digits[digits.indexOf(spender.voucher.at(-1) ?? '') + 1] ?? ''
    const other = spender.ask('GET', '/a', { headers: { 'payment-voucher': spender.voucher.slice(0, -1) + last } })
    await refused(await fetch(other), 400, 'ERR_VOUCHER_ENCRYPTION')
  })

  it('has one window of counters: a recorded request is served once', async (t) => {
    const { fetch } = await funded(t)
    const jti = 'A'.repeat(22)
    const spender = await createSpender(alice, { jti })
    const asked = spender.ask('GET', '/a')
    const replayed = new Request(asked)
    replayed.headers.set('payment-voucher', await seal(alice, { jti, key: base64url.encode(spender.key) }))
    const answers = await Promise.all([fetch(asked), fetch(replayed)])
    assert.equal(answers.filter(({ status }) => status === 200).length, 1)
  })
})

describe('SEED 004 Client: a payment channel', () => {
  const payer = channelPayer(9)
  const channel = async (t: TestContext, amount = 1_000n) => {
    const rail = createChannelRail()
    const service = await started(t, { rails: { channel: rail }, settings: { price: '0.0001' } })
    await service.credit(rail, payer, amount)
    return { rail, ...withFetch(service) }
  }
  const spend = (cumulative: string, seed = '11') =>
    createSpender(payer, { cumulative, signature: `0x${seed.repeat(65)}` })

  it('is charged what is signed and no more, and says what has to be signed', async (t) => {
    const { fetch } = await channel(t)
    const spender = await spend('250')
    assert.equal((await fetch(spender.ask('GET', '/a'))).status, 200)
    assert.equal((await fetch(spender.ask('GET', '/a'))).status, 200)
    const response = await fetch(spender.ask('GET', '/a'))
    assert.equal(response.status, 402)
    const { body, offers } = await offersOf(response)
    assert.deepEqual([body.code, body.minimumCumulative], ['ERR_VOUCHER_USED_UP', '300'])
    assert.equal(offers.offers[0]?.scheme === 'channel' && offers.offers[0].minimumCumulative, '300')
    const more = await spend('300')
    assert.equal((await fetch(more.ask('GET', '/a'))).status, 200)
  })

  it('answers a lower total with the last voucher that was signed', async (t) => {
    const { service, fetch } = await channel(t)
    assert.equal((await fetch((await spend('500', '22')).ask('GET', '/a'))).status, 200)
    await service.restart()
    const told = await refused(await fetch((await spend('400')).ask('GET', '/a')), 409, 'ERR_VOUCHER_STALE')
    assert.deepEqual([told.cumulative, told.signature], ['500', `0x${'22'.repeat(65)}`])
  })

  it('says so when less is signed than was charged', async (t) => {
    const { fetch } = await channel(t)
    await refused(await fetch((await spend('99')).ask('GET', '/a')), 402, 'ERR_VOUCHER_USED_UP')
  })

  it('is charged no more than it holds, whatever is signed', async (t) => {
    const { fetch } = await channel(t, 150n)
    const spender = await spend('100000')
    assert.equal((await fetch(spender.ask('GET', '/a'))).status, 200)
    await refused(await fetch(spender.ask('GET', '/a')), 402, 'ERR_BALANCE_SHORT')
  })
})

describe('SEED 004 Jobs 1: one request for one response', () => {
  it('is charged when it succeeds', async (t) => {
    const statuses = [200, 201, 204, 301, 304, 400, 404, 500]
    let status = 200
    const handler = () => new Response(status === 204 || status === 304 ? null : 'x', { status })
    const { fetch, spender } = await funded(t, 1_000n, { handler })
    for (const each of statuses) {
      status = each
      const response = await fetch(spender.ask('GET', '/a'))
      assert.equal(response.status, each)
      assert.equal(response.headers.has('Payment-Receipt'), each < 300, String(each))
      assert.equal(response.headers.get('Content-Cost'), '0.01')
    }
    const usage = await fetch(spender.ask('GET', '/usage'))
    assert.equal(((await usage.json()) as { usage: string }).usage, '300')
  })

  it('is not charged when the service throws', async (t) => {
    let fails = true
    const handler = () => {
      if (fails) throw new Error('bug')
      return new Response('ok')
    }
    const { fetch, spender } = await funded(t, 1_000n, { handler })
    await refused(await fetch(spender.ask('GET', '/a')), 500, 'ERR_INTERNAL')
    fails = false
    assert.equal((await fetch(spender.ask('GET', '/a'))).headers.get('Payment-Account-Usage'), '0.01')
  })

  it('costs no more than Payment-Amount says', async (t) => {
    const { fetch, spender } = await funded(t)
    const cheap = spender.ask('GET', '/a', { headers: { 'payment-amount': '.009' } })
    await refused(await fetch(cheap), 402, 'ERR_COST_ABOVE_AMOUNT')
    const enough = spender.ask('GET', '/a', { headers: { 'payment-amount': '.01' } })
    assert.equal((await fetch(enough)).headers.get('Payment-Account-Usage'), '0.01')
    await refused(await fetch(spender.ask('GET', '/a', { headers: { 'payment-amount': 'all' } })), 400, 'ERR_DONATION')
  })

  it('with an Idempotency-Key is charged once, also after a restart, and answered a few times', async (t) => {
    let served = 0
    const { service, fetch, spender } = await funded(t, 1_000n, { handler: () => new Response(String(++served)) })
    const headers = { 'idempotency-key': 'order-1' }
    const usage = (response: Response) => response.headers.get('Payment-Account-Usage')
    assert.equal(usage(await fetch(spender.ask('POST', '/a', { headers, body: 'b' }))), '0.01')
    await service.restart()
    const fresh = await createSpender(alice)
    for (const _ of [1, 2, 3]) {
      const again = await fetch(fresh.ask('POST', '/a', { headers, body: 'b' }))
      assert.deepEqual([again.status, usage(again)], [200, '0.01'])
    }
    await refused(await fetch(fresh.ask('POST', '/a', { headers, body: 'b' })), 409, 'ERR_IDEMPOTENCY_SPENT')
    for (const other of [
      fresh.ask('POST', '/b', { headers, body: 'b' }),
      fresh.ask('POST', '/a', { headers, body: 'another' }),
      fresh.ask('GET', '/a', { headers }),
    ]) {
      await refused(await fetch(other), 422, 'ERR_IDEMPOTENCY_REUSED')
    }
    await refused(
      await fetch(fresh.ask('POST', '/b', { headers: { 'idempotency-key': 'a b' } })),
      400,
      'ERR_IDEMPOTENCY_KEY',
    )
    assert.equal(usage(await fetch(fresh.ask('GET', '/a'))), '0.02')
  })

  it('with an Idempotency-Key is charged each time where nothing says which body it has', async (t) => {
    const { service, spender } = await funded(t)
    const charge = async (method: string, headers: Record<string, string>) => {
      const request = spender.ask(method, '/a', { headers: { 'idempotency-key': 'order-1', ...headers } })
      const lines = await (await service.gateway.admit(incomingOf(request)))?.commit()
      return lines?.find(([name]) => name === 'Payment-Account-Usage')?.[1]
    }
    const chunked = { 'transfer-encoding': 'chunked' }
    assert.equal(await charge('POST', { 'content-length': '4' }), '0.01')
    assert.equal(await charge('POST', chunked), '0.02')
    assert.equal(await charge('PUT', {}), '0.03')
    assert.equal(await charge('GET', chunked), '0.04')
    assert.equal(await charge('POST', { 'content-length': '0' }), '0.05')
    assert.equal(await charge('POST', { 'content-length': '0' }), '0.05')
  })

  it('with an Idempotency-Key waits for the first request of that key', async (t) => {
    const gate = Promise.withResolvers<void>()
    const handler = () => gate.promise.then(() => new Response('ok'))
    const { fetch, spender } = await funded(t, 1_000n, { handler })
    const headers = { 'idempotency-key': 'order-1' }
    const first = fetch(spender.ask('GET', '/a', { headers }))
    await eventually(async () => {
      const second = await fetch(spender.ask('GET', '/a', { headers }))
      return ((await second.json()) as { code: string }).code === 'ERR_IDEMPOTENCY_BUSY'
    })
    gate.resolve()
    assert.equal((await first).status, 200)
  })
})

describe('a use that is given up while its charge is being written', () => {
  it('keeps its Idempotency-Key until the charge is there, so that a retry is not charged', async (t) => {
    const { spender, admit, shut, fetch } = await withGate(t)
    const ask = () => spender.ask('GET', '/a', { headers: { 'idempotency-key': 'order-1' } })
    const use = await admit(ask())
    const open = await shut()
    const committing = use?.commit()
    const releasing = use?.release()
    await turn()
    await assert.rejects(admit(ask()), { code: 'ERR_IDEMPOTENCY_BUSY' })
    open()
    await Promise.all([committing, releasing])
    assert.equal((await fetch(ask())).headers.get('Payment-Account-Usage'), '0.01')
  })

  it('keeps its voucher that is good for one request', async (t) => {
    const { admit, shut } = await withGate(t)
    const voucher = await seal(alice)
    const use = await admit(withVoucher(voucher))
    const open = await shut()
    const committing = use?.commit()
    const releasing = use?.release()
    await assert.rejects(admit(withVoucher(voucher)), { code: 'ERR_VOUCHER_USED' })
    open()
    await Promise.all([committing, releasing])
    await assert.rejects(admit(withVoucher(voucher)), { code: 'ERR_VOUCHER_USED' })
  })

  it('frees nothing that another request holds by then', async (t) => {
    const { spender, admit } = await withGate(t)
    const ask = () => spender.ask('GET', '/a', { headers: { 'idempotency-key': 'order-1' } })
    const first = await admit(ask())
    await first?.release()
    const second = await admit(ask())
    await first?.release()
    await assert.rejects(admit(ask()), { code: 'ERR_IDEMPOTENCY_BUSY' })
    await assert.rejects(async () => first?.commit(), /ends once/)
    await second?.commit()
  })
})

describe('SEED 004 Headers: Content-Cost-Per once', () => {
  it('is paid by the first request of an account for a path, until it is refunded', async (t) => {
    const rail = createKeyRail()
    const service = await started(t, { rails: { test: rail }, settings: { per: 'once' } })
    await service.credit(rail, alice, 1_000n)
    await service.credit(rail, bob, 1_000n)
    const [mine, theirs] = [await createSpender(alice), await createSpender(bob)]
    const usage = async (spender: typeof mine, target: string) =>
      (await service.fetch(spender.ask('GET', target))).headers.get('Payment-Account-Usage')
    assert.deepEqual(
      [await usage(mine, '/a'), await usage(mine, '/a?again'), await usage(mine, '/b'), await usage(theirs, '/a')],
      ['0.01', '0.01', '0.02', '0.01'],
    )
    await service.restart()
    const fresh = await createSpender(alice)
    assert.equal(await usage(fresh, '/a'), '0.02')
    const svr = await seal(alice, { purpose: 'refund', to: 'to-me', exp: NOW + 600, amount: '1' })
    assert.equal((await service.fetch(requestOf('POST', '/refund', { host: HOST }, svr))).status, 202)
    assert.equal(await usage(fresh, '/a'), '0.03')
  })
})

describe('a path that is paid once', () => {
  const settings = {
    price: undefined,
    routes: [
      { match: 'GET /:doc', price: '0.01', per: 'once' },
      { match: 'PUT /:doc', price: '0.05', per: 'once' },
    ],
  }
  const usageOf = (response: Response) => response.headers.get('Payment-Account-Usage')

  it('is paid for each price that it has', async (t) => {
    const { fetch, spender } = await funded(t, 1_000n, { settings })
    const usage = []
    for (const method of ['GET', 'PUT', 'GET', 'PUT']) usage.push(usageOf(await fetch(spender.ask(method, '/doc'))))
    assert.deepEqual(usage, ['0.01', '0.06', '0.06', '0.06'])
  })

  it('is paid by one of those that come at once; the others wait for it', async (t) => {
    const { fetch, spender } = await funded(t, 1_000n, { settings })
    const answers = await Promise.all([1, 2, 3, 4].map(() => fetch(spender.ask('GET', '/doc'))))
    assert.deepEqual(answers.map(usageOf), ['0.01', '0.01', '0.01', '0.01'])
  })

  it('is paid by the next when the first is not served', async (t) => {
    const { spender, admit } = await withGate(t, { settings })
    const first = await admit(spender.ask('GET', '/doc'))
    const second = admit(spender.ask('GET', '/doc'))
    await first?.release()
    const lines = await (await second)?.commit()
    assert.ok(lines?.some(([name, value]) => name === 'Payment-Account-Usage' && value === '0.01'))
  })
})

describe('SEED 004 Jobs 2: a stream over one connection', () => {
  /** 0.0001 TEST, one smallest unit, for each 100 bytes. */
  const settings = { per: 'bit', price: '0.000000125' }
  const stream = (sizes: readonly number[]) => () =>
    new Response(
      new ReadableStream<Uint8Array>({
        start(controller) {
          for (const size of sizes) controller.enqueue(new Uint8Array(size))
          controller.close()
        },
      }),
    )

  it('is charged for the bits that flow, rounded up once', async (t) => {
    const { service, fetch, spender } = await funded(t, 1_000_000n, { settings, handler: stream([1, 50, 1_000, 449]) })
    const response = await fetch(spender.ask('GET', '/a'))
    assert.equal(response.headers.get('Content-Cost-Per'), 'bit')
    assert.equal(response.headers.get('Content-Cost'), '0.000000125')
    assert.equal((await response.arrayBuffer()).byteLength, 1_500)
    const usage = await fetch(spender.ask('GET', '/usage'))
    assert.equal(((await usage.json()) as { usage: string }).usage, '15')
    assert.ok(service.gateway.ready())
  })

  it('ends where the money does, and is continued by more money', async (t) => {
    const { rail, service, fetch, spender } = await funded(t, 10n, { settings, handler: stream([600, 600, 600]) })
    const response = await fetch(spender.ask('GET', '/a'))
    const reader = response.body?.getReader()
    let length = 0
    const read = async () => {
      const { value, done } = (await reader?.read()) ?? { done: true, value: undefined }
      length += value?.length ?? 0
      return done
    }
    await read()
    const second = read()
    await service.credit(rail, alice, 100n)
    await second
    while (!(await read())) continue
    assert.equal(length, 1_800)
    const usage = await fetch(spender.ask('GET', '/usage'))
    assert.equal(((await usage.json()) as { usage: string }).usage, '18')
  })

  it('is charged for what has flowed when the client goes away', async (t) => {
    const { fetch, spender } = await funded(t, 1_000_000n, { settings, handler: stream([600, 600, 600]) })
    const response = await fetch(spender.ask('GET', '/a'))
    const reader = response.body?.getReader()
    await reader?.read()
    await reader?.cancel()
    const { usage } = (await (await fetch(spender.ask('GET', '/usage'))).json()) as { usage: string }
    assert.ok(usage === '6' || usage === '12', usage)
  })

  it('is charged for its bits each time, whatever Idempotency-Key it has', async (t) => {
    const { fetch, spender } = await funded(t, 1_000_000n, { settings, handler: stream([600, 600]) })
    const ask = (target: string) => spender.ask('GET', target, { headers: { 'idempotency-key': 'k' } })
    for (const _ of [1, 2]) assert.equal((await (await fetch(ask('/a'))).arrayBuffer()).byteLength, 1_200)
    const { usage } = (await (await fetch(spender.ask('GET', '/usage'))).json()) as { usage: string }
    assert.equal(usage, '24')
  })

  it('costs no more in all than Payment-Amount says', async (t) => {
    const { service, fetch, spender } = await funded(t, 1_000_000n, { settings, handler: stream([600, 600]) })
    const response = await fetch(spender.ask('GET', '/a', { headers: { 'payment-amount': '.0009' } }))
    const reader = response.body?.getReader()
    assert.equal((await reader?.read())?.value?.length, 600)
    const rest = reader?.read()
    // Nothing comes that could pay for more: patience ends it.
    await service.expire()
    assert.equal((await rest)?.value?.length, 300)
    await assert.rejects(Promise.resolve(reader?.read()), /money/)
    const usage = await fetch(spender.ask('GET', '/usage'))
    assert.equal(((await usage.json()) as { usage: string }).usage, '9')
  })
})

describe('SEED 004 Jobs 3: a donation for a piece of content', () => {
  const settings = { per: 'once', donation: true, price: '0.005' }
  const give = (amount: string) => ({ headers: { 'payment-amount': amount } })

  it('is of an amount that the payer chooses, and gives access to that URI', async (t) => {
    const { fetch, spender } = await funded(t, 1_000n, { settings })
    const { offers } = await offersOf(await fetch(requestOf('GET', '/song', { host: HOST })))
    assert.deepEqual([offers.donation, offers.offers[0]?.price], [true, '50'])
    await refused(await fetch(spender.ask('GET', '/song', give('.004'))), 402, 'ERR_COST_ABOVE_AMOUNT')
    const usage = async (target: string, init = {}) =>
      (await fetch(spender.ask('GET', target, init))).headers.get('Payment-Account-Usage')
    assert.equal(await usage('/song', give('.02')), '0.02')
    assert.equal(await usage('/song'), '0.02')
    assert.equal(await usage('/other'), '0.025')
    assert.equal(await usage('/song', give('.01')), '0.035')
  })

  it('may be welcome and not asked for', async (t) => {
    const { fetch, spender } = await funded(t, 1_000n, { settings: { ...settings, price: '0' } })
    const free = await fetch(requestOf('GET', '/song', { host: HOST }))
    assert.deepEqual([free.status, free.headers.get('Content-Cost')], [200, '0'])
    const given = await fetch(spender.ask('GET', '/song', give('.01')))
    assert.equal(given.headers.get('Payment-Account-Usage'), '0.01')
  })
})

describe('SEED 004 Server: prices', () => {
  const rails = () => ({
    one: createKeyRail({ id: 'one', serviceAccount: 'account-one' }),
    two: createKeyRail({ id: 'two', serviceAccount: 'account-two' }),
    coin: createChannelRail(),
  })

  it('a base price and account for many routes, and others for some', async (t) => {
    const service = await started(t, {
      rails: rails(),
      settings: {
        pay: ['one'],
        routes: [
          { match: '/free/*', price: 'free' },
          { match: 'POST /dear/:id', price: '1', pay: ['two'] },
          { match: '/any', price: { TEST: '0.5', COIN: '0.25' }, pay: ['one', 'coin'] },
        ],
      },
    })
    const terms = async (method: string, target: string) => {
      const { offers } = await offersOf(await service.fetch(requestOf(method, target, { host: HOST })))
      return offers.offers.map(({ serviceAccount, price, currency }) => [serviceAccount, price, currency].join(' '))
    }
    assert.deepEqual(await terms('GET', '/a'), ['account-one 100 TEST'])
    assert.deepEqual(await terms('POST', '/dear/7'), ['account-two 10000 TEST'])
    assert.deepEqual(await terms('GET', '/dear/7'), ['account-one 100 TEST'])
    assert.deepEqual(await terms('POST', '/dear/7/8'), ['account-one 100 TEST'])
    assert.deepEqual(await terms('GET', '/any'), ['account-one 5000 TEST', `0x${'22'.repeat(20)} 250000 COIN`])
    assert.equal((await service.fetch(requestOf('GET', '/free/x', { host: HOST }))).status, 200)
  })

  it('what was paid to one account of the service pays for nothing that another sells', async (t) => {
    const two = rails()
    const settings = { pay: ['one'], routes: [{ match: '/two', pay: ['two'] }] }
    const service = await started(t, { rails: two, settings })
    await service.credit(two.one as TestRail, alice, 1_000n)
    const spender = await createSpender(alice)
    assert.equal((await service.fetch(spender.ask('GET', '/a'))).status, 200)
    await refused(await service.fetch(spender.ask('GET', '/two')), 402, 'ERR_BALANCE_SHORT')
  })

  it('no spelling of a path is a way around its price', async (t) => {
    const service = await started(t, {
      settings: {
        price: undefined,
        routes: [
          { match: '/paid/*', price: '1' },
          { match: '/one', price: '1' },
        ],
      },
    })
    for (const target of ['/PAID/x', '/one/', '/One']) {
      assert.equal((await service.fetch(requestOf('GET', target, { host: HOST }))).status, 402, target)
    }
    const { gateway } = service
    for (const target of [
      '/free/../paid/x',
      '/%70aid/x',
      '//paid/x',
      '/free/%2e%2e/paid/x',
      '/.\\paid/x',
      '/%2570aid/x',
      '/one;a=b',
      '/one#',
      'http://api.example.com/one',
      'one',
      '/x/..;/one',
      '/./one',
    ]) {
      const incoming = { method: 'GET', target, host: HOST, header: () => undefined, headers: () => new Headers() }
      await assert.rejects(gateway.admit(incoming), { code: 'ERR_PATH' }, target)
    }
    assert.equal((await service.fetch(requestOf('GET', '/free/x', { host: HOST }))).status, 200)
  })
})

describe('SEED 004 Server: a price among others', () => {
  const settings = {
    routes: [
      { match: 'GET /status', price: 'free' },
      { match: '/premium', price: '1' },
      { match: 'GET /Docs/:name', price: '2' },
    ],
  }
  const admit = (service: TestGateway, method: string, target: string) =>
    service.gateway.admit({ method, target, host: HOST, header: () => undefined, headers: () => new Headers() })

  it('is that of one path only, however it is spelled', async (t) => {
    const service = await started(t, { settings })
    for (const target of [
      ...['/Premium', '/premium/', '/PREMIUM//', '/docs/a', '/Docs/a/', '/Status', '/status/'],
      ...['/%FF/%2e%2e/premium', '/100%/%2e%2e/premium', '/%FF%2f%2e%2e%2fpremium', '/%FF/%252e%252e/premium'],
    ]) {
      await assert.rejects(admit(service, 'GET', target), { code: 'ERR_PATH' }, target)
    }
    for (const target of ['/premium', '/Docs/A', '/a/', '/A', '/100%25', '/caf%E9', '/100%']) {
      await assert.rejects(admit(service, 'GET', target), { code: 'ERR_PAYMENT_REQUIRED' }, target)
    }
    assert.equal(await admit(service, 'GET', '/status'), undefined)
  })

  it('is found for routes with capitals too, where all else is free', async (t) => {
    const service = await started(t, { settings: { ...settings, price: undefined } })
    for (const target of ['/docs/a', '/DOCS/a/', '/Docs/a', '/Premium//']) {
      await assert.rejects(admit(service, 'GET', target), { code: 'ERR_PAYMENT_REQUIRED' }, target)
    }
    assert.equal(await admit(service, 'GET', '/Status/'), undefined)
  })

  it('is that of one method only: small letters are refused', async (t) => {
    const service = await started(t, { settings })
    for (const method of ['get', 'Get', 'options', 'pOST']) {
      await assert.rejects(admit(service, method, '/Docs/a'), { code: 'ERR_METHOD' }, method)
    }
  })
})

describe('SEED 004 Server - Payment Manager: usage', () => {
  it('GET /usage tells an account its own, proved by its voucher', async (t) => {
    const { fetch, spender } = await funded(t)
    await fetch(spender.ask('GET', '/a'))
    const response = await fetch(spender.ask('GET', '/usage'))
    assert.deepEqual(await response.json(), {
      ...{ account: alice.account, currency: 'TEST', decimals: 4 },
      ...{ deposited: '1000', usage: '100', refunded: '0', balance: '900', available: '900' },
    })
    const receipt = readReceipt(response.headers.get('payment-receipt') ?? '', spender.key)
    assert.deepEqual([receipt.cost, receipt.usage], [0n, 100n])
    await refused(await fetch(requestOf('GET', '/usage', { host: HOST })), 400, 'ERR_PAYMENT_HEADERS')
    const seen = spender.ask('GET', '/usage')
    await fetch(seen.clone())
    await refused(await fetch(seen), 409, 'ERR_PROOF_REPLAYED')
    await refused(await fetch(requestOf('DELETE', '/usage', { host: HOST })), 405, 'ERR_METHOD')
    const once = await seal(alice)
    assert.equal((await fetch(withVoucher(once, alice, '/usage'))).status, 200)
    await refused(await fetch(withVoucher(once, alice, '/usage')), 409, 'ERR_VOUCHER_USED')
  })

  it('POST /vouchers takes a further voucher of a channel', async (t) => {
    const rail = createChannelRail()
    const payer = channelPayer(6)
    const service = await started(t, { rails: { channel: rail }, settings: { price: '0.0001' } })
    await service.credit(rail, payer, 1_000n)
    const first = await createSpender(payer, { cumulative: '100' })
    assert.equal((await service.fetch(first.ask('GET', '/a'))).status, 200)
    await refused(await service.fetch(first.ask('GET', '/a')), 402, 'ERR_VOUCHER_USED_UP')
    const more = await createSpender(payer, { cumulative: '300' })
    const response = await service.fetch(more.ask('POST', '/vouchers'))
    assert.equal(((await response.json()) as { available: string }).available, '200')
    assert.equal((await service.fetch(first.ask('GET', '/a'))).status, 200)
  })
})

describe('SEED 004 Implementation details with NANO', () => {
  it('4. a deposit that is used up is told to its rail', async (t) => {
    const { rail, service, spender, fetch } = await funded(t, 200n)
    await service.credit(rail, alice, 200n)
    for (const _ of [1, 2, 3]) await fetch(spender.ask('GET', '/a'))
    await service.restart()
    await eventually(() => rail.used.length === 1)
    assert.deepEqual(rail.used, ['deposit-1'])
  })

  it('4. if another send block is there, what is left rolls over', async (t) => {
    const { rail, service, spender, fetch } = await funded(t, 150n)
    await fetch(spender.ask('GET', '/a'))
    await refused(await fetch(spender.ask('GET', '/a')), 402, 'ERR_BALANCE_SHORT')
    await service.credit(rail, alice, 50n)
    assert.equal((await fetch(spender.ask('GET', '/a'))).headers.get('Payment-Account-Balance'), '0')
  })
})

/** Looks again each turn of the event loop, until what somebody else does is done. */
const eventually = async (look: () => boolean | Promise<boolean>): Promise<void> => {
  for (let turns = 0; turns < 2_000; turns++) {
    if (await look()) return
    await new Promise((resolve) => setImmediate(resolve))
  }
  assert.fail('it never came about')
}
