/** What can happen in a world of metered access, as plain data. @see sim/commands.ts */
import fc from 'fast-check'
import { actionsOf, commandsOf, paused, seconds, some, type Weighted } from '../arbitraries.ts'
import type { Change, Lie } from './eve.ts'
import { goods } from './goods.ts'
import type { Trouble } from './upstream.ts'

type Who = 'gateway' | 'client'

export type MeteredAction =
  | { readonly do: 'fetch'; readonly client: number; readonly good: number; readonly times: number }
  | { readonly do: 'insist'; readonly client: number }
  | { readonly do: 'fetch-and-die'; readonly client: number; readonly good: number; readonly afterMs: number }
  | { readonly do: 'deposit'; readonly client: number; readonly credit: boolean; readonly amount: number }
  | { readonly do: 'refund'; readonly client: number; readonly credit: boolean; readonly own: boolean }
  | { readonly do: 'withdraw'; readonly client: number; readonly channel: number }
  | { readonly do: 'restore-client'; readonly client: number; readonly state: number }
  | { readonly do: 'crash'; readonly who: Who; readonly client: number; readonly afterWrites: number }
  | { readonly do: 'trouble'; readonly kind: Trouble; readonly requests: number }
  | { readonly do: 'replay'; readonly heard: number; readonly change: Change }
  | { readonly do: 'change'; readonly change: Change; readonly requests: number }
  | { readonly do: 'keep-back'; readonly requests: number }
  | { readonly do: 'lie'; readonly lie: Lie; readonly total: number; readonly requests: number }
  | { readonly do: 'wait'; readonly seconds: number }
  | {
      readonly do: 'reorg'
      readonly depth: number
      readonly grow: number
      readonly keep: number
      readonly shuffle: boolean
    }
  | { readonly do: 'restore-transactions' }
  | { readonly do: 'cut'; readonly client: number }
  | { readonly do: 'join' }
  | { readonly do: 'jump'; readonly who: Who; readonly client: number; readonly seconds: number }
  | { readonly do: 'storm'; readonly of: 'node' | 'network'; readonly rate: number }
  | { readonly do: 'calm' }

export type MeteredCommand = MeteredAction & { readonly pauseSeconds: number }

const action = actionsOf<MeteredAction>()
const who = fc.constantFrom<Who>('gateway', 'client')
const good = fc.nat(goods.length - 1)
const change = fc.constantFrom<Change>(
  ...(['nothing', 'nothing', 'nothing', 'target', 'method', 'key', 'amount', 'body', 'counter'] as const),
  ...(['other-proof', 'other-voucher', 'host', 'as-refund', 'as-voucher'] as const),
)
const lie = fc.constantFrom<Lie>(
  ...(['used-up', 'stale', 'restarted', 'replayed', 'short', 'busy', 'price', 'no-receipt'] as const),
)
const few = fc.integer({ min: 1, max: 4 })

const actions: readonly Weighted<MeteredAction>[] = [
  action(26, 'fetch', { client: some, good, times: fc.constantFrom(1, 1, 2, 4) }),
  action(6, 'insist', { client: some }),
  action(5, 'fetch-and-die', { client: some, good, afterMs: fc.nat(12_000) }),
  action(2, 'deposit', { client: some, credit: fc.boolean(), amount: fc.integer({ min: 1, max: 20_000 }) }),
  action(7, 'refund', { client: some, credit: fc.boolean(), own: fc.boolean() }),
  action(4, 'withdraw', { client: some, channel: some }),
  action(3, 'restore-client', { client: some, state: fc.nat(1_000) }),
  action(9, 'crash', { who, client: some, afterWrites: fc.nat(9) }),
  action(5, 'trouble', { kind: fc.constantFrom<Trouble>('refuse', 'fail', 'break', 'slow'), requests: few }),
  action(8, 'replay', { heard: fc.nat(1_000), change }),
  action(4, 'change', { change, requests: few }),
  action(3, 'keep-back', { requests: few }),
  action(3, 'lie', { lie, total: fc.nat(60_000), requests: few }),
  action(6, 'wait', { seconds: seconds(900) }),
  action(6, 'reorg', {
    depth: fc.integer({ min: 1, max: 12 }),
    grow: fc.nat(2),
    keep: fc.constantFrom(1, 1, 0.5, 0),
    shuffle: fc.boolean(),
  }),
  action(2, 'restore-transactions', {}),
  action(2, 'cut', { client: some }),
  action(2, 'join', {}),
  action(1, 'jump', { who, client: some, seconds: fc.integer({ min: -200, max: 200 }) }),
  action(1, 'storm', {
    of: fc.constantFrom<'node' | 'network'>('node', 'network'),
    rate: fc.constantFrom(0.2, 0.5, 0.9),
  }),
  action(3, 'calm', {}),
]

export const meteredCommands = (length: number): fc.Arbitrary<readonly MeteredCommand[]> =>
  commandsOf(paused(actions, 20), length)
