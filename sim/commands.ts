/**
 * What can happen in a market, as plain data: fast-check draws lists of these and shrinks them. Actors, orders and
 * plans are named by numbers that wrap around, so that every command means something in every state.
 */
import fc from 'fast-check'

/** Machines that can crash and whose clocks can jump. */
export type Who = 'vendor' | 'buyer' | 'directory'

export type Action =
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
  | { readonly do: 'add-plan'; readonly vendor: number; readonly price: number; readonly periodSeconds: number }
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

/** An action, and how long nothing else is begun after it. */
export type Command = Action & { readonly pauseSeconds: number }

const some = fc.nat(11)
const who = fc.constantFrom<Who>('vendor', 'buyer', 'directory')
const text = fc.oneof(
  fc.string({ unit: 'binary-ascii', maxLength: 20 }),
  fc.constantFrom('{"title":"a\u0000b\u202e","serviceTypes":["proxy"]}', '{"title":', '[]'),
)

/** Seconds, each order of magnitude as likely as the next one. */
const seconds = (max: number) => fc.nat(1_000).map((share) => Math.round(Math.exp((share / 1_000) * Math.log(max))))

const action = <Do extends Action['do']>(
  name: Do,
  fields: {
    readonly [F in Exclude<keyof Extract<Action, { do: Do }>, 'do'>]: fc.Arbitrary<Extract<Action, { do: Do }>[F]>
  },
) => fc.record({ do: fc.constant(name), ...fields }) as unknown as fc.Arbitrary<Extract<Action, { do: Do }>>

/** Longest single wait in a run with short polls; a run with slow ones waits longer by as much. */
const WAIT_SECONDS_MAX = 2_000

const actions: readonly { readonly weight: number; readonly arbitrary: fc.Arbitrary<Action> }[] = [
  {
    weight: 12,
    arbitrary: action('buy', { buyer: some, vendor: some, plan: some, periods: fc.integer({ min: 1, max: 4 }) }),
  },
  {
    weight: 4,
    arbitrary: action('buy-and-die', { buyer: some, vendor: some, plan: some, afterMs: fc.nat(12_000) }),
  },
  { weight: 4, arbitrary: action('extend', { buyer: some, order: some, periods: fc.integer({ min: 1, max: 3 }) }) },
  { weight: 12, arbitrary: action('collect', { buyer: some, order: some, refresh: fc.boolean() }) },
  { weight: 10, arbitrary: action('browse', { buyer: some, order: some }) },
  { weight: 6, arbitrary: action('cancel', { buyer: some, order: some }) },
  { weight: 2, arbitrary: action('search', { buyer: some }) },
  { weight: 4, arbitrary: action('ask-directory', {}) },
  { weight: 4, arbitrary: action('withdraw', { vendor: some }) },
  { weight: 1, arbitrary: action('move', { vendor: some, listDeadFirst: fc.boolean() }) },
  { weight: 1, arbitrary: action('describe', { vendor: some, text }) },
  { weight: 1, arbitrary: action('set-active', { vendor: some, active: fc.boolean() }) },
  { weight: 1, arbitrary: action('set-sale', { vendor: some, plan: some, onSale: fc.boolean() }) },
  {
    weight: 1,
    arbitrary: action('add-plan', {
      vendor: some,
      price: fc.integer({ min: 1, max: 1_000_000 }),
      periodSeconds: fc.integer({ min: 1, max: 10_000 }),
    }),
  },
  { weight: 1, arbitrary: action('rotate-keys', { vendor: some }) },
  { weight: 1, arbitrary: action('register', { text }) },
  { weight: 7, arbitrary: action('wait', { seconds: seconds(WAIT_SECONDS_MAX) }) },
  {
    weight: 6,
    arbitrary: action('reorg', {
      depth: fc.integer({ min: 1, max: 12 }),
      grow: fc.nat(2),
      keep: fc.constantFrom(1, 1, 0.5, 0),
      shuffle: fc.boolean(),
    }),
  },
  { weight: 3, arbitrary: action('restore', {}) },
  { weight: 7, arbitrary: action('crash', { who, index: some, afterWrites: fc.nat(6) }) },
  { weight: 2, arbitrary: action('partition', { a: some, b: some }) },
  { weight: 2, arbitrary: action('join', {}) },
  { weight: 1, arbitrary: action('jump', { who, index: some, seconds: fc.integer({ min: -200, max: 200 }) }) },
  {
    weight: 1,
    arbitrary: action('storm', {
      of: fc.constantFrom<'node' | 'network'>('node', 'network'),
      rate: fc.constantFrom(0.2, 0.5, 0.9),
    }),
  },
  { weight: 3, arbitrary: action('calm', {}) },
  { weight: 4, arbitrary: action('replay', { heard: some, vendor: some }) },
  { weight: 1, arbitrary: action('pry', { heard: some, key: fc.nat(200) }) },
  { weight: 2, arbitrary: action('impersonate', { buyer: some, order: some, other: some }) },
  { weight: 2, arbitrary: action('freeload', { vendor: some, plan: some }) },
  { weight: 1, arbitrary: action('garbage', { vendor: some }) },
]

const command: fc.Arbitrary<Command> = fc
  .tuple(fc.oneof(...actions), seconds(30))
  .map(([chosen, pauseSeconds]) => ({ ...chosen, pauseSeconds }))

/**
 * Lists of exactly so many commands, which shrink to any part of them. fast-check's own lists would be half as long
 * on average, and shrink from one end only.
 */
class CommandList extends fc.Arbitrary<readonly Command[]> {
  readonly #length: number
  constructor(length: number) {
    super()
    this.#length = length
  }

  override generate(random: fc.Random): fc.Value<readonly Command[]> {
    return new fc.Value(
      Array.from({ length: this.#length }, () => command.generate(random, undefined).value),
      undefined,
    )
  }

  override canShrinkWithoutContext(value: unknown): value is readonly Command[] {
    return Array.isArray(value)
  }

  /** Leaves out ever smaller pieces. */
  override shrink(list: readonly Command[]): fc.Stream<fc.Value<readonly Command[]>> {
    const pieces = function* () {
      for (let size = Math.ceil(list.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
        for (let at = 0; at < list.length; at += size) {
          yield new fc.Value([...list.slice(0, at), ...list.slice(at + size)] as readonly Command[], undefined)
        }
      }
    }
    return fc.stream(pieces())
  }
}

export const commandList = (length: number): fc.Arbitrary<readonly Command[]> => new CommandList(length)
