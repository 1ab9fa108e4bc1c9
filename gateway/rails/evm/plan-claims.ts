/** Which vouchers to cash, and in which transactions: the most urgent first, and none that costs more than it brings. */
import type { ChannelState } from '../../../chain/contracts.ts'
import { type Address, ZERO_ADDRESS } from '../../../chain/types.ts'
import { CLAIMS_PER_TRANSACTION_MAX } from './limits.ts'
import type { Claimable } from './vouchers.ts'

/** A voucher and its channel as the chain has it now. */
export interface Candidate {
  readonly voucher: Claimable
  readonly state: ChannelState
}

export interface ClaimPolicy {
  /** Wei a unit of gas may cost. */
  readonly gasPriceWei: bigint
  /** Whether also those are cashed that bring less than they cost. */
  readonly isAll: boolean
  /** Least that a voucher has to bring, by its currency, smallest unit: what a token is worth in coins nobody says. */
  readonly leastOf: (token: Address) => bigint
}

/** A voucher that is worth cashing. */
export interface PlannedClaim {
  readonly voucher: Claimable
  /** What it brings, smallest units. */
  readonly gain: bigint
  /** Unix seconds from which the payer can take all that is not claimed; 0 if it did not ask. */
  readonly withdrawableAt: number
}

export interface ClaimPlan {
  /** Each is one transaction. Those of channels whose payer wants the rest come first, the nearest end first. */
  readonly batches: readonly (readonly PlannedClaim[])[]
  /** Not worth their gas, or less than asked for. */
  readonly skipped: readonly PlannedClaim[]
  /** Worth more than their channel holds: a reorg or a refund took the money. */
  readonly uncovered: readonly PlannedClaim[]
}

/** Gas that one more voucher takes in a batch, calldata included: a channel's slot, a signature, an event. */
export const CLAIM_GAS = 20_000n

export const planClaims = (candidates: readonly Candidate[], policy: ClaimPolicy): ClaimPlan => {
  const claims = candidates
    .map(({ voucher, state }): PlannedClaim & { readonly isCovered: boolean } => ({
      voucher,
      gain: voucher.cumulative - state.claimed,
      withdrawableAt: state.withdrawableAt,
      isCovered: voucher.cumulative <= state.balance,
    }))
    .filter(({ gain }) => gain > 0n)
    .toSorted(byUrgency)
  const covered = claims.filter(({ isCovered }) => isCovered)
  const worth = covered.filter((claim) => policy.isAll || isWorth(claim, policy))
  return {
    batches: inBatches(worth),
    skipped: covered.filter((claim) => !worth.includes(claim)),
    uncovered: claims.filter(({ isCovered }) => !isCovered),
  }
}

const isWorth = ({ gain, voucher }: PlannedClaim, { gasPriceWei, leastOf }: ClaimPolicy): boolean => {
  const { token } = voucher.settings
  if (gain < leastOf(token)) return false
  return token !== ZERO_ADDRESS || gain > CLAIM_GAS * gasPriceWei
}

/** Ends that are near before those that are far or not there; then what brings most, and the same sequence each time. */
const byUrgency = (a: PlannedClaim, b: PlannedClaim): number =>
  endOf(a) - endOf(b) || compare(b.gain, a.gain) || compare(a.voucher.channelId, b.voucher.channelId)

const endOf = ({ withdrawableAt }: PlannedClaim): number => withdrawableAt || Number.MAX_SAFE_INTEGER

const compare = <T extends bigint | string>(a: T, b: T): number => (a < b ? -1 : a > b ? 1 : 0)

const inBatches = (claims: readonly PlannedClaim[]): readonly (readonly PlannedClaim[])[] =>
  Array.from({ length: Math.ceil(claims.length / CLAIMS_PER_TRANSACTION_MAX) }, (_, at) =>
    claims.slice(at * CLAIMS_PER_TRANSACTION_MAX, (at + 1) * CLAIMS_PER_TRANSACTION_MAX),
  )
