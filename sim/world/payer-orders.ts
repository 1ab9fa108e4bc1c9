/** Plans that a payer buys in the token, and what becomes of them. */
import { orderIdOf, paymentsCall } from '../../chain/contracts.ts'
import { createContractReader } from '../../chain/contracts.ts'
import type { Address, Hex } from '../../chain/types.ts'
import type { Chain } from '../../effects/chain.ts'
import type { Clock } from '../../effects/clock.ts'
import { toHex } from '../../protocol/bytes.ts'
import { keyHashOf } from '../../protocol/cert-info.ts'
import { paymentsDomain, signMessage } from '../../protocol/typed-data.ts'
import type { SimRandom } from '../random.ts'
import { viewPayments } from './payments-view.ts'
import { patiently, type Person } from './person.ts'
import type { Relayer } from './relayer.ts'
import type { Form, Spending } from './spending.ts'
import type { World } from './world.ts'

export interface PayerOrder {
  readonly orderId: Hex
  readonly vendorId: bigint
  readonly planId: number
  readonly keyHash: Hex
}

export interface PayerOrders {
  /** Those that it ever tried to buy. */
  readonly all: readonly PayerOrder[]
  /** Buys a plan that is priced in the token, in the name of a fresh key, or extends an order. */
  buy(wanted: PayerOrder | Pick<PayerOrder, 'vendorId' | 'planId'>, periods: number, form: Form): Promise<void>
  cancel(order: PayerOrder, refundTo: Address, by: 'call' | 'signature'): Promise<void>
}

const reached = {
  allowance: 'plan bought from an allowance',
  permit: 'plan bought with a permit',
  'permit-taken': 'plan bought with a permit that was taken',
  authorization: 'plan bought with an authorization',
} as const

export const createPayerOrders = (
  world: World,
  relayer: Relayer,
  { address, privateKey, send }: Person,
  spending: Spending,
  { chain, clock, random }: { readonly chain: Chain; readonly clock: Clock; readonly random: SimRandom },
): PayerOrders => {
  const { chainId, contracts, trace, reach, keys } = world
  const { registry, payments } = contracts
  const domain = paymentsDomain(chainId, payments)
  const reader = createContractReader(chain)
  const all: PayerOrder[] = []
  const note = (code: string) => trace.add('payer', address, code)

  const begin = ({ vendorId, planId }: Pick<PayerOrder, 'vendorId' | 'planId'>): PayerOrder => {
    const keyHash = keyHashOf(keys.take().publicKey)
    const order = { vendorId, planId, keyHash, orderId: orderIdOf(vendorId, planId, keyHash) }
    all.push(order)
    return order
  }

  return {
    all,
    buy: async (wanted, periods, form) => {
      const { vendorId, planId } = wanted
      const terms = await patiently(clock, () => reader.terms(registry, vendorId, planId), note)
      if (!terms) return
      const isExtension = 'orderId' in wanted
      const { keyHash } = isExtension ? wanted : begin(wanted)
      const message = {
        ...{ vendorId, planId, keyHash, periods, controller: address, payer: address },
        amount: terms.price * BigInt(periods),
        salt: toHex(random.bytes(32)),
        deadline: spending.deadline(),
      }
      const { receipt } = await spending.pay(
        'Purchase',
        {
          what: `purchase with ${form}`,
          message,
          direct: () => paymentsCall(payments, 'buy', vendorId, planId, keyHash, periods, address),
          withPermit: (permit, signature) => paymentsCall(payments, 'buyWithPermit', message, permit, signature),
          withAuthorization: (authorization) => paymentsCall(payments, 'buyWithAuthorization', message, authorization),
        },
        form,
      )
      if (receipt) reach(reached[form])
    },

    cancel: async ({ orderId }, refundTo, by) => {
      if (by === 'call') {
        const { receipt } = await send('cancellation', paymentsCall(payments, 'cancel', orderId, refundTo))
        if (receipt) reach('order in the token cancelled')
        return
      }
      const [order] =
        (await patiently(clock, () => viewPayments({ chain, payments }, 'latest', 'orders', [orderId]), note)) ?? []
      if (!order) return
      const { startedAt } = order
      const deadline = spending.deadline()
      const signature = signMessage(domain, 'Cancellation', { orderId, startedAt, refundTo, deadline }, privateKey)
      const call = paymentsCall(payments, 'cancelWithSignature', orderId, startedAt, refundTo, deadline, signature)
      const { receipt } = await relayer.carry('cancellation by signature', call)
      if (receipt) reach('order cancelled by a signature')
    },
  }
}
