import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createSpender, createKeyRail, keyPayer, startGateway } from './testing.ts'

const alice = keyPayer(3)

describe('SEED 004 Implementation details with NANO 4', () => {
  const settings = { rest: { afterSeconds: 60, minimum: '0.003' } }

  const shortOf = async (amount: bigint) => {
    const rail = createKeyRail()
    const service = await startGateway({ rails: { test: rail }, settings })
    await service.credit(rail, alice, amount)
    const spender = await createSpender(alice)
    while ((await service.fetch(spender.ask('GET', '/a'))).status === 200) continue
    return { rail, service }
  }

  it('if no other send block is there, what is left is refunded', async (t) => {
    const { rail, service } = await shortOf(150n)
    t.after(() => service.stop())
    await service.expire()
    assert.equal(rail.refunds.length, 0)
    service.clock.nowMs += 61_000
    await service.expire()
    await service.expire()
    assert.deepEqual(
      rail.refunds.map(({ amount, to }) => [amount, to]),
      [[50n, `to-${alice.account}`]],
    )
  })

  it('unless it is less than the minimum, or more came', async (t) => {
    const little = await shortOf(120n)
    const more = await shortOf(150n)
    t.after(() => Promise.all([little.service.stop(), more.service.stop()]))
    await more.service.credit(more.rail, alice, 10n)
    for (const { rail, service } of [little, more]) {
      service.clock.nowMs += 61_000
      await service.expire()
      await service.expire()
      assert.equal(rail.refunds.length, 0)
    }
  })
})

describe('while the database is away for a time', () => {
  const settings = { rest: { afterSeconds: 60, minimum: '0.003' } }

  it('nothing ends: it tidies up, and gives back what is left, once the database is there again', async (t) => {
    let isAway = false
    const rail = createKeyRail()
    // A rest cannot be paid, and just then the database goes away.
    rail.refundOutcome = 'never'
    const { refund } = rail
    const asked: string[] = []
    rail.refund = (given, signal) => {
      asked.push(given.id)
      isAway = asked.length === 1
      return refund(given, signal)
    }
    const service = await startGateway({ rails: { test: rail }, settings, isAway: () => isAway })
    t.after(() => service.stop())
    await service.credit(rail, alice, 150n)
    const spender = await createSpender(alice)
    while ((await service.fetch(spender.ask('GET', '/a'))).status === 200) continue

    isAway = true
    service.clock.nowMs += 61_000
    for (let times = 0; times < 3; times++) await service.expire()
    assert.equal(asked.length, 0)
    isAway = false
    await service.expire()
    for (let times = 0; times < 3; times++) await service.expire()
    assert.ok(isAway)
    isAway = false
    for (let times = 0; times < 3; times++) await service.expire()

    assert.equal(new Set(asked).size, 1)
    const usage = await service.fetch((await createSpender(alice)).ask('GET', '/usage'))
    assert.equal(((await usage.json()) as { balance: string }).balance, '50', 'what nobody can be paid is put back')
  })
})
