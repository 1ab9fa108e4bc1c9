/**
 * What can happen in a market, as plain data: fast-check draws lists of these and shrinks them. Actors, orders and
 * plans are named by numbers that wrap around, so that every command means something in every state.
 */
import fc from 'fast-check'
import { actionsOf, commandsOf, paused, seconds, some, type Weighted } from './arbitraries.ts'
import { moneyActions, type MoneyAction } from './money-commands.ts'

/** Machines that can crash and whose clocks can jump. */
export type Who = 'vendor' | 'buyer' | 'directory' | 'till'

type MarketAction =
  | {
      readonly do: 'buy'
      readonly buyer: number
      readonly vendor: number
      readonly plan: number
      readonly periods: number
    }
  | {
      readonly do: 'buy-and-die'
      readonly buyer: number
      readonly vendor: number
      readonly plan: number
      /** From wanting to the crash, milliseconds. */
      readonly afterMs: number
    }
  | { readonly do: 'extend'; readonly buyer: number; readonly order: number; readonly periods: number }
  | { readonly do: 'collect'; readonly buyer: number; readonly order: number; readonly refresh: boolean }
  | { readonly do: 'browse'; readonly buyer: number; readonly order: number }
  | { readonly do: 'cancel'; readonly buyer: number; readonly order: number }
  | { readonly do: 'search'; readonly buyer: number }
  | { readonly do: 'ask-directory' }
  | { readonly do: 'withdraw'; readonly vendor: number }
  | { readonly do: 'move'; readonly vendor: number; readonly listDeadFirst: boolean }
  | { readonly do: 'describe'; readonly vendor: number; readonly text: string }
  | { readonly do: 'set-active'; readonly vendor: number; readonly active: boolean }
  | { readonly do: 'set-sale'; readonly vendor: number; readonly plan: number; readonly onSale: boolean }
  | {
      readonly do: 'add-plan'
      readonly vendor: number
      readonly native: boolean
      readonly price: number
      readonly periodSeconds: number
    }
  | { readonly do: 'rotate-keys'; readonly vendor: number }
  | { readonly do: 'register'; readonly text: string }
  | { readonly do: 'wait'; readonly seconds: number }
  | {
      readonly do: 'reorg'
      readonly depth: number
      readonly grow: number
      readonly keep: number
      readonly shuffle: boolean
    }
  | { readonly do: 'restore' }
  | { readonly do: 'crash'; readonly who: Who; readonly index: number; readonly afterWrites: number }
  | { readonly do: 'partition'; readonly a: number; readonly b: number }
  | { readonly do: 'join' }
  | { readonly do: 'jump'; readonly who: Who; readonly index: number; readonly seconds: number }
  | { readonly do: 'storm'; readonly of: 'node' | 'network'; readonly rate: number }
  | { readonly do: 'calm' }
  | { readonly do: 'replay'; readonly heard: number; readonly vendor: number }
  | { readonly do: 'pry'; readonly heard: number; readonly key: number }
  | { readonly do: 'impersonate'; readonly buyer: number; readonly order: number; readonly other: number }
  | { readonly do: 'freeload'; readonly vendor: number; readonly plan: number }
  | { readonly do: 'garbage'; readonly vendor: number }

export type Action = MarketAction | MoneyAction

/** An action, and how long nothing else is begun after it. */
export type Command = Action & { readonly pauseSeconds: number }

const who = fc.constantFrom<Who>('vendor', 'buyer', 'directory', 'vendor', 'buyer', 'directory', 'till')
const text = fc.oneof(
  fc.string({ unit: 'binary-ascii', maxLength: 20 }),
  fc.constantFrom('{"title":"a\u0000b\u202e","serviceTypes":["proxy"]}', '{"title":', '[]'),
)

const action = actionsOf<MarketAction>()

/** Longest single wait in a run with short polls; a run with slow ones waits longer by as much. */
const WAIT_SECONDS_MAX = 2_000

const actions: readonly Weighted<Action>[] = [
  ...moneyActions,
  action(12, 'buy', { buyer: some, vendor: some, plan: some, periods: fc.integer({ min: 1, max: 4 }) }),
  action(4, 'buy-and-die', { buyer: some, vendor: some, plan: some, afterMs: fc.nat(12_000) }),
  action(4, 'extend', { buyer: some, order: some, periods: fc.integer({ min: 1, max: 3 }) }),
  action(12, 'collect', { buyer: some, order: some, refresh: fc.boolean() }),
  action(10, 'browse', { buyer: some, order: some }),
  action(6, 'cancel', { buyer: some, order: some }),
  action(2, 'search', { buyer: some }),
  action(4, 'ask-directory', {}),
  action(4, 'withdraw', { vendor: some }),
  action(1, 'move', { vendor: some, listDeadFirst: fc.boolean() }),
  action(1, 'describe', { vendor: some, text }),
  action(1, 'set-active', { vendor: some, active: fc.boolean() }),
  action(1, 'set-sale', { vendor: some, plan: some, onSale: fc.boolean() }),
  action(1, 'add-plan', {
    vendor: some,
    native: fc.boolean(),
    price: fc.integer({ min: 1, max: 1_000_000 }),
    periodSeconds: fc.integer({ min: 1, max: 10_000 }),
  }),
  action(1, 'rotate-keys', { vendor: some }),
  action(1, 'register', { text }),
  action(7, 'wait', { seconds: seconds(WAIT_SECONDS_MAX) }),
  action(6, 'reorg', {
    depth: fc.integer({ min: 1, max: 12 }),
    grow: fc.nat(2),
    keep: fc.constantFrom(1, 1, 0.5, 0),
    shuffle: fc.boolean(),
  }),
  action(3, 'restore', {}),
  action(7, 'crash', { who, index: some, afterWrites: fc.nat(6) }),
  action(2, 'partition', { a: some, b: some }),
  action(2, 'join', {}),
  action(1, 'jump', { who, index: some, seconds: fc.integer({ min: -200, max: 200 }) }),
  action(1, 'storm', {
    of: fc.constantFrom<'node' | 'network'>('node', 'network'),
    rate: fc.constantFrom(0.2, 0.5, 0.9),
  }),
  action(3, 'calm', {}),
  action(4, 'replay', { heard: some, vendor: some }),
  action(1, 'pry', { heard: some, key: fc.nat(200) }),
  action(2, 'impersonate', { buyer: some, order: some, other: some }),
  action(2, 'freeload', { vendor: some, plan: some }),
  action(1, 'garbage', { vendor: some }),
]

export const commandList = (length: number): fc.Arbitrary<readonly Command[]> => commandsOf(paused(actions, 30), length)
