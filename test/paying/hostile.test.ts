import assert from 'node:assert/strict'
import { after, beforeEach, describe, it } from 'node:test'
import type { BuyerError } from '../../buyer/errors.ts'
import type { Payment } from '../../buyer/lib/paying/kit.ts'
import { NetworkError } from '../../effects/network.ts'
import { claimsOf, forgedOffers, forgedReceipt, refusal, signedIn } from './hostile.ts'
import { openPayingWorld, PRICE, wish } from './world.ts'

const world = await openPayingWorld()
after(() => world.close())
beforeEach(() => world.reset())

const refusedWith = (code: string) => (error: BuyerError) => {
  assert.equal(error.code, code, error.stack)
  return true
}

const isPaid = (request: Request): boolean => request.headers.has('payment-voucher')
const usageOf = ([payment]: readonly Payment[]) => payment?.receipt?.usage
const broken = () => new NetworkError('ERR_NETWORK_UNREACHABLE', 'gone')

describe('somebody on the way, on plain HTTP', () => {
  it('who replays every request gets nothing, and costs nothing', async () => {
    const recorded: Request[] = []
    world.onTheWay = async (request, onward) => {
      recorded.push(request.clone())
      return onward(request)
    }
    const { paying } = await world.client({ settings: { ahead: 0 } })
    for (const name of ['a', 'b']) await paying.fetch(wish('/cheap', name))
    for (const request of recorded.filter(isPaid)) {
      assert.equal((await world.deliver(request.clone())).status, 409)
    }
    assert.deepEqual(world.served, ['a', 'b'])
  })

  it('who changes method, path, amount or body of a request spoils it', async () => {
    const { paying } = await world.client({ settings: { ahead: 0 } })
    await paying.fetch(wish('/cheap', 'a', { method: 'POST', body: 'x' }))
    const paid = world.passed.filter(isPaid).at(-1)!
    const { headers } = paid
    const url = new URL('/dear', paid.url)
    const body = 'x'
    const changed = [
      new Request(url, { method: 'POST', headers, body }),
      new Request(paid.url, { method: 'PUT', headers, body }),
      new Request(paid.url, {
        method: 'POST',
        headers: { ...Object.fromEntries(headers), 'payment-amount': '1' },
        body,
      }),
    ]
    // The dearer route is refused for its price before its proof is looked at.
    assert.deepEqual(
      await Promise.all(changed.map(async (each) => (await world.deliver(each)).status)),
      [402, 403, 403],
    )
    assert.deepEqual(world.served, ['a'])
  })

  it('who is faster with our own request makes us pay once, and get the answer', async () => {
    let races = 2
    world.onTheWay = async (request, onward) => {
      if (isPaid(request) && races-- > 0) await onward(request.clone())
      return onward(request)
    }
    const { paying } = await world.client({ settings: { ahead: 0 } })
    const payments: Payment[] = []
    const answer = await paying.fetch(wish('/cheap', 'a'), { onPaid: (paid) => payments.push(paid) })
    assert.equal(await answer.text(), 'served')
    assert.equal(usageOf(payments), PRICE)
  })

  it('who loses answers makes us ask again, and pay once', async () => {
    let lost = 3
    world.onTheWay = async (request, onward) => {
      const answer = await onward(request)
      if (isPaid(request) && lost-- > 0) throw broken()
      return answer
    }
    const { paying } = await world.client({ settings: { ahead: 0 } })
    const payments: Payment[] = []
    const answer = await paying.fetch(wish('/cheap', 'a'), { onPaid: (paid) => payments.push(paid) })
    assert.equal(await answer.text(), 'served')
    assert.equal(usageOf(payments), PRICE)
    assert.deepEqual([...(await signedIn(world.passed)).values()], [PRICE])
  })

  it('cannot offer in the vendor’s place, nor the vendor’s offers for something else', async () => {
    const { paying } = await world.client()
    const forgeries: [string, Parameters<typeof forgedOffers>[2], number][] = [
      ['ERR_JWS_INVALID', (offers) => offers, 5],
      ['ERR_OFFERS_HOST', (offers) => ({ ...offers, host: 'other.example' }), 0],
      ['ERR_SIGNED_TIME', (offers) => ({ ...offers, ts: offers.ts - 301 }), 0],
      ['ERR_SIGNED_TIME', (offers) => ({ ...offers, exp: offers.ts }), 0],
      ['ERR_OFFERS_UNTRUSTED', (offers) => ({ ...offers, route: 'GET /dear' }), 0],
      ['ERR_OFFERS_UNTRUSTED', (offers) => ({ ...offers, route: 'POST /cheap' }), 0],
      ['ERR_OFFERS_KEY', (offers) => ({ ...offers, encryptionKey: { ...offers.signingKey } }), 0],
      [
        'ERR_OFFERS_UNTRUSTED',
        (offers) => ({ ...offers, offers: offers.offers.map((offer) => ({ ...offer, decimals: 6 })) }),
        0,
      ],
    ]
    for (const [code, change, key] of forgeries) {
      world.onTheWay = (request) => forgedOffers(world, request, change, key)
      await assert.rejects(paying.fetch(wish('/cheap', 'a')), refusedWith(code))
    }
    assert.deepEqual([world.served, (await world.book()).payers], [[], []])
  })

  it('cannot send the deposit to another contract, chain or vendor, with the vendor’s own signature', async () => {
    const { paying } = await world.client()
    const other = `0x${'ab'.repeat(20)}`
    for (const lie of [{ payments: other }, { chainId: '1' }, { vendorId: '2' }, { serviceAccount: other }]) {
      world.onTheWay = (request) =>
        forgedOffers(world, request, (offers) => ({
          ...offers,
          offers: offers.offers.map((offer) => ({ ...offer, ...lie })) as typeof offers.offers,
        }))
      await assert.rejects(paying.fetch(wish('/cheap', 'a')), refusedWith('ERR_OFFERS_UNTRUSTED'))
    }
  })

  it('cannot change a receipt', async () => {
    world.onTheWay = async (request, onward) => {
      const answer = await onward(request)
      const text = answer.headers.get('payment-receipt')
      if (text === null) return answer
      const headers = new Headers(answer.headers)
      headers.set('payment-receipt', `${text.slice(0, -4)}AAAA`)
      return new Response(answer.body, { status: answer.status, headers })
    }
    const { paying } = await world.client()
    const payments: Payment[] = []
    await paying.fetch(wish('/cheap', 'a'), { onPaid: (paid) => payments.push(paid) })
    assert.deepEqual([payments[0]?.receipt, payments[0]?.cost], [undefined, PRICE])
  })
})

describe('a gateway that lies', () => {
  it('about what a voucher has to allow gets no signature for it', async () => {
    const { paying } = await world.client({ settings: { ahead: 2 } })
    await paying.fetch(wish('/cheap', 'a'))
    world.onTheWay = async (request, onward) =>
      isPaid(request) ? refusal('ERR_VOUCHER_USED_UP', { minimumCumulative: '1000000' }) : onward(request)
    await assert.rejects(paying.fetch(wish('/cheap', 'b')), refusedWith('ERR_OVERCHARGED'))
    const [signed] = (await signedIn(world.passed)).values()
    assert.equal(signed, 3n * PRICE)
  })

  it('about a newer voucher is believed only when we signed it', async () => {
    const { paying } = await world.client({ settings: { ahead: 0 } })
    await paying.fetch(wish('/cheap', 'a'))
    const claims = await claimsOf(world.passed.filter(isPaid).at(-1)!)
    const lies = [
      { cumulative: '5000', signature: `0x${'11'.repeat(65)}` },
      { cumulative: '5000', signature: claims?.signature },
    ]
    for (const lie of lies) {
      world.onTheWay = async (request, onward) =>
        isPaid(request) ? refusal('ERR_VOUCHER_STALE', lie) : onward(request)
      await assert.rejects(paying.fetch(wish('/cheap', 'b')), refusedWith('ERR_PAYMENT_REFUSED'))
    }
    const [signed] = (await signedIn(world.passed)).values()
    assert.equal(signed, 3n * PRICE)
  })

  it('about the balance gets no further deposit', async () => {
    const { paying } = await world.client({ settings: { deposit: () => 1_000n } })
    await paying.fetch(wish('/cheap', 'a'))
    world.onTheWay = async (request, onward) => (isPaid(request) ? refusal('ERR_BALANCE_SHORT') : onward(request))
    await assert.rejects(paying.fetch(wish('/cheap', 'b')), refusedWith('ERR_DEPOSIT_UNSEEN'))
    const [payer] = (await world.book()).payers
    assert.equal(payer?.deposits.length, 1)
  })

  it('about what was charged is found out', async () => {
    world.onTheWay = async (request, onward) => forgedReceipt(request, await onward(request), { cost: PRICE + 1n })
    const { paying } = await world.client()
    await assert.rejects(paying.fetch(wish('/cheap', 'a')), refusedWith('ERR_OVERCHARGED'))
  })

  it('that goes on refusing is asked a few times, and no more is signed for it', async () => {
    const { paying } = await world.client({ settings: { ahead: 0 } })
    for (const code of ['ERR_VOUCHER_RESTARTED', 'ERR_PROOF_REPLAYED', 'ERR_BUSY', 'ERR_VOUCHER_TOO_LONG'] as const) {
      world.onTheWay = async (request, onward) => (isPaid(request) ? refusal(code) : onward(request))
      await assert.rejects(paying.fetch(wish('/cheap', code)), refusedWith('ERR_PAYMENT_REFUSED'))
    }
    const [signed] = (await signedIn(world.passed)).values()
    assert.equal(signed, 4n * PRICE)
  })

  it('that raises its price is paid it within the cap, and not above', async () => {
    const { paying } = await world.client({ caps: { request: 2n * PRICE }, settings: { ahead: 0 } })
    const priced = (price: bigint) => async (request: Request) =>
      forgedOffers(world, request, (offers) => ({
        ...offers,
        offers: offers.offers.map((offer) => ({ ...offer, price: String(price) })),
      }))
    world.onTheWay = priced(2n * PRICE + 1n)
    await assert.rejects(paying.fetch(wish('/cheap', 'a')), refusedWith('ERR_SPEND_CAP'))
    world.onTheWay = async (request, onward) => (isPaid(request) ? onward(request) : priced(2n * PRICE)(request))
    assert.equal((await paying.fetch(wish('/cheap', 'a'))).status, 200)
    const [signed] = (await signedIn(world.passed)).values()
    assert.equal(signed, 2n * PRICE)
  })
})

describe('an earlier state of the keyring', () => {
  it('goes on from the last voucher that it signed', async () => {
    const { paying } = await world.client({ settings: { ahead: 0, deposit: () => 10_000n } })
    await paying.fetch(wish('/cheap', 'a'))
    const earlier = new Map(world.market.files)
    for (const name of ['b', 'c', 'd']) await paying.fetch(wish('/cheap', name))
    world.market.files.clear()
    for (const [name, content] of earlier) world.market.files.set(name, content)
    const restored = await world.client({ settings: { ahead: 0, deposit: () => 10_000n } })
    const payments: Payment[] = []
    for (const name of ['e', 'f']) {
      const answer = await restored.paying.fetch(wish('/cheap', name), { onPaid: (paid) => payments.push(paid) })
      assert.equal(answer.status, 200)
    }
    assert.equal(payments.at(-1)?.receipt?.usage, 6n * PRICE)
    const [signed] = (await signedIn(world.passed)).values()
    assert.equal(signed, 6n * PRICE)
  })
})
