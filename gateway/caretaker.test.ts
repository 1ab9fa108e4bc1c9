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
