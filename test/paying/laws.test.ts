/**
 * Whatever is asked for, whoever dies, and whatever the other side says: no more is signed than was asked for and a window,
 * no more is spent than the caps allow, and nothing is paid twice.
 */
import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import fc from 'fast-check'
import { createContractReader } from '../../chain/contracts.ts'
import type { Hex } from '../../chain/types.ts'
import { NetworkError } from '../../effects/network.ts'
import { forgedOffers, forgedReceipt, refusal, signedIn } from './hostile.ts'
import { DEAR, openPayingWorld, PRICE, wish, type Client, type OnTheWay } from './world.ts'

const world = await openPayingWorld()
const { market } = world
after(() => world.close())

const AHEAD = 3
const DEPOSIT = 20_000n
const CAPS = { request: DEAR, vendor: 40_000n, day: 30_000n }

const start = (diesAfter = Infinity): Promise<Client> =>
  world.client({ caps: CAPS, settings: { ahead: AHEAD, deposit: () => DEPOSIT }, diesAfter })

const priceOf = (path: string): bigint => (path === '/dear' ? DEAR : PRICE)
const keyed = (path: string, name: string): Request => wish(path, name, { headers: { 'idempotency-key': name } })
/** Errors that a person may see. What is none of these is a bug. */
const expected = /^ERR_(SPEND_CAP|OVERCHARGED|PAYMENT_REFUSED|DEPOSIT_UNSEEN|NETWORK|OFFERS|TRANSACTION|CHAIN)/

/** @returns the status, or the code of what went wrong */
const outcome = async (asking: Promise<Response | 'dead'>): Promise<string> => {
  try {
    const answer = await asking
    return answer === 'dead' ? 'dead' : String(answer.status)
  } catch (error) {
    const { code = '' } = error as { code?: string }
    assert.match(code, expected, (error as Error).stack)
    return code
  }
}

const inChannels = async (): Promise<bigint> => {
  const ids = (await world.book()).payers.filter(({ channel }) => channel).map(({ account }) => account as Hex)
  const states = await createContractReader(market.chain).channels(market.payments, ids)
  return states.reduce((sum, { balance }) => sum + balance, 0n)
}

const checkMoney = async (intended: bigint, dearest: bigint): Promise<void> => {
  const signed = [...(await signedIn(world.passed)).values()].reduce((sum, each) => sum + each, 0n)
  const window = BigInt(AHEAD) * dearest
  assert.ok(signed <= intended + window, `signed ${signed} for ${intended} and a window of ${window}`)
  assert.ok(signed <= CAPS.vendor && signed <= CAPS.day, `signed ${signed}`)
  const held = await inChannels()
  assert.ok(signed <= held || held === 0n, `signed ${signed} of ${held}`)
  assert.ok(held <= CAPS.vendor, `put in ${held}`)
}

const paths = fc.constantFrom('/cheap', '/cheap', '/cheap', '/dear', '/once/1')

describe('with an honest vendor', () => {
  it('any requests, at once and after each other, through crashes, cost each its price once', async () => {
    const events = fc.record({
      batch: fc.array(paths, { minLength: 1, maxLength: 4 }),
      diesAfter: fc.option(fc.integer({ min: 1, max: 60 }), { nil: undefined }),
      gatewayRestarts: fc.boolean(),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(events, { minLength: 1, maxLength: 5 }), async (rounds) => {
        await world.reset()
        let intended = 0n
        let made = 0
        const charged = new Map<string, bigint>()
        for (const { batch, diesAfter, gatewayRestarts } of rounds) {
          if (gatewayRestarts) await world.restartGateway()
          const names = batch.map((path) => [path, `wish-${made++}`] as const)
          for (const [path, name] of names) {
            intended += priceOf(path)
            charged.set(name, priceOf(path))
          }
          const first = await start(diesAfter)
          const results = await Promise.all(
            names.map(([path, name]) => outcome(first.live(first.paying.fetch(keyed(path, name))))),
          )
          first.kill()
          // Who died tries again, with the same keys.
          const again = await start()
          for (const [index, [path, name]] of names.entries()) {
            if (results[index] === '200') continue
            await outcome(again.paying.fetch(keyed(path, name)))
          }
          await again.paying.close()
        }
        await checkMoney(2n * intended, DEAR)
        const usage = await usageOfAll()
        assert.ok(usage <= [...charged.values()].reduce((sum, each) => sum + each, 0n), `charged ${usage}`)
      }),
      { numRuns: 20 },
    )
  })

  it('killed between any two steps of the first request, one deposit is made and one request is paid', async () => {
    await world.reset()
    const whole = await start()
    assert.equal((await whole.paying.fetch(keyed('/cheap', 'a'))).status, 200)
    const steps = whole.steps()
    for (let diesAfter = 1; diesAfter <= steps; diesAfter++) {
      await world.reset()
      const first = await start(diesAfter)
      await outcome(first.live(first.paying.fetch(keyed('/cheap', 'a'))))
      first.kill()
      const again = await start()
      const answer = await again.paying.fetch(keyed('/cheap', 'a'))
      assert.equal(answer.status, 200, `after ${diesAfter} steps`)
      assert.equal(await inChannels(), DEPOSIT, `after ${diesAfter} steps`)
      assert.equal(await usageOfAll(), PRICE, `after ${diesAfter} steps`)
    }
  })
})

/** What the gateway charged, as its own books have it. */
const usageOfAll = async (): Promise<bigint> => {
  const client = await start()
  let usage = 0n
  // What is asked for now costs the least, and the receipt tells of all before.
  await outcome(
    client.paying.fetch(wish('/cheap', 'look'), { onPaid: ({ receipt }) => (usage = receipt?.usage ?? 0n) }),
  )
  await client.paying.close()
  return usage === 0n ? 0n : usage - PRICE
}

describe('with anybody', () => {
  const lies = fc.oneof(
    fc.record({ lie: fc.constant('used up' as const), total: fc.integer({ min: 0, max: 60_000 }) }),
    fc.record({ lie: fc.constant('stale' as const), total: fc.integer({ min: 0, max: 60_000 }) }),
    fc.record({ lie: fc.constant('price' as const), total: fc.integer({ min: 0, max: Number(DEAR) }) }),
    fc.record({ lie: fc.constant('receipt' as const), total: fc.integer({ min: 0, max: 200 }) }),
    fc.record({ lie: fc.constantFrom('short', 'restarted', 'lost', 'replayed', 'none') }),
  )
  type Lie = typeof lies extends fc.Arbitrary<infer L> ? L : never

  it('no more is signed than was asked for and a window, nor spent than the caps allow', async () => {
    const round = fc.record({
      batch: fc.array(paths, { minLength: 1, maxLength: 3 }),
      told: fc.array(lies, { minLength: 1, maxLength: 6 }),
      restores: fc.boolean(),
      diesAfter: fc.option(fc.integer({ min: 1, max: 60 }), { nil: undefined }),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(round, { minLength: 1, maxLength: 4 }), async (rounds) => {
        await world.reset()
        let intended = 0n
        let made = 0
        let earlier = new Map(market.files)
        for (const { batch, told, restores, diesAfter } of rounds) {
          world.onTheWay = lying(told)
          const client = await start(diesAfter)
          if (earlier.size === 0) earlier = new Map(market.files)
          for (const path of batch) {
            // Whatever is offered for it, up to the cap.
            intended += CAPS.request
            await outcome(client.live(client.paying.fetch(keyed(path, `wish-${made++}`))))
          }
          await client.live(client.paying.close())
          client.kill()
          if (restores && diesAfter === undefined) {
            market.files.clear()
            for (const [name, content] of earlier) market.files.set(name, content)
          } else earlier = new Map(market.files)
        }
        const signed = [...(await signedIn(world.passed)).values()]
        for (const each of signed) assert.ok(each <= intended + BigInt(AHEAD) * CAPS.request)
        const isRestored = rounds.some(({ restores }) => restores)
        if (!isRestored) await checkMoney(intended, CAPS.request)
      }),
      { numRuns: 25 },
    )
  })

  const lying = (told: readonly Lie[]): OnTheWay => {
    let at = 0
    return async (request, onward) => {
      const lie = told[at++ % told.length]
      if (lie?.lie === 'price') {
        if (request.headers.has('payment-voucher')) return onward(request)
        return forgedOffers(world, request, (offers) => ({
          ...offers,
          offers: offers.offers.map((offer) => ({ ...offer, price: String(lie.total) })),
        }))
      }
      if (!request.headers.has('payment-voucher')) return onward(request)
      switch (lie?.lie) {
        case 'used up':
          return refusal('ERR_VOUCHER_USED_UP', { minimumCumulative: String(lie.total) })
        case 'stale':
          return refusal('ERR_VOUCHER_STALE', { cumulative: String(lie.total), signature: `0x${'22'.repeat(65)}` })
        case 'receipt':
          return forgedReceipt(request, await onward(request), { cost: BigInt(lie.total) })
        case 'short':
          return refusal('ERR_BALANCE_SHORT')
        case 'restarted':
          return refusal('ERR_VOUCHER_RESTARTED')
        case 'replayed':
          return refusal('ERR_PROOF_REPLAYED')
        case 'lost':
          await onward(request)
          throw new NetworkError('ERR_NETWORK_UNREACHABLE', 'gone')
        default:
          return onward(request)
      }
    }
  }
})
