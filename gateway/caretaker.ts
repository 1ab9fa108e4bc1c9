/** What follows from charges, later: deposits that are used up are told to their rail, rests nobody adds to go back. */
import type { Clock } from '../effects/clock.ts'
import type { Log } from '../effects/log.ts'
import type { Random } from '../effects/random.ts'
import { parseAmount } from '../protocol/amount.ts'
import { GatewayError, isPassing } from './errors.ts'
import type { Account, Ledger } from './ledger/index.ts'
import { persevere } from './persevere.ts'
import type { Rail } from './rail.ts'
import type { Refunds } from './refunds.ts'
import type { GatewaySettings } from './settings.ts'

/** How often it looks, milliseconds. */
const LOOK_MS = 1_000
/** Accounts read at once when the gateway starts. */
const PAGE = 500

export interface CaretakerParts {
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly ledger: Ledger
  readonly refunds: Refunds
  readonly rails: readonly Rail[]
  readonly rest: GatewaySettings['rest']
}

export interface Caretaker {
  charged(account: Account, rail: Rail): void
  /** An account was told that its money is short. */
  short(account: Account, rail: Rail): void
  run(signal: AbortSignal): Promise<void>
}

export const createCaretaker = ({ clock, random, log, ledger, refunds, rails, rest }: CaretakerParts): Caretaker => {
  /** What an account has to use before another of its deposits is used up. */
  const nextAt = new WeakMap<Account, bigint>()
  const toLookAt = new Map<Account, Rail>()
  /** When the rest of an account goes back, and what was paid into it when it was told so. */
  const rests = new Map<string, { account: Account; rail: Rail; dueMs: number; deposited: bigint }>()

  const tellUsed = async (charged: Account, rail: Rail, signal: AbortSignal): Promise<void> => {
    const account = await ledger.open(charged)
    const { deposits, nextAt: next } = await ledger.usedUp(account)
    if (deposits.length > 0) {
      await rail.usedUp(
        deposits.map(({ id }) => id),
        signal,
      )
      await ledger.toldUsed(account, deposits)
    }
    nextAt.set(account, next)
  }

  const giveRest = async (account: Account, rail: Rail, deposited: bigint): Promise<void> => {
    const held = await ledger.open(account)
    const to = rail.home(held.account)
    const least = parseAmount(rest?.minimum ?? '0', rail.currency.decimals) ?? 1n
    // More came: it rolls over.
    if (to === undefined || held.deposited !== deposited || ledger.balance(held) < least) return
    await refunds.giveRest(held, to)
  }

  /** What a crash kept from being told. */
  const lookAtAll = async (signal: AbortSignal): Promise<void> => {
    for (const rail of rails) {
      for (let after = ''; !signal.aborted;) {
        const page = await ledger.accounts(rail.id, after, PAGE)
        for (const row of page) {
          if (row.charged + row.refunded > row.toldUsed) toLookAt.set(await ledger.open(row), rail)
        }
        const last = page.at(-1)
        if (!last || page.length < PAGE) break
        after = last.account
      }
    }
  }

  const look = async (signal: AbortSignal): Promise<void> => {
    // What fails is looked at again next time, and not in this loop.
    for (const [account, rail] of [...toLookAt]) {
      toLookAt.delete(account)
      await tellUsed(account, rail, signal).catch((error: unknown) => {
        if (!signal.aborted) note('gateway.used-up-failed', error, rail)
        toLookAt.set(account, rail)
      })
      if (signal.aborted) return
    }
    for (const [name, due] of [...rests]) {
      const { account, rail, dueMs, deposited } = due
      if (dueMs > clock.nowMs()) continue
      rests.delete(name)
      await giveRest(account, rail, deposited).catch((error: unknown) => {
        if (isPassing(error)) {
          note('gateway.rest-failed', error, rail)
          if (!rests.has(name)) rests.set(name, due)
          return
        }
        // Nothing is left that a voucher does not need.
        if (!(error instanceof GatewayError)) throw error
      })
    }
  }

  const note = (event: string, error: unknown, rail: Rail): void =>
    log.warn(event, { rail: rail.scheme, code: (error as { code?: string }).code ?? 'unknown' })

  return {
    charged(account, rail) {
      const next = nextAt.get(account)
      if (next === undefined || account.charged + account.refunded >= next) toLookAt.set(account, rail)
    },

    short(account, rail) {
      if (!rest || rail.home(account.account) === undefined) return
      const dueMs = clock.nowMs() + rest.afterSeconds * 1000
      rests.set(`${account.book} ${account.account}`, { account, rail, dueMs, deposited: account.deposited })
    },

    async run(signal) {
      await persevere({ clock, random, log }, 'gateway.used-up-failed', () => lookAtAll(signal), signal)
      while (!signal.aborted) {
        await look(signal)
        await clock.sleep(LOOK_MS, signal).catch(() => {})
      }
    },
  }
}
