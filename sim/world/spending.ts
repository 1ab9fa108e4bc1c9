/** The forms in which a payer's token comes to Payments, the same for purchases and deposits. */
import type { Call } from '../../chain/rpc.ts'
import { createRpc } from '../../chain/rpc.ts'
import type { Chain } from '../../effects/chain.ts'
import { nowSeconds, type Clock } from '../../effects/clock.ts'
import { digestOf, paymentsDomain, signMessage, type Message } from '../../protocol/typed-data.ts'
import type { Hex } from '../../chain/types.ts'
import type { Person, Sent } from './person.ts'
import { patiently } from './person.ts'
import type { Relayer } from './relayer.ts'
import { readNumber, tokenCall } from './token.ts'
import type { World } from './world.ts'

/**
 * `permit-taken`: somebody carries out the permit before the purchase does. `authorization` (EIP-3009) and permits are
 * sent by a relayer.
 */
export type Form = 'allowance' | 'permit' | 'permit-taken' | 'authorization'

/** What is to be paid for, and how Payments is told of it in each form. */
export interface Payable<Name extends 'Purchase' | 'Deposit'> {
  readonly what: string
  readonly message: Message<Name> & { readonly amount: bigint; readonly deadline: bigint }
  readonly direct: () => Call
  readonly withPermit: (permit: Hex, signature: Hex) => Call
  readonly withAuthorization: (authorization: Hex) => Call
}

export interface Spending {
  pay<Name extends 'Purchase' | 'Deposit'>(name: Name, payable: Payable<Name>, form: Form): Promise<Sent>
  /** Until when what is signed now may be sent, unix seconds. */
  deadline(): bigint
}

const DEADLINE_SECONDS = 3_600

export const createSpending = (
  { chainId, contracts: { payments }, token, trace, reach }: World,
  relayer: Relayer,
  { address, privateKey, send }: Person,
  { chain, clock }: { readonly chain: Chain; readonly clock: Clock },
): Spending => {
  const rpc = createRpc(chain)
  const domain = paymentsDomain(chainId, payments)

  const permitOf = async (value: bigint, deadline: bigint): Promise<Hex | undefined> => {
    const ask = () => readNumber(rpc, tokenCall(token.address, 'nonces', address))
    const nonce = await patiently(clock, ask, (code) => trace.add('payer', address, 'nonce', code))
    if (nonce === undefined) return undefined
    return signMessage(
      token.domain,
      'Permit',
      { owner: address, spender: payments, value, nonce, deadline },
      privateKey,
    )
  }

  /** Whoever sees a permit can carry it out. */
  const takePermit = async (permit: Hex, value: bigint, deadline: bigint): Promise<void> => {
    const [r, s, v] = [permit.slice(0, 66), `0x${permit.slice(66, 130)}`, Number(`0x${permit.slice(130)}`)]
    const call = tokenCall(token.address, 'permit', address, payments, value, deadline, v, r as Hex, s as Hex)
    const { receipt } = await relayer.adversary.send('a permit that was overheard', call)
    if (receipt) reach('permit carried out by somebody else')
  }

  return {
    deadline: () => BigInt(nowSeconds(clock) + DEADLINE_SECONDS),
    pay: async (name, { what, message, direct, withPermit, withAuthorization }, form) => {
      const { amount, deadline } = message
      switch (form) {
        case 'allowance': {
          const approved = await send(`approval for ${what}`, tokenCall(token.address, 'approve', payments, amount))
          return approved.receipt ? send(what, direct()) : approved
        }
        case 'permit':
        case 'permit-taken': {
          const permit = await permitOf(amount, deadline)
          if (permit === undefined) return {}
          if (form === 'permit-taken') await takePermit(permit, amount, deadline)
          return relayer.carry(what, withPermit(permit, signMessage(domain, name, message, privateKey)))
        }
        case 'authorization': {
          const nonce = digestOf(domain, name, message)
          const transfer = { from: address, to: payments, value: amount, validAfter: 0, validBefore: deadline, nonce }
          const signature = signMessage(token.domain, 'ReceiveWithAuthorization', transfer, privateKey)
          return relayer.carry(what, withAuthorization(signature))
        }
      }
    },
  }
}
