/** The events of VendorRegistry and Payments, typed, each with its evidence. */
import type { ChainText } from '../protocol/text.ts'
import type { Settlement } from './abi.ts'
import type { Address, ChroveLog, Evidence, Hex } from './types.ts'

export type { Settlement } from './abi.ts'

interface Written {
  /** The contract that wrote it. */
  readonly contract: Address
  readonly evidence: Evidence
}

/** An event of the registry: every one changes one vendor and carries that vendor's new version. */
interface VendorChange extends Written {
  readonly vendorId: bigint
  /** Rises by one with each change of this vendor, from 1. */
  readonly version: number
}

export interface VendorRegistered extends VendorChange {
  readonly type: 'VendorRegistered'
  readonly owner: Address
  readonly operator: Address
  readonly payout: Address
  readonly signingKey: Hex
  readonly encryptionKey: Hex
  readonly endpoints: readonly ChainText[]
  readonly profile: ChainText
}

export interface EndpointsChanged extends VendorChange {
  readonly type: 'EndpointsChanged'
  readonly endpoints: readonly ChainText[]
}

export interface KeysChanged extends VendorChange {
  readonly type: 'KeysChanged'
  readonly signingKey: Hex
  readonly encryptionKey: Hex
}

export interface ProfileChanged extends VendorChange {
  readonly type: 'ProfileChanged'
  readonly profile: ChainText
}

export interface ActiveChanged extends VendorChange {
  readonly type: 'ActiveChanged'
  readonly active: boolean
}

export interface OperatorChanged extends VendorChange {
  readonly type: 'OperatorChanged'
  readonly operator: Address
}

export interface PayoutChanged extends VendorChange {
  readonly type: 'PayoutChanged'
  readonly payout: Address
}

export interface OwnershipTransferStarted extends VendorChange {
  readonly type: 'OwnershipTransferStarted'
  readonly pendingOwner: Address
}

export interface OwnershipTransferred extends VendorChange {
  readonly type: 'OwnershipTransferred'
  readonly owner: Address
}

export interface PlanAdded extends VendorChange {
  readonly type: 'PlanAdded'
  readonly planId: number
  /** Zero address: the native coin. */
  readonly token: Address
  /** Smallest units of `token` for one period. */
  readonly price: bigint
  readonly periodSeconds: number
  readonly maxPeriods: number
  readonly settlement: Settlement
  readonly title: ChainText
}

export interface PlanSaleChanged extends VendorChange {
  readonly type: 'PlanSaleChanged'
  readonly planId: number
  readonly onSale: boolean
}

export interface OrderPaid extends Written {
  readonly type: 'OrderPaid'
  readonly orderId: Hex
  readonly vendorId: bigint
  readonly keyHash: Hex
  readonly planId: number
  readonly periods: number
  /** Start of the run this purchase belongs to, unix seconds. */
  readonly startedAt: number
  /** End of the paid time after this purchase, unix seconds. */
  readonly endsAt: number
  /** Smallest units of the plan's token. */
  readonly amount: bigint
  readonly controller: Address
}

export interface OrderCancelled extends Written {
  readonly type: 'OrderCancelled'
  readonly orderId: Hex
  readonly vendorId: bigint
  readonly refundTo: Address
  /** Smallest units of the plan's token. */
  readonly refunded: bigint
  /** Unix seconds. */
  readonly endsAt: number
}

/** The vendor gave money back; an order that was running ended by it. */
export interface OrderRefunded extends Omit<OrderCancelled, 'type'> {
  readonly type: 'OrderRefunded'
}

export interface OrderWithdrawn extends Written {
  readonly type: 'OrderWithdrawn'
  readonly orderId: Hex
  readonly vendorId: bigint
  readonly payout: Address
  /** Smallest units of the plan's token. */
  readonly amount: bigint
}

/** Money came into a payment channel, which these settings make. */
export interface ChannelDeposited extends Written {
  readonly type: 'ChannelDeposited'
  readonly channelId: Hex
  readonly vendorId: bigint
  readonly payer: Address
  readonly signer: Address
  /** Zero address: the native coin. */
  readonly token: Address
  readonly withdrawDelay: number
  readonly salt: Hex
  /** Smallest units of this deposit. */
  readonly amount: bigint
  /** Of the channel after it. */
  readonly balance: bigint
}

/** A voucher was cashed to the vendor's payout account. */
export interface ChannelClaimed extends Written {
  readonly type: 'ChannelClaimed'
  readonly channelId: Hex
  readonly vendorId: bigint
  /** Smallest units paid by this claim. */
  readonly amount: bigint
  /** All that was claimed so far: what the newest cashed voucher says. */
  readonly claimed: bigint
}

export interface ChannelRefunded extends Written {
  readonly type: 'ChannelRefunded'
  readonly channelId: Hex
  readonly vendorId: bigint
  readonly to: Address
  /** Smallest units; the channel's balance is less by them. */
  readonly amount: bigint
}

export interface WithdrawalRequested extends Written {
  readonly type: 'WithdrawalRequested'
  readonly channelId: Hex
  readonly vendorId: bigint
  readonly to: Address
  /** Unix seconds from which it can be finalized. */
  readonly withdrawableAt: number
}

export interface ChannelWithdrawn extends Written {
  readonly type: 'ChannelWithdrawn'
  readonly channelId: Hex
  readonly vendorId: bigint
  readonly to: Address
  readonly amount: bigint
}

/** A payout account refused money, which Payments keeps for its vendor. */
export interface PayoutKept extends Written {
  readonly type: 'PayoutKept'
  readonly vendorId: bigint
  /** Zero address: the native coin. */
  readonly token: Address
  readonly payout: Address
  readonly amount: bigint
}

/** Money that was kept for a vendor left. */
export interface PayoutRedelivered extends Omit<PayoutKept, 'type'> {
  readonly type: 'PayoutRedelivered'
}

export type RegistryEvent =
  | VendorRegistered
  | EndpointsChanged
  | KeysChanged
  | ProfileChanged
  | ActiveChanged
  | OperatorChanged
  | PayoutChanged
  | OwnershipTransferStarted
  | OwnershipTransferred
  | PlanAdded
  | PlanSaleChanged

export type OrderEvent = OrderPaid | OrderCancelled | OrderRefunded | OrderWithdrawn

export type ChannelEvent = ChannelDeposited | ChannelClaimed | ChannelRefunded | WithdrawalRequested | ChannelWithdrawn

export type PaymentsEvent = OrderEvent | ChannelEvent | PayoutKept | PayoutRedelivered

export type ChroveEvent = RegistryEvent | PaymentsEvent

/** A registry and the Payments contract that it vouches for. */
export interface Contracts {
  readonly registry: Address
  readonly payments: Address
}

/** A log that is no event of these contracts; from one of them it is recorded and counted, never fatal. */
export interface UndecodableLog {
  readonly type: 'Undecodable'
  readonly reason: 'foreign-contract' | 'unknown-event' | 'not-canonical'
  readonly log: ChroveLog
}
