/** What Payments was asked to do, read from a transaction. */
import { canonical } from '../../chain/abi-read.ts'
import { paymentsCall } from '../../chain/contracts.ts'
import type { Call } from '../../chain/rpc.ts'
import type { Address, Hex } from '../../chain/types.ts'
import { paymentsCallDecoders } from '../generated/payments-calls.ts'

const { calls } = paymentsCallDecoders

export type PaymentsCall = ReturnType<(typeof calls)[keyof typeof calls]>

/** @returns undefined for what is no call of Payments as a compiler writes it */
export const readCall = (data: Hex): PaymentsCall | undefined => {
  const read: ((data: Hex) => PaymentsCall) | undefined = new Map(Object.entries(calls)).get(data.slice(0, 10))
  return read && canonical(read, data)
}

/** Somebody else's name in place of whoever gains by a signed call; undefined where nothing can be put in. */
const stolen = (call: PaymentsCall, thief: Address): PaymentsCall['args'] | undefined => {
  switch (call.name) {
    case 'buyWithPermit':
    case 'buyWithAuthorization':
      return { ...call.args, purchase: { ...call.args.purchase, controller: thief } }
    case 'depositWithPermit':
    case 'depositWithAuthorization':
      return { ...call.args, settings: { ...call.args.settings, signer: thief } }
    case 'cancelWithSignature':
      return { ...call.args, refundTo: thief }
    case 'requestWithdrawalWithSignature':
      return { ...call.args, to: thief }
    case 'refundWithSignature':
      return { ...call.args, terms: { ...call.args.terms, to: thief } }
    default:
      return undefined
  }
}

/** A signed call with its gain turned to somebody else. */
export const steal = ({ to, data }: Call, thief: Address): Call | undefined => {
  const call = readCall(data)
  const args = call && stolen(call, thief)
  // Fields are in the order of the arguments.
  return args && paymentsCall(to, call.name as 'cancel', ...(Object.values(args) as [Hex, Address]))
}
