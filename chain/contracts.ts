/** What our contracts answer and take, typed by their ABIs. */
import { keccak_256 } from '@noble/hashes/sha3.js'
import { type Chain, ChainError } from '../effects/chain.ts'
import { paymentsAbi } from '../protocol/abi/payments.ts'
import { vendorRegistryAbi } from '../protocol/abi/vendor-registry.ts'
import { fromHex, toHex } from '../protocol/bytes.ts'
import type { ArgumentsOf, EntryOf, NameOf, ResultsOf } from './abi.ts'
import { encodeCall, encodeValues, entryOf } from './abi-encode.ts'
import { canonical } from './abi-read.ts'
import { paymentsDecoders } from './generated/payments.ts'
import { vendorRegistryDecoders } from './generated/vendor-registry.ts'
import { type BlockTag, type Call, createRpc } from './rpc.ts'
import type { Address, Hex } from './types.ts'

type RegistryFunction<Name extends string> = EntryOf<typeof vendorRegistryAbi, 'function', Name>
type PaymentsFunction<Name extends string> = EntryOf<typeof paymentsAbi, 'function', Name>

/** A vendor as the registry has it. */
export type VendorState = ResultsOf<RegistryFunction<'vendor'>>[0]
/** A plan as the registry has it; its id is its place in the listing, from 1. */
export type PlanState = ResultsOf<RegistryFunction<'plan'>>[0]
/** What Payments goes by when a plan is bought. */
export type PlanTerms = ResultsOf<RegistryFunction<'terms'>>[0]
/** An order as it stands in a block; all zero if it was never bought. */
export type OrderState = ResultsOf<PaymentsFunction<'order'>>[0]
/** A payment channel as it stands in a block; all zero where nothing was ever deposited. */
export type ChannelState = ResultsOf<PaymentsFunction<'channels'>>[0][number]

export interface Listing {
  readonly vendor: VendorState
  readonly plans: readonly PlanState[]
}

/** A call of the registry, such as `registryCall(registry, 'setActive', vendorId, false)`. */
export const registryCall = <Name extends NameOf<typeof vendorRegistryAbi, 'function'>>(
  registry: Address,
  name: Name,
  ...args: ArgumentsOf<RegistryFunction<Name>>
): Call => ({ to: registry, data: encodeCall(vendorRegistryAbi, name, ...args) })

/** A call of Payments; `buy` also needs its `valueWei`. */
export const paymentsCall = <Name extends NameOf<typeof paymentsAbi, 'function'>>(
  payments: Address,
  name: Name,
  ...args: ArgumentsOf<PaymentsFunction<Name>>
): Call => ({ to: payments, data: encodeCall(paymentsAbi, name, ...args) })

/** The order of a key for a plan: keccak256(abi.encode(vendorId, planId, keyHash)) (DESIGN 5). */
export const orderIdOf = (vendorId: bigint, planId: number, keyHash: Hex): Hex => {
  const { inputs } = entryOf(paymentsAbi, 'function', 'orderIdOf')
  return toHex(keccak_256(fromHex(encodeValues(inputs, [vendorId, planId, keyHash]))))
}

/**
 * Reads of the contracts' state, at the newest block or another one. All throw ContractRevert when the contract
 * refuses, and ChainError, with ERR_CHAIN_MALFORMED where no such contract is.
 */
export interface ContractReader {
  vendorCount(registry: Address, at?: BlockTag, signal?: AbortSignal): Promise<bigint>
  /** The Payments contract that the registry vouches for. */
  paymentsOf(registry: Address, at?: BlockTag, signal?: AbortSignal): Promise<Address>
  /** A vendor with all its plans. */
  listing(registry: Address, vendorId: bigint, at?: BlockTag, signal?: AbortSignal): Promise<Listing>
  plan(registry: Address, vendorId: bigint, planId: number, at?: BlockTag, signal?: AbortSignal): Promise<PlanState>
  terms(registry: Address, vendorId: bigint, planId: number, at?: BlockTag, signal?: AbortSignal): Promise<PlanTerms>
  order(
    payments: Address,
    key: { readonly vendorId: bigint; readonly planId: number; readonly keyHash: Hex },
    at?: BlockTag,
    signal?: AbortSignal,
  ): Promise<OrderState>
  /** Channels by their ids, in the same sequence. */
  channels(
    payments: Address,
    channelIds: readonly Hex[],
    at?: BlockTag,
    signal?: AbortSignal,
  ): Promise<readonly ChannelState[]>
  /** Whether what has this EIP-712 digest was carried out; purchases by authorisation are known to their token only. */
  isUsed(payments: Address, digest: Hex, at?: BlockTag, signal?: AbortSignal): Promise<boolean>
  /** What a vendor's payout account refused, smallest units. @param token zero for the native coin */
  kept(payments: Address, vendorId: bigint, token: Address, at?: BlockTag, signal?: AbortSignal): Promise<bigint>
}

export const createContractReader = (chain: Chain): ContractReader => {
  const rpc = createRpc(chain)

  const read = async <Results>(
    decode: (answer: Hex) => Results,
    call: Call,
    at?: BlockTag,
    signal?: AbortSignal,
  ): Promise<Results> => {
    const results = canonical(decode, await rpc.call(call, at, signal))
    if (!results) throw new ChainError('ERR_CHAIN_MALFORMED', 'no contract of ours answers like this')
    return results
  }
  const ofRegistry = vendorRegistryDecoders.results
  const ofPayments = paymentsDecoders.results

  return {
    async vendorCount(registry, at, signal) {
      const [count] = await read(ofRegistry.vendorCount, registryCall(registry, 'vendorCount'), at, signal)
      return count
    },
    async paymentsOf(registry, at, signal) {
      const [payments] = await read(ofRegistry.payments, registryCall(registry, 'payments'), at, signal)
      return payments
    },
    async listing(registry, vendorId, at, signal) {
      const call = registryCall(registry, 'listing', vendorId)
      const [vendor, plans] = await read(ofRegistry.listing, call, at, signal)
      return { vendor, plans }
    },
    async plan(registry, vendorId, planId, at, signal) {
      const [plan] = await read(ofRegistry.plan, registryCall(registry, 'plan', vendorId, planId), at, signal)
      return plan
    },
    async terms(registry, vendorId, planId, at, signal) {
      const [terms] = await read(ofRegistry.terms, registryCall(registry, 'terms', vendorId, planId), at, signal)
      return terms
    },
    async order(payments, { vendorId, planId, keyHash }, at, signal) {
      const call = paymentsCall(payments, 'order', vendorId, planId, keyHash)
      const [order] = await read(ofPayments.order, call, at, signal)
      return order
    },
    async channels(payments, channelIds, at, signal) {
      const call = paymentsCall(payments, 'channels', channelIds)
      const [channels] = await read(ofPayments.channels, call, at, signal)
      if (channels.length === channelIds.length) return channels
      throw new ChainError('ERR_CHAIN_MALFORMED', 'no contract of ours answers like this')
    },
    async isUsed(payments, digest, at, signal) {
      const [used] = await read(ofPayments.isUsed, paymentsCall(payments, 'isUsed', digest), at, signal)
      return used
    },
    async kept(payments, vendorId, token, at, signal) {
      const [kept] = await read(ofPayments.kept, paymentsCall(payments, 'kept', vendorId, token), at, signal)
      return kept
    },
  }
}
