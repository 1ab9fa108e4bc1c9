import assert from 'node:assert/strict'
import { after, beforeEach, describe, it } from 'node:test'
import type { BuyerError } from '../../buyer/errors.ts'
import { chosenOf } from '../../buyer/lib/paying/give.ts'
import type { PayingFetch } from '../../buyer/lib/paying/index.ts'
import { paymentsCall } from '../../chain/contracts.ts'
import { parseAddress, type Address, type Hex } from '../../chain/types.ts'
import { claimsOf } from './hostile.ts'
import { openPayingWorld, ORIGIN, PRICE, wish } from './world.ts'

const world = await openPayingWorld()
const { market } = world
after(() => world.close())
beforeEach(() => world.reset())

const refusedWith = (code: string) => (error: BuyerError) => {
  assert.equal(error.code, code, error.stack)
  return true
}
const SOMEBODY = parseAddress('0x00000000000000000000000000000000000abcde') as Address
const settings = { ahead: 4, deposit: () => 1_000n }

const putIn = async (paying: PayingFetch, amount: bigint, scheme: 'channel' | 'order' = 'channel') => {
  const place = await paying.place(`${ORIGIN}/cheap`)
  return paying.deposit(place, chosenOf(place, { scheme }), amount)
}

describe('a deposit by hand', () => {
  it('is made once until somebody was told of it, wherever it is cut off', async () => {
    const whole = await world.client()
    const made = await putIn(whole.paying, 700n)
    assert.deepEqual([made.isResumed, made.amount], [false, 700n])
    const steps = whole.steps()
    for (let diesAfter = 1; diesAfter <= steps; diesAfter += 2) {
      await world.reset()
      const first = await world.client({ diesAfter })
      await first.live(putIn(first.paying, 700n))
      first.kill()
      const again = await world.client()
      const told = await putIn(again.paying, 700n)
      const [account] = await again.paying.accounts()
      assert.equal(account?.deposited, 700n, `after ${diesAfter} steps`)
      await told.acknowledge()
      assert.equal((await putIn(again.paying, 700n)).isResumed, false)
      assert.equal((await again.paying.accounts())[0]?.deposited, 1_400n)
    }
  })

  it('of credit is whole periods of the plan, and counts as spent', async () => {
    const { paying } = await world.client({ caps: { vendor: 80_000n } })
    const made = await putIn(paying, 36_001n, 'order')
    assert.deepEqual([made.scheme, made.amount], ['order', 72_000n])
    assert.deepEqual([(await putIn(paying, 36_001n, 'order')).isResumed], [true])
    await made.acknowledge()
    await assert.rejects(putIn(paying, 36_000n, 'order'), refusedWith('ERR_SPEND_CAP'))
    assert.equal((await paying.fetch(wish('/credit/a', 'a'))).status, 200)
  })

  it('is found at an endpoint of the vendor, where one asks for payment', async () => {
    const { paying } = await world.client()
    const place = await paying.place('1')
    assert.equal(place.asked.url.href, `${ORIGIN}/base`)
    await assert.rejects(paying.place(`${ORIGIN}/free/a`), refusedWith('ERR_NOTHING_TO_PAY'))
  })
})

describe('a refund', () => {
  it('gives back what is not used, to any address, and ends an account of which more is signed', async () => {
    const { paying } = await world.client({ settings })
    await paying.fetch(wish('/cheap', 'a'))
    const place = await paying.place(`${ORIGIN}/cheap`)
    const refunded = await paying.refund(place, chosenOf(place, {}), SOMEBODY)
    assert.deepEqual([refunded.state, refunded.amount, refunded.to], ['paid', 1_000n - PRICE, SOMEBODY])
    assert.equal(await market.balanceWei(SOMEBODY), 1_000n - PRICE)
    const [account] = await paying.accounts()
    assert.deepEqual([account?.standing, account?.deposited, account?.signed], ['closed', PRICE, 5n * PRICE])
    const later = await world.client({ settings })
    assert.equal((await later.paying.fetch(wish('/cheap', 'b'))).status, 200)
    assert.equal((await later.paying.accounts()).length, 2)
  })

  it('leaves an account open of which no more is signed than was used', async () => {
    const exact = { ...settings, ahead: 0 }
    const { paying } = await world.client({ settings: exact })
    await paying.fetch(wish('/cheap', 'a'))
    const place = await paying.place(`${ORIGIN}/cheap`)
    await paying.refund(place, chosenOf(place, {}))
    const later = await world.client({ settings: exact })
    assert.equal((await later.paying.fetch(wish('/cheap', 'b'))).status, 200)
    const accounts = await later.paying.accounts()
    assert.deepEqual([accounts.length, accounts[0]?.signed], [1, 2n * PRICE])
  })

  it('of credit is asked for with its key', async () => {
    const { paying } = await world.client()
    await paying.fetch(wish('/credit/a', 'a'))
    await paying.close()
    const place = await paying.place(`${ORIGIN}/credit/a`)
    const refunded = await paying.refund(place, chosenOf(place, {}), SOMEBODY)
    assert.deepEqual([refunded.state, refunded.amount], ['paid', 36_000n - PRICE])
  })

  it('is refused for an address with a wrong character', async () => {
    const { paying } = await world.client()
    await paying.fetch(wish('/cheap', 'a'))
    const place = await paying.place(`${ORIGIN}/cheap`)
    await assert.rejects(paying.refund(place, chosenOf(place, {}), '0x12'), refusedWith('ERR_ADDRESS_INVALID'))
  })
})

describe('a withdrawal', () => {
  it('gets back what the vendor did not cash, after its delay, without the vendor', async () => {
    const { paying } = await world.client({ settings })
    await paying.fetch(wish('/cheap', 'a'))
    const [channel] = await paying.accounts()
    const id = channel?.account.slice(0, 12) ?? ''
    const asked = await paying.withdraw(id, SOMEBODY)
    assert.deepEqual([asked.step, asked.amount], ['requested', 1_000n])
    await assert.rejects(paying.withdraw(id), refusedWith('ERR_WITHDRAWAL_EARLY'))
    const [payer] = (await world.book()).payers
    const { payer: from, signer, token, withdrawDelay, salt } = payer!.channel!
    const given = { vendorId: 1n, payer: from, signer, token, withdrawDelay, salt }
    // In time the vendor cashes the last voucher.
    const voucher = await lastVoucher()
    await market.asVendor(paymentsCall(market.payments, 'claim', [{ settings: given, ...voucher }]))
    await market.passSeconds(withdrawDelay)
    const done = await paying.withdraw(id)
    assert.deepEqual([done.step, done.to], ['withdrawn', SOMEBODY])
    assert.equal(await market.balanceWei(SOMEBODY), 1_000n - voucher.cumulative)
    await assert.rejects(paying.withdraw(id), refusedWith('ERR_BALANCE'))
  })

  it('makes the next request pay by another channel', async () => {
    const { paying } = await world.client({ settings })
    await paying.fetch(wish('/cheap', 'a'))
    const [channel] = await paying.accounts()
    await paying.withdraw(channel?.account ?? '')
    const later = await world.client({ settings })
    assert.equal((await later.paying.fetch(wish('/cheap', 'b'))).status, 200)
    const standings = (await later.paying.accounts()).map(({ standing }) => standing)
    assert.deepEqual(standings, ['closing', 'open'])
    await assert.rejects(paying.withdraw('0x000000'), refusedWith('ERR_CHANNEL_UNKNOWN'))
  })
})

const lastVoucher = async (): Promise<{ cumulative: bigint; signature: Hex }> => {
  const paid = world.passed.filter(({ headers }) => headers.has('payment-voucher')).at(-1)
  const { cumulative = '0', signature = '0x' } = (paid && (await claimsOf(paid))) ?? {}
  return { cumulative: BigInt(cumulative), signature: signature as Hex }
}
