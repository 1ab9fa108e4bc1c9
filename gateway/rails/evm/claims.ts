/**
 * Cashes vouchers on the chain, many in one transaction. A vendor that nobody watches loses nothing: every so often all
 * that is worth its gas is cashed, and at once what a payer is about to take back.
 */
import { keccak_256 } from '@noble/hashes/sha3.js'
import { createBackoff } from '../../../chain/backoff.ts'
import { type ContractReader, paymentsCall } from '../../../chain/contracts.ts'
import { ContractRevert, TransactionError } from '../../../chain/errors.ts'
import { type Call, createRpc } from '../../../chain/rpc.ts'
import type { Address, Hex } from '../../../chain/types.ts'
import { type Chain, ChainError } from '../../../effects/chain.ts'
import { nowSeconds, type Clock } from '../../../effects/clock.ts'
import type { Log } from '../../../effects/log.ts'
import type { Random } from '../../../effects/random.ts'
import { fromHex, toHex } from '../../../protocol/bytes.ts'
import { CHANNELS_PER_READ, CLAIM_GAS_MAX } from './limits.ts'
import type { Outbox } from './outbox.ts'
import { type Candidate, planClaims, type ClaimPlan, type PlannedClaim } from './plan-claims.ts'
import type { Claimable, VoucherSource } from './vouchers.ts'

/** Vouchers with their channels as they stand in the newest block. */
export const readCandidates = async (
  reader: ContractReader,
  payments: Address,
  vouchers: readonly Claimable[],
  signal?: AbortSignal,
): Promise<readonly Candidate[]> => {
  const candidates: Candidate[] = []
  for (let start = 0; start < vouchers.length; start += CHANNELS_PER_READ) {
    const some = vouchers.slice(start, start + CHANNELS_PER_READ)
    const ids = some.map(({ channelId }) => channelId)
    const states = await reader.channels(payments, ids, 'latest', signal)
    for (const [at, voucher] of some.entries()) {
      const state = states[at]
      if (state) candidates.push({ voucher, state })
    }
  }
  return candidates
}

export const claimCall = (payments: Address, claims: readonly PlannedClaim[]): Call =>
  paymentsCall(
    payments,
    'claim',
    claims.map(({ voucher: { settings, cumulative, signature } }) => ({ settings, cumulative, signature })),
  )

/** Without the one that the contract refused: somebody else cashed it meanwhile. Undefined when none is named. */
export const withoutRefused = (
  claims: readonly PlannedClaim[],
  { args }: ContractRevert,
): readonly PlannedClaim[] | undefined => {
  const rest = claims.filter(({ voucher }) => voucher.channelId !== args.channelId)
  return rest.length < claims.length ? rest : undefined
}

export interface ClaimsParts {
  readonly chain: Chain
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly reader: ContractReader
  readonly outbox: Outbox
  readonly vouchers: VoucherSource
  /** Channels whose payer asked for the rest, as far as the chain is followed. */
  readonly withdrawing: () => Promise<readonly Hex[]>
}

export interface ClaimsSettings {
  readonly payments: Address
  /** Cashes all that is worth it so often. */
  readonly claimEverySeconds: number
  /** Looks so often for withdrawals that are asked for. */
  readonly watchMs: number
  readonly leastOf: (token: Address) => bigint
}

export interface Claims {
  /** Cashes all that is worth its gas. @returns how many vouchers */
  claimAll(signal?: AbortSignal): Promise<number>
  /** Cashes, every so often and when it is urgent, until the signal aborts. */
  run(signal: AbortSignal): Promise<void>
}

const DAY_SECONDS = 86_400

export const createClaims = (parts: ClaimsParts, settings: ClaimsSettings): Claims => {
  const { chain, clock, log, reader, outbox, vouchers } = parts
  const { payments, claimEverySeconds, watchMs, leastOf } = settings
  const rpc = createRpc(chain)

  const planOf = async (
    given: readonly Claimable[],
    least: ClaimsSettings['leastOf'],
    signal?: AbortSignal,
  ): Promise<ClaimPlan> => {
    const candidates = await readCandidates(reader, payments, given, signal)
    const { baseFeeWei, priorityFeeWei } = await rpc.fees(signal)
    return planClaims(candidates, { gasPriceWei: baseFeeWei + priorityFeeWei, isAll: false, leastOf: least })
  }

  /** @returns how many were cashed: those that the contract refuses are left out */
  const send = async (claims: readonly PlannedClaim[], signal?: AbortSignal): Promise<number> => {
    let rest = claims
    while (rest.length > 0) {
      const call = claimCall(payments, rest)
      const row = `claim ${toHex(keccak_256(fromHex(call.data)))}`
      const untilSeconds = nowSeconds(clock) + DAY_SECONDS
      try {
        await outbox.send(row, call, { gasMax: CLAIM_GAS_MAX, untilSeconds, ...(signal ? { signal } : {}) })
        log.info('rails.claimed', { vouchers: rest.length })
        return rest.length
      } catch (error) {
        const fewer = error instanceof ContractRevert ? withoutRefused(rest, error) : undefined
        if (!fewer) throw error
        rest = fewer
      }
    }
    return 0
  }

  const claim = async ({ batches, uncovered }: ClaimPlan, signal?: AbortSignal): Promise<number> => {
    if (uncovered.length > 0) log.warn('rails.vouchers-uncovered', { channels: uncovered.length })
    let cashed = 0
    for (const batch of batches) cashed += await send(batch, signal)
    return cashed
  }

  /** What would be the payer's again at the end of its delay. */
  const claimUrgent = async (signal: AbortSignal): Promise<void> => {
    const found = await Promise.all((await parts.withdrawing()).map((channelId) => vouchers.of(channelId)))
    const urgent = found.filter((voucher) => voucher !== undefined)
    // There is no later, when it would be more.
    const plan = await planOf(urgent, () => 0n, signal)
    const [first] = plan.batches.flat()
    if (!first) return
    const secondsLeft = first.withdrawableAt - nowSeconds(clock)
    log.warn('rails.withdrawal-ends', { vouchers: plan.batches.flat().length, secondsLeft })
    await claim(plan, signal)
  }

  const claimAll = async (signal?: AbortSignal): Promise<number> =>
    claim(await planOf(await vouchers.all(), leastOf, signal), signal)

  return {
    claimAll,
    async run(signal) {
      const backoff = createBackoff(parts)
      let dueSeconds = nowSeconds(clock) + claimEverySeconds
      while (!signal.aborted) {
        try {
          await claimUrgent(signal)
          if (nowSeconds(clock) >= dueSeconds) {
            await claimAll(signal)
            dueSeconds = nowSeconds(clock) + claimEverySeconds
          }
          backoff.reset()
          await clock.sleep(watchMs, signal)
        } catch (error) {
          if (signal.aborted) return
          if (!isPassing(error)) throw error
          log.warn('rails.claim-fault', { code: error.code })
          await backoff.pause(signal).catch(() => {})
        }
      }
    },
  }
}

/** Nothing that a chain answers ends the watching: at the next turn it may answer otherwise. */
const isPassing = (error: unknown): error is ChainError | ContractRevert | TransactionError =>
  error instanceof ChainError || error instanceof ContractRevert || error instanceof TransactionError
