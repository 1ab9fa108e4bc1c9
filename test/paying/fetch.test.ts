import assert from 'node:assert/strict'
import { after, beforeEach, describe, it } from 'node:test'
import type { BuyerError } from '../../buyer/errors.ts'
import type { Payment } from '../../buyer/lib/paying/kit.ts'
import { createContractReader } from '../../chain/contracts.ts'
import type { Hex } from '../../chain/types.ts'
import { NetworkError } from '../../effects/network.ts'
import { openPayingWorld, ORIGIN, PRICE, wish } from './world.ts'

const world = await openPayingWorld()
const { market } = world
after(() => world.close())
beforeEach(() => world.reset())

const refusedWith = (code: string) => (error: BuyerError) => {
  assert.equal(error.code, code, error.stack)
  return true
}

const channelOf = async () => {
  const [payer] = (await world.book()).payers
  if (!payer) throw new Error('no account')
  const [state] = await createContractReader(market.chain).channels(market.payments, [payer.account as Hex])
  return { payer, state: state! }
}

describe('a fetch that pays', () => {
  it('opens a channel with the first request, and pays each by a voucher', async () => {
    const { paying } = await world.client({ settings: { ahead: 0, deposit: () => 1_000n } })
    const payments: Payment[] = []
    for (const name of ['a', 'b', 'c']) {
      const answer = await paying.fetch(wish('/cheap', name), { onPaid: (paid) => payments.push(paid) })
      assert.equal(await answer.text(), 'served')
    }
    assert.deepEqual(world.served, ['a', 'b', 'c'])
    assert.deepEqual(
      payments.map(({ cost, receipt }) => [cost, receipt?.usage, receipt?.balance]),
      [
        [PRICE, 100n, 900n],
        [PRICE, 200n, 800n],
        [PRICE, 300n, 700n],
      ],
    )
    const { payer, state } = await channelOf()
    assert.deepEqual([state.balance, payer.signed, payer.deposits.length], [1_000n, 300n, 1])
  })

  it('leaves what is free, and answers that are not the gateway’s, as they are', async () => {
    const { paying } = await world.client()
    world.handler = () => Response.json({ code: 'ERR_NOT_FOUND' }, { status: 404 })
    assert.equal((await paying.fetch(wish('/free/a', 'a'))).status, 404)
    const head = await paying.fetch(new Request(`${ORIGIN}/cheap`, { method: 'HEAD' }))
    assert.equal(head.headers.get('content-cost'), '0.0000000000000001')
    assert.equal((await world.book()).payers.length, 0)
  })

  it('pays for no answer that is no success', async () => {
    const { paying } = await world.client({ settings: { ahead: 0 } })
    world.handler = () => new Response('no', { status: 500 })
    assert.equal((await paying.fetch(wish('/cheap', 'a'))).status, 500)
    world.handler = () => new Response('yes')
    assert.equal(await (await paying.fetch(wish('/cheap', 'b'))).text(), 'yes')
    assert.equal((await channelOf()).payer.signed, PRICE)
  })

  it('tops the channel up when it comes to its end', async () => {
    const { paying } = await world.client({ settings: { ahead: 1, deposit: () => 250n } })
    for (let i = 0; i < 6; i++) assert.equal((await paying.fetch(wish('/cheap', String(i)))).status, 200)
    const { payer, state } = await channelOf()
    assert.equal(state.balance, 750n)
    assert.ok(payer.signed <= 700n)
  })

  it('makes one channel for requests that come at once', async () => {
    const { paying } = await world.client()
    const names = Array.from({ length: 20 }, (_, i) => String(i))
    const answers = await Promise.all(names.map((name) => paying.fetch(wish('/cheap', name))))
    assert.ok(answers.every(({ status }) => status === 200))
    assert.deepEqual(world.served.toSorted(), names.toSorted())
    const { payers } = await world.book()
    assert.deepEqual([payers.length, payers[0]?.deposits.length], [1, 1])
  })

  it('sends bodies that are proved, and pays once for what is paid once', async () => {
    const { paying } = await world.client({ settings: { ahead: 0 } })
    world.handler = async (request) => new Response(await request.text())
    const echoed = await paying.fetch(wish('/cheap', 'a', { method: 'POST', body: 'hello' }))
    assert.equal(await echoed.text(), 'hello')
    for (const name of ['b', 'c', 'd']) await paying.fetch(wish('/once/7', name))
    await paying.close()
    const { payer } = await channelOf()
    assert.equal(payer.agreed, 2n * PRICE)
  })

  it('buys credit in the name of a key, and more of it', async () => {
    const { paying } = await world.client({ settings: { deposit: () => 36_000n } })
    for (let i = 0; i < 3; i++) assert.equal((await paying.fetch(wish('/credit/a', String(i)))).status, 200)
    await paying.close()
    const { payers, spent, pending } = await world.book()
    assert.deepEqual(
      payers.map(({ scheme, agreed, deposits }) => [scheme, agreed, deposits.map(({ amount }) => amount)]),
      [['order', 300n, [36_000n]]],
    )
    assert.deepEqual([spent[0]?.total, pending], [36_000n, []])
  })

  it('gives what the payer chooses', async () => {
    const { paying } = await world.client({ settings: { ahead: 0 } })
    const payments: Payment[] = []
    const give = () => 700n
    const answer = await paying.fetch(wish('/gift', 'a'), { give, onPaid: (paid) => payments.push(paid) })
    assert.equal(answer.status, 200)
    assert.deepEqual([payments[0]?.cost, payments[0]?.receipt?.usage], [700n, 700n])
    await assert.rejects(paying.fetch(wish('/cheap', 'b'), { give }), refusedWith('ERR_NOTHING_TO_PAY'))
  })

  it('refuses what is over a cap, and spends nothing', async () => {
    const refused = { request: PRICE - 1n }
    const cheap = await world.client({ caps: refused })
    await assert.rejects(cheap.paying.fetch(wish('/cheap', 'a')), refusedWith('ERR_SPEND_CAP'))
    const { paying } = await world.client({ caps: { day: 250n }, settings: { ahead: 8 } })
    assert.equal((await paying.fetch(wish('/cheap', 'b'))).status, 200)
    assert.equal((await paying.fetch(wish('/cheap', 'c'))).status, 200)
    await assert.rejects(paying.fetch(wish('/cheap', 'd')), refusedWith('ERR_SPEND_CAP'))
    assert.equal((await channelOf()).payer.signed, 250n)
    await market.passSeconds(86_400)
    assert.equal((await paying.fetch(wish('/cheap', 'e'))).status, 200)
  })

  it('pays without caps only what somebody approves', async () => {
    const none = { caps: () => ({}) }
    const alone = await world.client({ settings: none })
    await assert.rejects(alone.paying.fetch(wish('/cheap', 'a')), refusedWith('ERR_SPEND_CAP'))
    const bills: string[] = []
    const approve = async ({ kind, amount }: { kind: string; amount: bigint }) => void bills.push(`${kind} ${amount}`)
    const { paying } = await world.client({ settings: { ...none, approve } })
    await paying.fetch(wish('/cheap', 'b'))
    await paying.fetch(wish('/cheap', 'c'))
    assert.deepEqual(bills, ['price 100', 'deposit 10000'])
  })

  it('takes no vendor over plain HTTP that nobody named, and remembers one that was approved', async () => {
    const { vendor: _named, ...unnamed } = { vendor: undefined }
    const stranger = await world.client({ settings: { ...unnamed, vendor: undefined as never } })
    await assert.rejects(stranger.paying.fetch(wish('/cheap', 'a')), refusedWith('ERR_VENDOR_UNNAMED'))
    const doubts: boolean[] = []
    const approve = async (bill: { kind: string; isDoubtful?: boolean }) => {
      if (bill.kind === 'price') doubts.push(bill.isDoubtful ?? false)
    }
    const { paying } = await world.client({ settings: { vendor: undefined as never, approve } })
    assert.equal((await paying.fetch(wish('/cheap', 'b'))).status, 200)
    assert.deepEqual(doubts, [true])
    const later = await world.client({ settings: { vendor: undefined as never } })
    assert.equal((await later.paying.fetch(wish('/cheap', 'c'))).status, 200)
  })

  it('goes on from what the keyring says in another process', async () => {
    for (const name of ['a', 'b', 'c']) {
      const { paying } = await world.client({ settings: { ahead: 0, deposit: () => 1_000n } })
      assert.equal((await paying.fetch(wish('/cheap', name))).status, 200)
    }
    const { payer } = await channelOf()
    assert.deepEqual([payer.signed, payer.deposits.length], [300n, 1])
  })

  it('makes a new voucher when the gateway has started anew', async () => {
    const { paying } = await world.client()
    await paying.fetch(wish('/cheap', 'a'))
    await world.restartGateway()
    assert.equal((await paying.fetch(wish('/cheap', 'b'))).status, 200)
    assert.deepEqual(world.served, ['a', 'b'])
  })

  it('waits for a deposit that the vendor does not see yet, and puts in no other', async () => {
    world.rails.isBlind = true
    const { paying } = await world.client({ settings: { tell: () => {} } })
    let asked = 0
    world.onTheWay = (request, onward) => {
      if (++asked === 5) world.rails.isBlind = false
      return onward(request)
    }
    assert.equal((await paying.fetch(wish('/cheap', 'a'))).status, 200)
    assert.equal((await channelOf()).payer.deposits.length, 1)
    world.rails.isBlind = true
  })

  it('gives up when a vendor never sees it', async () => {
    world.rails.isBlind = true
    const { paying } = await world.client()
    await assert.rejects(paying.fetch(wish('/cheap', 'a')), refusedWith('ERR_DEPOSIT_UNSEEN'))
    assert.equal((await channelOf()).payer.deposits.length, 1)
  })
})

describe('a body that costs by the bit', () => {
  const MEBIBYTE = 1024 * 1024
  /** Wei for 8,000 bits, at a thousandth of a wei each. */
  const costOf = (bytes: number): bigint => (BigInt(bytes) * 8n + 999n) / 1000n

  const PIECE = 64 * 1024
  const pieces = (count: number, from = 0): ReadableStream<Uint8Array> => {
    let sent = 0
    return new ReadableStream({
      pull(controller) {
        if (sent === count) return controller.close()
        controller.enqueue(new Uint8Array(PIECE).fill(from + ++sent))
      },
    })
  }

  it('passes through, and is paid to the bit', async () => {
    const { paying } = await world.client({ caps: { request: 10n ** 6n }, settings: { deposit: () => 10n ** 6n } })
    world.handler = () => new Response(pieces(50))
    const payments: Payment[] = []
    const answer = await paying.fetch(wish('/stream', 'a'), { onPaid: (paid) => payments.push(paid) })
    const body = new Uint8Array(await answer.arrayBuffer())
    assert.equal(body.length, 50 * PIECE)
    assert.equal(payments[0]?.cost, costOf(body.length))
    await paying.close()
    const { payer } = await channelOf()
    assert.equal(payer.agreed, costOf(body.length))
    assert.ok(payer.signed - payer.agreed <= costOf(MEBIBYTE))
  })

  it('is signed for no further than a window ahead of what has come', async () => {
    const { paying } = await world.client({ caps: { request: 10n ** 6n }, settings: { deposit: () => 10n ** 6n } })
    world.handler = () => new Response(pieces(40))
    const answer = await paying.fetch(wish('/stream', 'a'))
    let received = 0
    for await (const piece of answer.body ?? []) {
      received += piece.length
      const [signed = 0n] = [...world.rails.signed.values()]
      assert.ok(signed <= costOf(received + MEBIBYTE), `${signed} for ${received}`)
    }
    assert.equal(received, 40 * PIECE)
  })

  it('is asked for again from where it broke off, when the service can give the rest', async () => {
    const { paying } = await world.client({ caps: { request: 10n ** 6n }, settings: { deposit: () => 10n ** 6n } })
    world.handler = (request) => {
      const [, from] = /^bytes=(\d+)-$/.exec(request.headers.get('range') ?? '') ?? []
      const headers = { etag: '"v1"' }
      if (from === undefined) return new Response(pieces(10), { headers })
      assert.equal(request.headers.get('if-range'), '"v1"')
      const skipped = Number(from) / PIECE
      const range = { ...headers, 'content-range': `bytes ${from}-${10 * PIECE - 1}/${10 * PIECE}` }
      return new Response(pieces(10 - skipped, skipped), { status: 206, headers: range })
    }
    let breaks = 2
    world.onTheWay = async (request, onward) => {
      const answer = await onward(request)
      if (!request.url.endsWith('/stream') || answer.status >= 400 || breaks-- <= 0 || !answer.body) return answer
      const reader = answer.body.getReader()
      let left = 3
      const body = new ReadableStream({
        async pull(controller) {
          if (left-- > 0) return controller.enqueue((await reader.read()).value)
          await reader.cancel()
          controller.error(new NetworkError('ERR_NETWORK_UNREACHABLE', 'the exchange broke off'))
        },
      })
      return new Response(body, { status: answer.status, headers: answer.headers })
    }
    const body = new Uint8Array(await (await paying.fetch(wish('/stream', 'a'))).arrayBuffer())
    assert.deepEqual(
      Array.from({ length: 10 }, (_, i) => body[i * PIECE]),
      [1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
    )
    assert.equal(body.length, 10 * PIECE)
    assert.equal(world.served.length, 3)
  })

  it('is paid no further than the cap of a request', async () => {
    const cap = costOf(10 * PIECE)
    const { paying } = await world.client({ caps: { request: cap }, settings: { deposit: () => 10n ** 6n } })
    world.handler = () => new Response(pieces(40))
    const answer = await paying.fetch(wish('/stream', 'a'))
    let received = 0
    const reading = async () => {
      for await (const piece of answer.body ?? []) {
        received += piece.length
        if (received >= 10 * PIECE) world.endPatience()
      }
    }
    await assert.rejects(reading(), { code: 'ERR_NETWORK_UNREACHABLE' })
    assert.equal(costOf(received), cap)
    const [signed] = [...world.rails.signed.values()]
    assert.equal(signed, cap)
  })
})
