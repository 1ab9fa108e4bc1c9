import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import type { Hash } from '../../chain/types.ts'
import { createRandom } from '../../effects/random.ts'
import { fromUtf8 } from '../../protocol/bytes.ts'
import { seal, SEAL_NONCE_BYTES, unseal } from '../../protocol/sealed-file.ts'
import { createSimFiles } from '../../sim/files.ts'
import { createLife } from '../../sim/life.ts'
import { rsaKeys } from '../../sim/rsa-keys.ts'
import { importAccount } from './account.ts'
import { createKeyring, KEYRING_FILE } from './keyring.ts'
import { addPurchase, findOrder, mergeKeyrings, PURCHASE_STATES, type KeyringContent } from './keyring-content.ts'
import type { KeyringOrder, Purchase } from './keyring-content.ts'

const ACCOUNT = importAccount('11'.repeat(32))
const SECOND = importAccount('22'.repeat(32))

const open = (disk: Map<string, Uint8Array>, passphrase = 'right') =>
  createKeyring(
    createSimFiles(disk, createLife(), () => {}),
    createRandom(),
    {
      passphrase: () => Promise.resolve(passphrase),
      scryptLogN: 10,
    },
  )

const orderId = (number: number) => `0x${number.toString(16).padStart(64, '0')}` as Hash
const order = (number: number): Omit<KeyringOrder, 'purchases'> => ({
  orderId: orderId(number),
  vendor: `chrove:eip155:1:0x${'ab'.repeat(20)}/1`,
  planId: 1,
  key: rsaKeys[0] as KeyringOrder['key'],
  controller: ACCOUNT.address,
})
const purchase = (id: string, state: Purchase['state'] = 'paid', acknowledged = true): Purchase => ({
  id,
  state,
  periods: 1,
  priceWei: 2n ** 100n,
  account: ACCOUNT.address,
  intendedAtSeconds: 1,
  acknowledged,
})

describe('the keyring', () => {
  it('holds what was put in, for the next process', async () => {
    const disk = new Map<string, Uint8Array>()
    const keyring = open(disk)
    await keyring.create(ACCOUNT)
    const written = await keyring.update((content) => addPurchase(content, order(1), purchase('a')))
    assert.deepEqual(await open(disk).read(), written)
    assert.equal(written.orders[0]?.purchases[0]?.priceWei, 2n ** 100n)
  })

  it('opens with its passphrase only, and shows nothing without', async () => {
    const disk = new Map<string, Uint8Array>()
    await open(disk).create(ACCOUNT)
    await assert.rejects(open(disk, 'wrong').read(), { code: 'ERR_SEALED_FILE' })
    const text = fromUtf8(disk.get(KEYRING_FILE) ?? new Uint8Array())
    assert.ok(!text.includes(ACCOUNT.address.slice(2, 12)) && !text.includes('11111111'))
  })

  it('of an older version, which does not say what was told, opens with all of it told', async () => {
    const disk = new Map<string, Uint8Array>()
    const keyring = open(disk)
    await keyring.create(ACCOUNT)
    await keyring.update((content) => addPurchase(content, order(1), purchase('a')))
    const { value, sealing } = unseal(await keyring.backup(), 'right')
    const older = JSON.parse(JSON.stringify(value), (name, member: unknown) =>
      name === 'acknowledged' ? undefined : member,
    ) as unknown
    disk.set(KEYRING_FILE, seal(older, sealing, new Uint8Array(SEAL_NONCE_BYTES)))
    assert.equal((await open(disk).read()).orders[0]?.purchases[0]?.acknowledged, true)
  })

  it('is made once, and missed when it is not there', async () => {
    const disk = new Map<string, Uint8Array>()
    await assert.rejects(open(disk).read(), { code: 'ERR_KEYRING_MISSING' })
    await open(disk).create(ACCOUNT)
    await assert.rejects(open(disk).create(SECOND), { code: 'ERR_KEYRING_EXISTS' })
  })

  it('loses no change of several that are made at once', async () => {
    const disk = new Map<string, Uint8Array>()
    const keyring = open(disk)
    await keyring.create(ACCOUNT)
    const numbers = Array.from({ length: 20 }, (_, index) => index + 1)
    await Promise.all(
      numbers.map((number) => keyring.update((content) => addPurchase(content, order(number), purchase('a')))),
    )
    assert.equal((await open(disk).read()).orders.length, numbers.length)
  })

  it('takes up what another process has written meanwhile', async () => {
    const disk = new Map<string, Uint8Array>()
    const [one, other] = [open(disk), open(disk)]
    await one.create(ACCOUNT)
    await other.update((content) => addPurchase(content, order(1), purchase('a')))
    await one.update((content) => addPurchase(content, order(2), purchase('b')))
    assert.equal((await other.read()).orders.length, 2)
  })

  it('restores every order from a backup, into nothing and into another keyring', async () => {
    const [disk, empty, used] = [new Map(), new Map(), new Map()] as Map<string, Uint8Array>[]
    const keyring = open(disk as Map<string, Uint8Array>)
    await keyring.create(ACCOUNT)
    await keyring.update((content) => addPurchase(content, order(1), purchase('a')))
    const backup = await keyring.backup()
    assert.deepEqual(await open(empty as Map<string, Uint8Array>).restore(backup), await keyring.read())

    const another = open(used as Map<string, Uint8Array>)
    await another.create(SECOND)
    await another.update((content) => addPurchase(content, order(2), purchase('b')))
    const merged = await another.restore(backup)
    assert.deepEqual(merged.accounts, [SECOND, ACCOUNT])
    assert.deepEqual(
      merged.orders.map((each) => each.orderId),
      [orderId(2), orderId(1)],
    )
    await assert.rejects(open(empty as Map<string, Uint8Array>, 'wrong').restore(backup), { code: 'ERR_SEALED_FILE' })
  })

  it('takes no file for a keyring that is none', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), async (bytes) => {
        await assert.rejects(open(new Map([[KEYRING_FILE, bytes]])).read(), (error: { code: string }) =>
          /^ERR_(SEALED_FILE|JSON_INVALID)$/.test(error.code),
        )
      }),
    )
  })
})

describe('finding an order by the start of its id', () => {
  const content: KeyringContent = {
    format: 'chrove-keyring-1',
    accounts: [ACCOUNT],
    orders: [0xabcd00, 0xabcd01].map((number) => ({
      ...order(number),
      orderId: `0x${number.toString(16)}${'0'.repeat(58)}` as Hash,
      purchases: [purchase('a')],
    })),
  }

  it('takes any start that only one order has', () => {
    assert.equal(findOrder(content, '0xABCD01').orderId, content.orders[1]?.orderId)
  })

  it('refuses one that is too short, ambiguous, or of no order', () => {
    for (const text of ['0xabcd0', '0xabcd', '0xffffff', 'abcd01', '0x', ''])
      assert.throws(() => findOrder(content, text), { code: 'ERR_ORDER_UNKNOWN' })
  })
})

describe('merging two keyrings', () => {
  const purchases = fc.uniqueArray(
    fc.record({
      id: fc.constantFrom('a', 'b', 'c'),
      state: fc.constantFrom(...PURCHASE_STATES),
      acknowledged: fc.boolean(),
    }),
    { minLength: 1, selector: ({ id }) => id },
  )
  const orders = fc.uniqueArray(fc.record({ number: fc.integer({ min: 1, max: 4 }), purchases }), {
    selector: ({ number }) => number,
  })
  const keyring = fc
    .tuple(fc.subarray([ACCOUNT, SECOND], { minLength: 1 }), orders)
    .map(([accounts, all]): KeyringContent => ({
      format: 'chrove-keyring-1',
      accounts,
      orders: all.map((each) => ({
        ...order(each.number),
        purchases: each.purchases.map(({ id, state, acknowledged }) => purchase(id, state, acknowledged)),
      })),
    }))
  /** How far each purchase is, by what only grows. */
  const progress = (content: KeyringContent) =>
    new Map(
      content.orders.flatMap(({ orderId: of, purchases: all }) =>
        all.flatMap(({ id, state, acknowledged }) => [
          [`${of} ${id} state`, PURCHASE_STATES.indexOf(state)] as const,
          [`${of} ${id} acknowledged`, Number(acknowledged)] as const,
        ]),
      ),
    )

  it('loses no account, order or purchase, and takes none back', () => {
    fc.assert(
      fc.property(keyring, keyring, (ours, theirs) => {
        const merged = mergeKeyrings(ours, theirs)
        const known = progress(merged)
        for (const [name, far] of [...progress(ours), ...progress(theirs)]) assert.ok((known.get(name) ?? -1) >= far)
        for (const { address } of [...ours.accounts, ...theirs.accounts]) {
          assert.ok(merged.accounts.some((account) => account.address === address))
        }
        assert.deepEqual(merged.accounts[0], ours.accounts[0])
      }),
    )
  })

  it('with itself changes nothing', () => {
    fc.assert(fc.property(keyring, (content) => assert.deepEqual(mergeKeyrings(content, content), content)))
  })
})
