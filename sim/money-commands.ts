/** What can happen with money in a market: tokens, refunds, payouts, payment channels, and tricks with signatures. */
import fc from 'fast-check'
import { actionsOf, some, type Weighted } from './arbitraries.ts'
import type { Form } from './world/spending.ts'

/** Who sends the transaction: whoever wants it, or somebody else with a signature. */
export type By = 'call' | 'signature'

export type MoneyAction =
  | {
      readonly do: 'buy-in-token'
      readonly payer: number
      readonly vendor: number
      readonly plan: number
      readonly periods: number
      readonly form: Form
      /** Extends an order instead. */
      readonly extend: boolean
      readonly order: number
    }
  | { readonly do: 'cancel-in-token'; readonly payer: number; readonly order: number; readonly by: By }
  /** `extra`: percent of what the vendor has earned. */
  | { readonly do: 'give-back'; readonly vendor: number; readonly order: number; readonly extra: number }
  | { readonly do: 'redeliver'; readonly kept: number }
  | { readonly do: 'set-payout'; readonly vendor: number; readonly to: 'own' | 'other' | 'refuser' | 'payments' }
  | { readonly do: 'set-operator'; readonly vendor: number; readonly to: 'operator' | 'deputy' | 'nobody' }
  | { readonly do: 'hand-over'; readonly vendor: number; readonly accept: boolean }
  | {
      readonly do: 'deposit'
      readonly payer: number
      readonly vendor: number
      /** Opens another channel instead of adding to one. */
      readonly fresh: boolean
      readonly channel: number
      readonly native: boolean
      readonly amount: number
      readonly form: Form
      readonly delaySeconds: number
    }
  /** Vouchers, each for so much of what is left, percent. */
  | {
      readonly do: 'pay'
      readonly payer: number
      readonly channel: number
      readonly share: number
      readonly times: number
    }
  | { readonly do: 'claim'; readonly vendor: number }
  | { readonly do: 'close'; readonly payer: number; readonly channel: number }
  | {
      readonly do: 'ask-refund'
      readonly payer: number
      readonly channel: number
      readonly share: number
      readonly own: boolean
      readonly by: By
      /** Pays with all that it has at once, while the refund may still be undone. */
      readonly pays: boolean
    }
  | { readonly do: 'leave'; readonly payer: number; readonly channel: number; readonly by: By }
  | { readonly do: 'finalize'; readonly payer: number; readonly channel: number }
  | {
      readonly do: 'cheat'
      readonly payer: number
      readonly channel: number
      readonly how: Cheat
      readonly at: 'till' | 'contract'
    }
  | { readonly do: 'resend'; readonly carried: number; readonly steal: boolean }
  | { readonly do: 'overreach'; readonly vendor: number; readonly how: Overreach }

/** Vouchers that are worth nothing, or nothing more. */
export type Cheat = 'stale' | 'over-balance' | 'foreign' | 'elsewhere' | 'forged'

/** What an account tries that may not. */
export type Overreach = 'payout' | 'owner' | 'endpoints' | 'refund' | 'cancel'

const action = actionsOf<MoneyAction>()
const form = fc.constantFrom<Form>('allowance', 'permit', 'permit-taken', 'authorization')
const by = fc.constantFrom<By>('call', 'signature')
const percent = fc.integer({ min: 1, max: 100 })
const ofPayer = { payer: some, channel: some }

export const moneyActions: readonly Weighted<MoneyAction>[] = [
  action(5, 'buy-in-token', {
    payer: some,
    vendor: some,
    plan: some,
    periods: fc.integer({ min: 1, max: 3 }),
    form,
    extend: fc.boolean(),
    order: some,
  }),
  action(3, 'cancel-in-token', { payer: some, order: some, by }),
  action(4, 'give-back', { vendor: some, order: some, extra: fc.constantFrom(0, 0, 30, 100, 150) }),
  action(1, 'redeliver', { kept: some }),
  action(2, 'set-payout', { vendor: some, to: fc.constantFrom('own', 'own', 'other', 'refuser', 'payments') }),
  action(1, 'set-operator', { vendor: some, to: fc.constantFrom('operator', 'deputy', 'nobody') }),
  action(1, 'hand-over', { vendor: some, accept: fc.boolean() }),
  action(7, 'deposit', {
    ...ofPayer,
    vendor: some,
    fresh: fc.constantFrom(true, false, false),
    native: fc.boolean(),
    amount: fc.integer({ min: 1, max: 1_000_000 }),
    form,
    delaySeconds: fc.constantFrom(900, 1_800),
  }),
  action(7, 'pay', { ...ofPayer, share: percent, times: fc.integer({ min: 1, max: 4 }) }),
  action(3, 'claim', { vendor: some }),
  action(1, 'close', ofPayer),
  action(4, 'ask-refund', { ...ofPayer, share: percent, own: fc.boolean(), by, pays: fc.boolean() }),
  action(1, 'leave', { ...ofPayer, by }),
  action(2, 'finalize', ofPayer),
  action(2, 'cheat', {
    ...ofPayer,
    how: fc.constantFrom<Cheat>('stale', 'over-balance', 'foreign', 'elsewhere', 'forged'),
    at: fc.constantFrom('till', 'contract'),
  }),
  action(2, 'resend', { carried: some, steal: fc.boolean() }),
  action(1, 'overreach', {
    vendor: some,
    how: fc.constantFrom<Overreach>('payout', 'owner', 'endpoints', 'refund', 'cancel'),
  }),
]
