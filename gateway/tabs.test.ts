import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { silentLog } from '../effects/log.ts'
import { Price } from './pricing.ts'
import { createTabs, type Tabs } from './tabs.ts'
import {
  channelPayer,
  createChannelRail,
  createKeyRail,
  createSpender,
  HOST,
  keyPayer,
  startGateway,
} from './testing.ts'

const PER_BIT = '0.00000001'
const MIB = 1024 * 1024
const price = new Price(PER_BIT, 'bit', { code: 'TEST', decimals: 4 })
const settings = { price: 'free', routes: [{ match: '/pay/*', per: 'bit', price: PER_BIT }] }

type Spender = Awaited<ReturnType<typeof createSpender>>

const payAs = async (tabs: Tabs, spender: Spender, name: string, most?: string): Promise<Response> => {
  const headers = most === undefined ? {} : { 'payment-amount': most }
  const answer = await tabs.answer(spender.ask('POST', `/pay/${name}`, { headers }), name)
  assert.ok(answer)
  return answer
}

const usageOf = async (tabs: Tabs, spender: Spender): Promise<bigint> => {
  const answer = await tabs.answer(spender.ask('GET', '/usage'), undefined)
  assert.ok(answer)
  return BigInt(((await answer.json()) as { usage: string }).usage)
}

const opened = async (deposit: bigint) => {
  const rail = createKeyRail()
  const test = await startGateway({ rails: { test: rail }, settings })
  const payer = keyPayer(2)
  if (deposit > 0n) await test.credit(rail, payer, deposit)
  return { test, rail, payer, spender: await createSpender(payer), tabs: createTabs(test.gateway, silentLog) }
}

describe('a tab', () => {
  it('costs exactly what flowed, whatever was paid ahead, and never more than the money or what was said', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 1, max: 4 * MIB }), { minLength: 1, maxLength: 6 }),
        fc.bigInt({ min: 1n, max: 12_000n }),
        fc.option(fc.bigInt({ min: 1n, max: 6_000n }), { nil: undefined }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        async (pieces, deposit, most, share) => {
          const { test, spender, tabs } = await opened(deposit)
          const said = most === undefined ? undefined : `0.${String(most).padStart(4, '0')}`
          assert.equal((await payAs(tabs, spender, '7', said)).status, 204)
          let paid = 0
          for (const bytes of pieces) {
            const more = await tabs.payFor('7', bytes)
            assert.ok(more >= 0 && more <= bytes)
            paid += more
            const charged = await usageOf(tabs, spender)
            assert.equal(charged, price.ofBytes(paid))
            assert.ok(charged <= deposit && charged <= (most ?? deposit))
            // It stops for want of money alone.
            const bound = most !== undefined && most < deposit ? most : deposit
            if (more < bytes) assert.ok(price.ofBytes(paid + 1) > bound)
          }
          const unused = Math.floor(paid * share)
          tabs.settle('7', unused)
          await tabs.close()
          assert.equal(await usageOf(tabs, spender), price.ofBytes(paid - unused))
          assert.equal(await tabs.payFor('7', MIB), 0)
          await test.stop()
        },
      ),
      { numRuns: 30 },
    )
  })

  it('is paid by the next payer where the money of the first ends, and each gets back what is theirs', async () => {
    const { test, rail, spender, tabs } = await opened(price.ofBytes(MIB))
    const other = keyPayer(3)
    await test.credit(rail, other, 100_000n)
    const second = await createSpender(other)
    await payAs(tabs, spender, '7')
    assert.equal(await tabs.payFor('7', MIB / 2), MIB / 2)
    await payAs(tabs, second, '7')
    assert.equal(await tabs.payFor('7', MIB), MIB)
    const firstPaid = price.bytesFor(price.ofBytes(MIB))
    tabs.settle('7', MIB / 4)
    await tabs.close()
    assert.equal(await usageOf(tabs, spender), price.ofBytes(firstPaid))
    assert.equal(await usageOf(tabs, second), price.ofBytes(MIB + MIB / 2 - firstPaid - MIB / 4))
    await test.stop()
  })

  it('charges no more than a channel has signed', async () => {
    const rail = createChannelRail()
    const payer = channelPayer(7)
    const coin = new Price('0.0000000001', 'bit', rail.currency)
    const routes = [{ match: '/pay/*', per: 'bit', price: '0.0000000001' }]
    const test = await startGateway({ rails: { test: rail }, settings: { price: 'free', routes } })
    await test.credit(rail, payer, 1_000_000n)
    const signature = `0x${'11'.repeat(65)}`
    const spender = await createSpender(payer, { cumulative: '500', signature })
    const tabs = createTabs(test.gateway, silentLog)
    await payAs(tabs, spender, '7')
    assert.equal(await tabs.payFor('7', 64 * MIB), coin.bytesFor(500n))
    assert.equal(await tabs.payFor('7', MIB), 0)
    assert.equal(await usageOf(tabs, spender), 500n)
    // More is signed: the tab goes on.
    await payAs(tabs, await createSpender(payer, { cumulative: '900', signature }), '7')
    assert.equal(await tabs.payFor('7', 64 * MIB), coin.bytesFor(900n) - coin.bytesFor(500n))
    await test.stop()
  })

  it('keeps what was paid ahead when it is lost in a crash, and no other tab pays for it', async () => {
    const { test, payer, spender, tabs } = await opened(100_000n)
    await payAs(tabs, spender, '7')
    await tabs.payFor('7', MIB)
    await test.restart()
    const again = createTabs(test.gateway, silentLog)
    const anew = await createSpender(payer)
    assert.equal(await usageOf(again, anew), price.ofBytes(MIB))
    assert.equal(await again.payFor('7', MIB), 0)
    await payAs(again, anew, '7')
    assert.equal(await again.payFor('7', MIB), MIB)
    assert.equal(await usageOf(again, anew), price.ofBytes(MIB) * 2n)
    await test.stop()
  })

  it('is opened by nobody without money, and by no request twice', async () => {
    const { test, rail, payer, spender, tabs } = await opened(0n)
    const answer = await tabs.answer(
      new Request(`http://${HOST}/pay/7`, { method: 'POST', headers: { host: HOST } }),
      '7',
    )
    assert.equal(answer?.status, 402)
    assert.equal((await payAs(tabs, spender, '7')).status, 402)
    assert.equal(await tabs.payFor('7', 1), 0)
    await test.credit(rail, payer, 1_000n)
    const request = spender.ask('POST', '/pay/7')
    assert.equal((await tabs.answer(request.clone(), '7'))?.status, 204)
    assert.equal((await tabs.answer(request.clone(), '7'))?.status, 409)
    // Nor does a proof for one channel open another.
    const elsewhere = new Request(`http://${HOST}/pay/8`, {
      method: 'POST',
      headers: spender.ask('POST', '/pay/7').headers,
    })
    assert.equal((await tabs.answer(elsewhere, '8'))?.status, 403)
    assert.equal(await tabs.payFor('8', 1), 0)
    await test.stop()
  })

  it('tells what it costs to who asks, and answers no other path', async () => {
    const { test, tabs } = await opened(0n)
    const head = new Request(`http://${HOST}/pay/7`, { method: 'HEAD', headers: { host: HOST } })
    const answer = await tabs.answer(head, '7')
    assert.deepEqual(
      [answer?.status, answer?.headers.get('content-cost'), answer?.headers.get('content-cost-per')],
      [204, PER_BIT, 'bit'],
    )
    const other = new Request(`http://${HOST}/other`, { headers: { host: HOST } })
    assert.equal(await tabs.answer(other, undefined), undefined)
    await test.stop()
  })
})
