import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { fromUtf8, utf8 } from './bytes.ts'
import { SIGNED_ORDER_BYTES_MAX } from './limits.ts'
import {
  authorizationOf,
  formatSignedOrder,
  parseSignedOrder,
  signedOrderDigest,
  type SignedCancellation,
  type SignedPurchase,
} from './signed-order.ts'
import { digestOf, paymentsDomain } from './typed-data.ts'

type Hex = `0x${string}`
const bytes = (byte: string, count: number): Hex => `0x${byte.repeat(count)}`

const common = {
  format: 'chrove-signed-order-1',
  chainId: 8453n,
  registry: bytes('5a', 20),
  payments: bytes('5b', 20),
} as const
const purchase: SignedPurchase = {
  ...common,
  kind: 'purchase',
  payBy: 'permit',
  purchase: {
    vendorId: 2n ** 64n - 1n,
    planId: 7,
    keyHash: bytes('ab', 32),
    periods: 3,
    controller: bytes('11', 20),
    payer: bytes('12', 20),
    amount: 2n ** 128n - 1n,
    salt: bytes('cd', 32),
    deadline: 2n ** 40n,
  },
  signature: bytes('01', 65),
  permit: bytes('02', 65),
}
const cancellation: SignedCancellation = {
  ...common,
  kind: 'cancellation',
  cancellation: { orderId: bytes('ef', 32), startedAt: 1_700_000_000, refundTo: bytes('13', 20), deadline: 5n },
  signature: bytes('03', 65),
}

/** A file with some members changed; a name with dots goes deeper, and `undefined` takes a member away. */
const changed = (order: SignedPurchase | SignedCancellation, path: string, value: unknown): Uint8Array => {
  const file = JSON.parse(fromUtf8(formatSignedOrder(order))) as Record<string, unknown>
  const names = path.split('.')
  const last = names.pop() ?? ''
  const inside = names.reduce((at, name) => at[name] as Record<string, unknown>, file)
  inside[last] = value
  return utf8(JSON.stringify(file))
}

describe('a signed order', () => {
  it('is read as it was written', () => {
    const { permit: _none, ...authorized } = { ...purchase, payBy: 'authorization' as const }
    for (const order of [purchase, authorized, cancellation])
      assert.deepEqual(parseSignedOrder(formatSignedOrder(order)), order)
  })

  it('says in JSON what its fields are called, with amounts as decimal text', () => {
    const file = JSON.parse(fromUtf8(formatSignedOrder(purchase))) as {
      chainId: unknown
      purchase: { amount: unknown }
    }
    assert.deepEqual([file.chainId, file.purchase.amount], ['8453', '340282366920938463463374607431768211455'])
    assert.ok(formatSignedOrder(purchase).length < SIGNED_ORDER_BYTES_MAX / 4)
  })

  const strays: readonly (readonly [string, unknown])[] = [
    ['format', 'chrove-signed-order-2'],
    ['kind', 'cancellation'],
    ['kind', 'gift'],
    ['payBy', 'allowance'],
    ['chainId', 8453],
    ['chainId', '0x2105'],
    ['chainId', '08453'],
    ['chainId', (2n ** 256n).toString()],
    ['registry', undefined],
    ['payments', bytes('5B', 20)],
    ['payments', bytes('5b', 21)],
    ['payments', '0x'],
    ['purchase.vendorId', (2n ** 64n).toString()],
    ['purchase.planId', 0],
    ['purchase.planId', 2 ** 32],
    ['purchase.periods', 65_536],
    ['purchase.periods', 1.5],
    ['purchase.amount', (2n ** 128n).toString()],
    ['purchase.amount', '-1'],
    ['purchase.amount', '1e3'],
    ['purchase.salt', bytes('cd', 31)],
    ['purchase.tip', '1'],
    ['signature', bytes('01', 64)],
    ['permit', '0x'],
    ['note', 'hello'],
  ]
  for (const [path, value] of strays) {
    it(`with ${path} ${JSON.stringify(value)?.slice(0, 40)} is none`, () => {
      assert.throws(() => parseSignedOrder(changed(purchase, path, value)), {
        code: 'ERR_SIGNED_ORDER_SHAPE',
        message: /see "/,
      })
    })
  }

  it('is not looked at when it is too long, deep, or no JSON', () => {
    const padded = utf8(`${fromUtf8(formatSignedOrder(purchase))}${' '.repeat(SIGNED_ORDER_BYTES_MAX)}`)
    for (const content of [padded, utf8('['.repeat(4000)), utf8('{'), new Uint8Array([0xff]), new Uint8Array()])
      assert.throws(() => parseSignedOrder(content), { code: 'ERR_SIGNED_ORDER_SHAPE' })
  })

  it('whatever a file holds, is read or refused', () => {
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 300 }), fc.json().map(utf8)), (content) => {
        assert.throws(() => parseSignedOrder(content), { code: 'ERR_SIGNED_ORDER_SHAPE' })
      }),
    )
  })

  it('EIP-712: has a digest for its contract and chain, which an authorisation has as its nonce', () => {
    const domain = paymentsDomain(8453n, common.payments)
    const digest = signedOrderDigest(purchase)
    assert.equal(digest, digestOf(domain, 'Purchase', purchase.purchase))
    assert.equal(signedOrderDigest(cancellation), digestOf(domain, 'Cancellation', cancellation.cancellation))
    assert.notEqual(signedOrderDigest({ ...purchase, chainId: 1n }), digest)
    assert.notEqual(signedOrderDigest({ ...purchase, payments: common.registry }), digest)
    const { payer, amount, deadline } = purchase.purchase
    assert.deepEqual(authorizationOf(common.payments, purchase.purchase, digest), {
      ...{ from: payer, to: common.payments, value: amount },
      ...{ validAfter: 0n, validBefore: deadline, nonce: digest },
    })
  })
})
