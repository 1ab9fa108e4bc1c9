/** What Payments was asked to do, read from a transaction. */
import type { AbiEntry, AbiParameter, FieldsOf } from '../../chain/abi.ts'
import { createDecoder } from '../../chain/abi-decode.ts'
import { selectorOf } from '../../chain/abi-encode.ts'
import { paymentsCall } from '../../chain/contracts.ts'
import type { Call } from '../../chain/rpc.ts'
import type { Address, Hex } from '../../chain/types.ts'
import { paymentsAbi } from '../../protocol/abi/payments.ts'
import { fromHex } from '../../protocol/bytes.ts'

type CallOf<Entry> = Entry extends {
  readonly type: 'function'
  readonly name: infer Name
  readonly inputs: infer List extends readonly AbiParameter[]
}
  ? { readonly name: Name; readonly args: FieldsOf<List> }
  : never

export type PaymentsCall = CallOf<(typeof paymentsAbi)[number]>

const functions = new Map(
  (paymentsAbi as readonly AbiEntry[])
    .filter(({ type }) => type === 'function')
    .map((entry) => [selectorOf(entry), { name: entry.name, inputs: createDecoder(entry.inputs ?? []) }]),
)

/** @returns undefined for what is no call of Payments as a compiler writes it */
export const readCall = (data: Hex): PaymentsCall | undefined => {
  const entry = functions.get(data.slice(0, 10) as Hex)
  const args = entry?.inputs.fields(fromHex(`0x${data.slice(10)}`))
  return entry && args && ({ name: entry.name, args } as unknown as PaymentsCall)
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
