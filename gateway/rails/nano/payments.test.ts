import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { nanoAccount, nanoKey } from '../../../sim/nano/wallet.ts'
import { blockOf, nextPayment, type Payment, receiveOf, refundOf, waitingPayers } from './payments.ts'

const [alice, bob] = [nanoAccount(nanoKey(1)), nanoAccount(nanoKey(2))]
const receive = (hash: string, account: string, amount: bigint): Payment => receiveOf({ hash, account, amount })
const refund = (id: string, account: string, amount: bigint): Payment => refundOf(id, account, amount, account)
const next = (possible: readonly Payment[], balance: bigint) => nextPayment(possible, balance)?.id

describe('the next payment', () => {
  it('is nothing where nothing is wanted', () => {
    assert.equal(next([], 5n), undefined)
  })

  it('is a refund before a receive, and the oldest of each kind', () => {
    const wanted = [receive('A', bob, 1n), refund('1', alice, 3n), refund('2', alice, 2n)]
    assert.equal(next(wanted, 3n), 'refund:1')
    assert.equal(next(wanted, 2n), 'refund:2')
    assert.equal(next([receive('A', bob, 1n), receive('B', bob, 1n)], 0n), 'receive:A')
  })

  it('is to receive what the payer of a waiting refund sent, before what others did', () => {
    assert.equal(next([receive('A', bob, 9n), refund('1', alice, 3n), receive('B', alice, 3n)], 2n), 'receive:B')
    assert.deepEqual(waitingPayers([refund('1', alice, 3n), refund('2', bob, 1n)], 0n), [alice, bob])
    assert.deepEqual(waitingPayers([refund('1', alice, 3n), refund('2', bob, 1n)], 2n), [])
  })

  it('is to receive what there is where a refund waits in vain', () => {
    assert.equal(next([refund('1', alice, 3n), receive('A', bob, 1n)], 0n), 'receive:A')
    assert.equal(next([refund('1', alice, 3n)], 0n), undefined)
  })

  it('never takes the balance below zero, and leaves nothing undone that can be done', () => {
    const payment = fc
      .record({ kind: fc.boolean(), payer: fc.constantFrom(alice, bob), amount: fc.bigInt({ min: 1n, max: 50n }) })
      .map(({ kind, payer, amount }) => ({ kind, payer, amount }))
    fc.assert(
      fc.property(fc.array(payment, { maxLength: 12 }), (drawn) => {
        let left = drawn.map(({ kind, payer, amount }, at) =>
          kind ? receive(String(at), payer, amount) : refund(String(at), payer, amount),
        )
        let tip = { hash: '0'.repeat(64), balance: 0n, representative: bob }
        for (let made = nextPayment(left, 0n); made; made = nextPayment(left, tip.balance)) {
          const { balance } = blockOf(made, alice, tip)
          assert.ok(balance >= 0n)
          tip = { ...tip, balance }
          const { id } = made
          left = left.filter((other) => other.id !== id)
        }
        assert.ok(left.every(({ kind, amount }) => kind === 'send' && amount > tip.balance))
      }),
    )
  })
})
