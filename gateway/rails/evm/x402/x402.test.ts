/** Requests paid with x402, by the client that its makers publish, on a real EVM. */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { decodePaymentRequiredHeader, decodePaymentResponseHeader, encodePaymentRequiredHeader } from '@x402/core/http'
import { ExactEvmScheme } from '@x402/evm/exact/client'
import { wrapFetchWithPaymentFromConfig } from '@x402/fetch'
import { base64 } from '@scure/base'
import { Wallet } from 'ethers'
import fc from 'fast-check'
import { createAccount } from '../../../../chain/transactions.ts'
import { type Chain, ChainError } from '../../../../effects/chain.ts'
import { serveHttp } from '../../../../effects/http-server.ts'
import { fromUtf8, toHex, utf8 } from '../../../../protocol/bytes.ts'
import { paymentProblems } from '../../../../protocol/payment-problems.ts'
import { problemResponse } from '../../../../protocol/problem.ts'
import { createLife } from '../../../../sim/life.ts'
import { GatewayError } from '../../../errors.ts'
import type { DirectRail } from '../../../rail.ts'
import { openEvmRails } from '../index.ts'
import { CHAIN_ID, createTestBook, createTestDisk, mortalChain, openTestWorld, type TestWorld } from '../testing.ts'

const PRICE = 2_500n
const never = new AbortController().signal

let world: TestWorld
before(async () => {
  world = await openTestWorld()
})
after(() => world.close())

const openRail = async (disk = createTestDisk(), change: Partial<TestWorld['effects']> = {}, life = createLife()) => {
  const effects = { ...world.effects, ...change, sql: disk.mount(life) }
  const vendor = createAccount(effects, CHAIN_ID, world.evm.key(1))
  const rails = await openEvmRails(effects, world.settings, vendor, createTestBook().book)
  return rails.direct[0] as DirectRail
}

/** What a gateway does with such a rail: look, serve, take once, answer. */
const createShop = (rail: DirectRail, answer: () => Response = () => new Response('the goods')) => {
  const taken = new Set<string>()
  let served = 0
  const respond = async (request: Request): Promise<Response> => {
    const terms = { price: PRICE, url: request.url, method: request.method }
    const challenge = rail.challenge(terms)
    try {
      const payment = await rail.payment(request.headers, terms, never)
      if (!payment) throw new GatewayError('ERR_PAYMENT_REQUIRED', 'pay first')
      if (taken.has(payment.id)) throw new GatewayError('ERR_PAYMENT_INVALID', 'this payment was used')
      taken.add(payment.id)
      const made = answer()
      served++
      if (made.status >= 400) {
        taken.delete(payment.id)
        return made
      }
      const headers = await payment.settle(never)
      return new Response(made.body, { headers })
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error
      const { code, message: detail, more } = error
      const response = problemResponse({ ...paymentProblems[code], code, detail, more })
      for (const [name, value] of Object.entries(challenge)) response.headers.set(name, value)
      return response
    }
  }
  return { respond, served: () => served }
}

/** Their client, with a key that signs as any wallet does. */
const payingFetch = (key: Uint8Array, send: typeof fetch) => {
  const wallet = new Wallet(toHex(key))
  const signer = {
    address: wallet.address as `0x${string}`,
    signTypedData: ({ domain, types, message }: Parameters<ExactSigner['signTypedData']>[0]) =>
      wallet.signTypedData(domain, types as never, message) as Promise<`0x${string}`>,
  }
  return wrapFetchWithPaymentFromConfig(send, {
    schemes: [{ network: 'eip155:31337', client: new ExactEvmScheme(signer) }],
    spendControls: { allowedAssets: [{ network: 'eip155:31337', asset: world.dollar.address }] },
  })
}

type ExactSigner = ConstructorParameters<typeof ExactEvmScheme>[0]

const through =
  (respond: (request: Request) => Promise<Response>): typeof fetch =>
  (input, init) =>
    respond(new Request(input, init))

/** The `PAYMENT-SIGNATURE` that their client sends, without sending it. @param seconds for which it is signed */
const signedPayment = async (rail: DirectRail, seconds = 300): Promise<string> => {
  const shop = createShop(rail)
  let header = ''
  const send = through(async (request) => {
    header = request.headers.get('payment-signature') ?? header
    if (header !== '') return new Response()
    const { headers } = await shop.respond(request)
    const required = decodePaymentRequiredHeader(headers.get('payment-required') ?? '')
    const accepts = required.accepts.map((one) => ({ ...one, maxTimeoutSeconds: seconds }))
    return new Response(null, {
      status: 402,
      headers: { 'PAYMENT-REQUIRED': encodePaymentRequiredHeader({ ...required, accepts }) },
    })
  })
  await payingFetch(world.evm.key(2), send)('http://shop.example/goods')
  return header
}

type Opened = {
  accepted: Record<string, unknown>
  payload: { signature: string; authorization: Record<string, string> }
} & Record<string, unknown>

const changed = (header: string, change: (payment: Opened) => void): string => {
  const payment = JSON.parse(fromUtf8(base64.decode(header))) as Opened
  change(payment)
  return base64.encode(utf8(JSON.stringify(payment)))
}

const ask = (respond: (request: Request) => Promise<Response>, header: string) =>
  respond(new Request('http://shop.example/goods', { headers: { 'payment-signature': header } }))

const refusal = async (response: Response) => {
  const { code, reason } = (await response.json()) as { code: string; reason?: string }
  return { status: response.status, code, reason }
}

const balances = async () => [
  await world.balance(world.dollar.address, world.payer.address),
  await world.balance(world.dollar.address, world.vendor.address),
]

describe('the client of x402, as it is published', () => {
  it('pays for a route over HTTP: the vendor has the money before the answer is there', async () => {
    const shop = createShop(await openRail())
    const { address, close } = await serveHttp(shop.respond, { host: '127.0.0.1', port: 0 })
    try {
      const [payer = 0n, vendor = 0n] = await balances()
      const response = await payingFetch(world.evm.key(2), fetch)(`http://127.0.0.1:${address.port}/goods`)
      assert.equal(response.status, 200)
      assert.equal(await response.text(), 'the goods')
      assert.deepEqual(await balances(), [payer - PRICE, vendor + PRICE])
      const told = decodePaymentResponseHeader(response.headers.get('payment-response') ?? '')
      const receipt = (await world.evm.request('eth_getTransactionReceipt', [told.transaction])) as { status: string }
      assert.deepEqual([told.success, told.network, receipt.status], [true, 'eip155:31337', '0x1'])
    } finally {
      await close()
    }
  })

  it('is told what to pay, to whom and in what', async () => {
    const response = await createShop(await openRail()).respond(new Request('http://shop.example/goods'))
    assert.equal(response.status, 402)
    const required = decodePaymentRequiredHeader(response.headers.get('payment-required') ?? '')
    assert.deepEqual([required.x402Version, required.resource.url], [2, 'http://shop.example/goods'])
    assert.deepEqual(required.accepts, [
      {
        scheme: 'exact',
        network: 'eip155:31337',
        asset: world.dollar.address,
        amount: '2500',
        payTo: world.vendor.address,
        maxTimeoutSeconds: 300,
        extra: { name: 'Chrove Test Dollar', version: '1' },
      },
    ])
  })

  it('is not charged for an answer that is an error', async () => {
    const shop = createShop(await openRail(), () => new Response('broken', { status: 500 }))
    const earlier = await balances()
    const response = await payingFetch(world.evm.key(2), through(shop.respond))('http://shop.example/goods')
    assert.equal(response.status, 500)
    assert.deepEqual(await balances(), earlier)
  })

  it('gets nothing with money that it does not have', async () => {
    const shop = createShop(await openRail())
    const response = await payingFetch(world.evm.key(9), through(shop.respond))('http://shop.example/goods')
    assert.deepEqual(await refusal(response), {
      status: 402,
      code: 'ERR_PAYMENT_INVALID',
      reason: 'invalid_exact_evm_transaction_simulation_failed',
    })
    assert.equal(shop.served(), 0)
  })
})

describe('a payment', () => {
  it('works once: replayed it is refused, also by a gateway that has forgotten', async () => {
    const rail = await openRail()
    const header = await signedPayment(rail)
    const shop = createShop(rail)
    assert.equal((await ask(shop.respond, header)).status, 200)
    const paid = await balances()
    assert.equal((await refusal(await ask(shop.respond, header))).code, 'ERR_PAYMENT_INVALID')
    const forgetful = createShop(await openRail())
    const { code } = await refusal(await ask(forgetful.respond, header))
    assert.equal(code, 'ERR_PAYMENT_INVALID')
    assert.deepEqual([shop.served(), forgetful.served(), await balances()], [1, 0, paid])
  })

  it('is not found again once the gateway may have forgotten it, however long it is signed for', async () => {
    const disk = createTestDisk()
    const life = createLife()
    const rail = await openRail(disk, {}, life)
    const header = await signedPayment(rail, 100_000_000)
    assert.equal((await ask(createShop(rail).respond, header)).status, 200)
    life.end()
    const later = { ...world.clock, nowMs: () => world.clock.nowMs() + 3_601_000 }
    const shop = createShop(await openRail(disk, { clock: later }))
    const { code, reason } = await refusal(await ask(shop.respond, header))
    assert.deepEqual([code, reason], ['ERR_PAYMENT_INVALID', 'invalid_exact_evm_transaction_simulation_failed'])
    assert.equal(shop.served(), 0)
  })

  it('that comes twice at once is served once and taken once', async () => {
    const rail = await openRail()
    const header = await signedPayment(rail)
    const shop = createShop(rail)
    const [payer = 0n, vendor = 0n] = await balances()
    const answers = await Promise.all([ask(shop.respond, header), ask(shop.respond, header)])
    assert.deepEqual(
      answers.map(({ status }) => status).toSorted((a, b) => a - b),
      [200, 402],
    )
    assert.deepEqual([shop.served(), await balances()], [1, [payer - PRICE, vendor + PRICE]])
  })

  it('whose money is gone when it is taken brings no answer, and no charge', async () => {
    const rail = await openRail()
    const header = await signedPayment(rail)
    const terms = { price: PRICE, url: 'http://shop.example/goods', method: 'GET' }
    const payment = await rail.payment(new Headers({ 'payment-signature': header }), terms, never)
    // The payer lets somebody else carry the authorisation out first.
    const elsewhere = await openRail()
    await (await elsewhere.payment(new Headers({ 'payment-signature': header }), terms, never))?.settle(never)
    const paid = await balances()
    await assert.rejects(payment?.settle(never) ?? Promise.resolve(), { code: 'ERR_PAYMENT_FAILED', retryable: false })
    assert.deepEqual(await balances(), paid)
  })

  it('is refused when anything about it is not as asked', async () => {
    const rail = await openRail()
    const header = await signedPayment(rail)
    const { respond, served } = createShop(rail)
    const earlier = await balances()
    const refused = async (change: (payment: Opened) => void) =>
      (await refusal(await ask(respond, changed(header, change)))).reason
    const authorized = (name: string, value: string) => (payment: Opened) => {
      payment.payload.authorization[name] = value
    }
    const accepted = (name: string, value: unknown) => (payment: Opened) => {
      payment.accepted[name] = value
    }
    const stranger = world.stranger.address
    assert.equal(await refused(accepted('network', 'eip155:1')), 'network_mismatch')
    assert.equal(await refused(accepted('asset', stranger)), 'asset_mismatch')
    assert.equal(await refused(accepted('payTo', stranger)), 'pay_to_mismatch')
    assert.equal(await refused(authorized('to', stranger)), 'pay_to_mismatch')
    assert.equal(await refused(accepted('amount', '2499')), 'amount_mismatch')
    assert.equal(await refused(authorized('value', '2499')), 'amount_mismatch')
    assert.equal(await refused(authorized('validBefore', '1000')), 'expired')
    assert.equal(await refused(accepted('scheme', 'upto')), 'invalid_payload')
    assert.equal(await refused((payment) => void (payment.x402Version = 1)), 'invalid_payload')
    // What is signed was changed.
    const unsigned = 'invalid_exact_evm_signature'
    assert.equal(await refused(authorized('from', stranger)), unsigned)
    assert.equal(await refused(authorized('nonce', `0x${'00'.repeat(32)}`)), unsigned)
    assert.deepEqual([served(), await balances()], [0, earlier])
  })

  it('of a price that was signed for something cheaper is refused', async () => {
    const rail = await openRail()
    const header = await signedPayment(rail)
    const terms = { price: PRICE + 1n, url: 'http://shop.example/dear', method: 'GET' }
    await assert.rejects(rail.payment(new Headers({ 'payment-signature': header }), terms, never), {
      code: 'ERR_PAYMENT_INVALID',
    })
  })

  it('that was taken for something cheap gets nothing dearer, whatever else is said of it', async () => {
    const disk = createTestDisk()
    const rail = await openRail(disk)
    const header = await signedPayment(rail)
    const terms = { price: PRICE, url: 'http://shop.example/goods', method: 'GET' }
    await (await rail.payment(new Headers({ 'payment-signature': header }), terms, never))?.settle(never)
    const dear = changed(header, ({ accepted, payload }) => {
      accepted.amount = payload.authorization.value = `${PRICE * 1000n}`
    })
    const headers = new Headers({ 'payment-signature': dear })
    for (const each of [rail, await openRail(disk)]) {
      await assert.rejects(each.payment(headers, { ...terms, price: PRICE * 1000n }, never), {
        code: 'ERR_PAYMENT_INVALID',
      })
    }
  })

  it('of any form is refused when its numbers are none that a transfer has', async () => {
    const rail = await openRail()
    const header = await signedPayment(rail)
    const terms = { price: PRICE, url: 'http://shop.example/goods', method: 'GET' }
    for (const name of ['value', 'validAfter', 'validBefore']) {
      const beyond = changed(header, ({ payload }) => void (payload.authorization[name] = '9'.repeat(78)))
      await assert.rejects(rail.payment(new Headers({ 'payment-signature': beyond }), terms, never), {
        code: 'ERR_PAYMENT_INVALID',
      })
    }
  })

  it('that is no payment is refused without asking the chain, whatever it is', async () => {
    let asked = 0
    const chain: Chain = { request: (method, params) => (asked++, world.evm.request(method, params)) }
    const rail = await openRail(createTestDisk(), { chain })
    const header = await signedPayment(rail)
    asked = 0
    const malformed = fc.oneof(
      fc.string(),
      fc.base64String(),
      fc.json().map((text) => base64.encode(utf8(text))),
      fc.nat({ max: header.length - 1 }).map((length) => header.slice(0, length)),
      fc.constant('A'.repeat(9_000)),
      fc
        .constantFrom<(payment: Opened) => void>(
          (payment) => void (payment.payload.signature = '0x'),
          (payment) => void (payment.payload.signature += '00'),
          (payment) => void (payment.payload.authorization.value = '-1'),
          (payment) => void (payment.payload.authorization.value = '1e3'),
          (payment) => void (payment.payload.authorization.nonce = '0x1'),
          (payment) => void delete (payment as Partial<Opened>).accepted,
          (payment) => void (payment.payload = [] as never),
        )
        .map((change) => changed(header, change)),
    )
    const terms = { price: PRICE, url: 'http://shop.example/', method: 'GET' }
    await fc.assert(
      fc.asyncProperty(malformed, async (value) => {
        const headers = { get: () => value } as unknown as Headers
        await assert.rejects(rail.payment(headers, terms, never), { code: 'ERR_PAYMENT_INVALID' })
      }),
    )
    assert.equal(asked, 0)
  })

  it('is no one’s fault while the chain is away', async () => {
    let isAway = false
    const chain: Chain = {
      request: (method, params) =>
        isAway ? Promise.reject(new ChainError('ERR_CHAIN_UNREACHABLE', 'test')) : world.evm.request(method, params),
    }
    const rail = await openRail(createTestDisk(), { chain })
    const header = await signedPayment(rail)
    const terms = { price: PRICE, url: 'http://shop.example/', method: 'GET' }
    isAway = true
    await assert.rejects(rail.payment(new Headers({ 'payment-signature': header }), terms, never), {
      code: 'ERR_UPSTREAM',
      retryable: true,
    })
  })

  it('that a crash cut off while it was taken is found again, and taken once', async () => {
    const disk = createTestDisk()
    const terms = { price: PRICE, url: 'http://shop.example/goods', method: 'GET' }
    const life = createLife()
    const { promise: broadcast, resolve: onBroadcast } = Promise.withResolvers<void>()
    const chain: Chain = {
      async request(method, params) {
        const answer = await world.evm.request(method, params)
        if (method !== 'eth_sendRawTransaction') return answer
        // The node has the transaction, and nobody hears of it any more.
        life.end()
        onBroadcast()
        return new Promise(() => {})
      },
    }
    const cut = await openRail(disk, { chain }, life)
    const header = await signedPayment(cut)
    const headers = new Headers({ 'payment-signature': header })
    const [payer = 0n, vendor = 0n] = await balances()
    void (await cut.payment(headers, terms, never))?.settle(never)
    await broadcast

    const settled = async () => (await (await openRail(disk)).payment(headers, terms, never))?.settle(never)
    const answer = await settled()
    assert.ok(answer?.['PAYMENT-RESPONSE'])
    assert.deepEqual(await settled(), answer)
    assert.deepEqual(await balances(), [payer - PRICE, vendor + PRICE])
  })

  it('is taken once, after whichever of its steps the process dies', async () => {
    const terms = { price: PRICE, url: 'http://shop.example/goods', method: 'GET' }
    const pay = async (rail: DirectRail, headers: Headers) => (await rail.payment(headers, terms, never))?.settle(never)
    const header = async () => new Headers({ 'payment-signature': await signedPayment(await openRail()) })
    for (let calls = 1; ; calls++) {
      const headers = await header()
      const [payer = 0n] = await balances()
      const disk = createTestDisk()
      const life = createLife()
      const dead = new Promise<'dead'>((resolve) => void life.onEnd(() => resolve('dead')))
      disk.crashAfterCalls(calls)
      const chain = mortalChain(world.evm, life)
      const outcome = await Promise.race([openRail(disk, { chain }, life).then((rail) => pay(rail, headers)), dead])
      disk.crashAfterCalls(Infinity)
      life.end()
      assert.ok((await pay(await openRail(disk), headers))?.['PAYMENT-RESPONSE'])
      assert.equal((await balances())[0], payer - PRICE, `killed after ${calls} calls`)
      if (outcome !== 'dead') return assert.ok(calls > 10, 'it was killed at many places before')
    }
  })
})
