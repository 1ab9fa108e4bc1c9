import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { TransactionError } from '../../chain/errors.ts'
import type { Account } from '../../chain/transactions.ts'
import type { Address, Hash } from '../../chain/types.ts'
import { rsaKeys } from '../../sim/rsa-keys.ts'
import { importAccount } from './account.ts'
import { resume } from './journal.ts'
import type { Keyring } from './keyring.ts'
import type { KeyringContent, KeyringOrder, Purchase } from './keyring-content.ts'
import type { Market } from './market.ts'

const HASH = `0x${'ab'.repeat(32)}` as Hash

/** A keyring with one purchase of a vendor on chain 1. */
const keyringWith = (state: Purchase['state']): Keyring => {
  const account = importAccount('11'.repeat(32))
  const { address } = account
  const purchase: Purchase = {
    id: 'a',
    state,
    periods: 1,
    priceWei: 1n,
    account: address,
    intendedAtSeconds: 1,
    transaction: { raw: '0x00', hash: HASH },
    acknowledged: false,
  }
  const vendor = `chrove:eip155:1:0x${'ab'.repeat(20)}/1`
  const key = rsaKeys[0] as KeyringOrder['key']
  const order = { orderId: HASH, vendor, planId: 1, key, controller: address, purchases: [purchase] }
  let content: KeyringContent = { format: 'chrove-keyring-1', accounts: [account], orders: [order] }
  return {
    read: async () => content,
    update: async (change) => (content = change(content)),
  } as Keyring
}

const stateIn = async (keyring: Keyring) => (await keyring.read()).orders[0]?.purchases[0]?.state

/** A market whose node has no receipt, or one of a transaction that changed nothing. */
const marketOf = (chainId: bigint, receipt?: { readonly succeeded: false }): Market =>
  ({ chainId, rpc: { receipt: async () => receipt } }) as unknown as Market

/** For a node that will not take the transaction, and never again. */
const refusing = (_address: Address): Account =>
  ({
    resend: () => Promise.reject(new TransactionError('ERR_TRANSACTION_REFUSED', 'the node refused it', HASH)),
  }) as unknown as Account

describe('resuming', () => {
  for (const state of ['signed', 'paid'] as const) {
    it(`lets a ${state} purchase be while the settings are those of another chain`, async () => {
      const keyring = keyringWith(state)
      assert.deepEqual(await resume(keyring, marketOf(5n), refusing), [])
      assert.equal(await stateIn(keyring), state)
      assert.deepEqual(await resume(keyring, marketOf(1n), refusing), [{ orderId: HASH, outcome: 'failed' }])
      assert.equal(await stateIn(keyring), 'failed')
    })
  }

  it('finds that a paid purchase was undone, and put into another block where it changed nothing', async () => {
    const keyring = keyringWith('paid')
    const resumed = await resume(keyring, marketOf(1n, { succeeded: false }), refusing)
    assert.deepEqual(resumed, [{ orderId: HASH, outcome: 'failed' }])
    assert.equal(await stateIn(keyring), 'failed')
  })
})
