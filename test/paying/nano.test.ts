import assert from 'node:assert/strict'
import { after, beforeEach, describe, it } from 'node:test'
import type { BuyerError } from '../../buyer/errors.ts'
import { chosenOf } from '../../buyer/lib/paying/give.ts'
import { createNanoWallet } from '../../buyer/lib/paying/nano-wallet.ts'
import { NetworkError, type Network } from '../../effects/network.ts'
import { createNanoNetwork } from '../../sim/nano/network.ts'
import { createNanoRpc } from '../../sim/nano/rpc.ts'
import { createNanoWallet as simWallet, EASY_WORK, genesisOf, nanoAccount, nanoKey } from '../../sim/nano/wallet.ts'
import { createSimRandom } from '../../sim/random.ts'
import { openPayingWorld, ORIGIN, PRICE, wish } from './world.ts'

const world = await openPayingWorld()
after(() => world.close())

const GENESIS = nanoKey(1)
const PAYER = nanoKey(7)
const SERVICE = nanoAccount(nanoKey(1_000))
const FORTUNE = 10n ** 32n
/** What an answer costs, raw: the price of the other routes, in whole units, on 30 decimals. */
const RAW = PRICE * 10n ** 12n

const refusedWith = (code: string) => (error: BuyerError) => {
  assert.equal(error.code, code, error.stack)
  return true
}

type Answer = (body: string) => Promise<Response>

/** A payer with money, on a network whose elections end at once. */
const openNano = () => {
  const loop = {
    nowMs: () => 0,
    schedule(_ms: number, task: () => void) {
      const soon = setImmediate(task)
      return () => clearImmediate(soon)
    },
  }
  const nano = createNanoNetwork({ loop, random: createSimRandom(1), genesis: genesisOf(GENESIS), work: EASY_WORK })
  const answer = createNanoRpc(nano, EASY_WORK)
  const payer = simWallet(nano, PAYER)
  payer.receive(simWallet(nano, GENESIS).send(payer.account, FORTUNE))
  const on = { answer: (async (body) => Response.json(answer(body))) as Answer }
  const network = { fetch: async (request: Request) => on.answer(await request.text()) } as unknown as Network
  const open = () =>
    createNanoWallet({ network }, { rpc: 'http://node:7076', secretKey: PAYER, threshold: EASY_WORK.send })
  const sends = () => nano.ledger.receivable(SERVICE)
  return { nano, payer, on, open, sends, answer }
}
type Nano = ReturnType<typeof openNano>

let nano: Nano
beforeEach(async () => {
  await world.reset()
  nano = openNano()
  world.rails.nanoBooks = { serviceAccount: SERVICE, sends: () => nano.sends() }
})

const caps = { request: RAW, vendor: 10n ** 30n, day: 10n ** 30n }
const client = (diesAfter = Infinity) =>
  world.client({ caps, diesAfter, settings: { nano: nano.open(), deposit: () => 10n * RAW } })
const sent = (): bigint => nano.sends().reduce((sum, { amount }) => sum + amount, 0n)

describe('paying in nano', () => {
  it('sends to the service once, and pays many requests by vouchers of the account', async () => {
    const { paying } = await client()
    for (let i = 0; i < 12; i++) assert.equal((await paying.fetch(wish('/nano/a', String(i)))).status, 200)
    await paying.close()
    const { payers, spent } = await world.book()
    assert.deepEqual([payers[0]?.account, payers[0]?.agreed], [nano.payer.account, 12n * RAW])
    assert.deepEqual([sent(), spent[0]?.total], [20n * RAW, 20n * RAW])
  })

  it('killed between any two steps, sends once and pays once', async () => {
    const whole = await client()
    assert.equal((await whole.paying.fetch(wish('/nano/a', 'a'))).status, 200)
    for (let diesAfter = 1; diesAfter <= whole.steps(); diesAfter++) {
      await world.reset()
      nano = openNano()
      world.rails.nanoBooks = { serviceAccount: SERVICE, sends: () => nano.sends() }
      const asked = () => wish('/nano/a', 'a', { headers: { 'idempotency-key': 'a' } })
      const first = await client(diesAfter)
      await first.live(first.paying.fetch(asked()))
      first.kill()
      assert.equal((await (await client()).paying.fetch(asked())).status, 200)
      assert.equal(sent(), 10n * RAW, `after ${diesAfter} steps`)
    }
  })

  it('publishes the same block again when the node’s answer was lost', async () => {
    let lost = 1
    nano.on.answer = async (body) => {
      const answer = Response.json(nano.answer(body))
      if (body.includes('"process"') && lost-- > 0) throw new NetworkError('ERR_NETWORK_TIMEOUT', 'gone')
      return answer
    }
    const first = await client()
    await assert.rejects(first.paying.fetch(wish('/nano/a', 'a')), refusedWith('ERR_NETWORK_TIMEOUT'))
    const again = await client()
    assert.equal((await again.paying.fetch(wish('/nano/a', 'a'))).status, 200)
    assert.equal(sent(), 10n * RAW)
  })

  it('is not misled by a node about what it has', async () => {
    nano.on.answer = async (body) => {
      const answer = nano.answer(body) as { contents?: { balance: string } }
      if (answer.contents) answer.contents.balance = String(BigInt(answer.contents.balance) / 2n)
      return Response.json(answer)
    }
    const { paying } = await client()
    await assert.rejects(paying.fetch(wish('/nano/a', 'a')), refusedWith('ERR_NANO_UNREACHABLE'))
    assert.equal(sent(), 0n)
  })

  it('counts nothing as spent where another program used the account first', async () => {
    let raced = false
    nano.on.answer = async (body) => {
      if (body.includes('"process"') && !raced) {
        raced = true
        nano.payer.send(nanoAccount(nanoKey(55)), 1n)
        await new Promise((resolve) => setImmediate(() => setImmediate(resolve)))
      }
      return Response.json(nano.answer(body))
    }
    const { paying } = await client()
    await assert.rejects(paying.fetch(wish('/nano/a', 'a')), refusedWith('ERR_NANO_LOST'))
    assert.equal((await paying.fetch(wish('/nano/a', 'a'))).status, 200)
    assert.equal((await world.book()).spent[0]?.total, 10n * RAW)
  })

  it('puts in by hand, and asks for what is left', async () => {
    const { paying } = await client()
    const place = await paying.place(`${ORIGIN}/nano/a`)
    const made = await paying.deposit(place, chosenOf(place, { scheme: 'nano' }), 5n * RAW)
    assert.equal((await paying.deposit(place, chosenOf(place, {}), 5n * RAW)).isResumed, true)
    await made.acknowledge()
    assert.equal((await paying.fetch(wish('/nano/a', 'a'))).status, 200)
    await paying.close()
    const refunded = await paying.refund(place, chosenOf(place, {}))
    assert.deepEqual([refunded.to, refunded.amount, refunded.state], [nano.payer.account, 4n * RAW, 'paid'])
    await assert.rejects(paying.refund(place, chosenOf(place, {}), 'nano_1'), refusedWith('ERR_ADDRESS_INVALID'))
  })

  it('is left to others where there is no wallet', async () => {
    const { paying } = await world.client({ caps })
    await assert.rejects(paying.fetch(wish('/nano/a', 'a')), refusedWith('ERR_NO_WAY_TO_PAY'))
  })
})
