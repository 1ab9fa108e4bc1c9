import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { GatewayError } from './errors.ts'
import type { DirectRail } from './rail.ts'
import { HOST, offersOf, requestOf, startGateway, type TestGatewayOptions } from './testing.ts'

/** Pays by a header with the amount; settles as a test wants it. */
const createDirectRail = () => {
  const settled: string[] = []
  const rail: DirectRail & { fails: boolean; until: Promise<void>; readonly settled: string[] } = {
    ...{ scheme: 'x402', id: 'x402:test', currency: { code: 'USDC', decimals: 6 }, serviceAccount: '0xpayee' },
    fails: false,
    until: Promise.resolve(),
    settled,
    ready: () => true,
    offer: () => ({ network: 'eip155:1' }),
    challenge: ({ price, url, method }) => ({ 'payment-required': `${price} ${method} ${url}` }),
    async payment(headers, { price }) {
      const text = headers.get('payment-signature')
      if (text === null) return undefined
      const [id = '', amount = ''] = text.split(' ')
      if (BigInt(amount) !== price) throw new GatewayError('ERR_PAYMENT_INVALID', 'another price')
      return {
        id,
        async settle() {
          await rail.until
          if (rail.fails) throw new GatewayError('ERR_PAYMENT_FAILED', 'the chain refused it')
          settled.push(id)
          return { 'payment-response': `settled ${id}` }
        },
      }
    },
  }
  return rail
}

const started = async (
  t: TestContext,
  handler = () => new Response('served'),
  options: Pick<TestGatewayOptions, 'isAway'> = {},
) => {
  const rail = createDirectRail()
  const service = await startGateway({ rails: { x402: rail }, settings: { price: '0.5' }, handler, ...options })
  t.after(() => service.stop())
  const pay = (text: string) => service.fetch(requestOf('GET', '/a?b', { host: HOST, 'payment-signature': text }))
  return { rail, service, pay }
}

const codeOf = async (response: Response) => ((await response.json()) as { code: string }).code

describe('a payment for one request', () => {
  it('is asked for in the words of its scheme, and offered in ours', async (t) => {
    const { service } = await started(t)
    const response = await service.fetch(requestOf('GET', '/a?b', { host: HOST }))
    assert.equal(response.headers.get('payment-required'), `500000 GET http://${HOST}/a?b`)
    assert.equal((await offersOf(response)).offers.offers[0]?.scheme, 'x402')
  })

  it('is taken once the request is served, and never again', async (t) => {
    const { rail, service, pay } = await started(t)
    const response = await pay('p1 500000')
    assert.deepEqual([response.status, response.headers.get('payment-response')], [200, 'settled p1'])
    assert.equal(response.headers.get('content-cost'), '0.5')
    assert.equal(await codeOf(await pay('p1 500000')), 'ERR_PAYMENT_INVALID')
    await service.restart()
    assert.equal(await codeOf(await pay('p1 500000')), 'ERR_PAYMENT_INVALID')
    assert.deepEqual(rail.settled, ['p1'])
  })

  it('is taken once of many that come at once', async (t) => {
    const { rail, pay } = await started(t)
    const answers = await Promise.all([pay('p1 500000'), pay('p1 500000'), pay('p1 500000')])
    assert.equal(answers.filter(({ status }) => status === 200).length, 1)
    assert.deepEqual(rail.settled, ['p1'])
  })

  it('is taken by nobody else while it is being settled, although its request is given up', async (t) => {
    const { rail, service } = await started(t)
    const settling = Promise.withResolvers<void>()
    rail.until = settling.promise
    const headers = new Headers({ 'payment-signature': 'p1 500000' })
    const header = (name: string) => headers.get(name) ?? undefined
    const admit = () =>
      service.gateway.admit({ method: 'GET', target: '/a', host: HOST, header, headers: () => headers })
    const use = await admit()
    const committing = use?.commit()
    const releasing = use?.release()
    await assert.rejects(admit(), { code: 'ERR_PAYMENT_INVALID' })
    settling.resolve()
    await Promise.all([committing, releasing])
    await assert.rejects(admit(), { code: 'ERR_PAYMENT_INVALID' })
  })

  it('is not taken by a request during which the database was away', async (t) => {
    let isAway = false
    const { pay } = await started(t, undefined, { isAway: () => isAway })
    isAway = true
    assert.equal((await pay('p1 500000')).status, 500)
    isAway = false
    assert.equal((await pay('p1 500000')).status, 200)
  })

  it('is not taken for what was not served, and what cannot be taken is not served', async (t) => {
    let status = 500
    const { rail, pay } = await started(t, () => new Response('body', { status }))
    assert.equal((await pay('p1 500000')).status, 500)
    assert.deepEqual(rail.settled, [])
    status = 200
    rail.fails = true
    assert.equal(await codeOf(await pay('p1 500000')), 'ERR_PAYMENT_FAILED')
    rail.fails = false
    assert.equal((await pay('p1 500000')).status, 200)
    assert.equal(await codeOf(await pay('p2 1')), 'ERR_PAYMENT_INVALID')
  })
})
