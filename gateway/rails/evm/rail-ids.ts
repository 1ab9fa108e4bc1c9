/** Ids that the ledger knows the rails of EVM chains by: the same for ever. */
import type { Address } from '../../../chain/types.ts'

/** What the ids of a vendor's channel rails begin with; the token follows. */
export const channelRailPrefix = (chainId: bigint, payments: Address, vendorId: bigint): string =>
  `channel:eip155:${chainId}:${payments}:${vendorId}:`

export const orderRailId = (chainId: bigint, payments: Address, vendorId: bigint, token: Address): string =>
  `order:eip155:${chainId}:${payments}:${vendorId}:${token}`

export const x402RailId = (chainId: bigint, token: Address, payTo: Address): string =>
  `x402:eip155:${chainId}:${token}:${payTo}`
