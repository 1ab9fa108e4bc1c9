/** What lists of commands are drawn from. */
import fc from 'fast-check'

/** An action, and how often it comes among others. */
export interface Weighted<A> {
  readonly weight: number
  readonly arbitrary: fc.Arbitrary<A>
}

/** One of those there are, by a number that wraps around. */
export const some = fc.nat(11)

/** The one that such a number means; none of an empty list. */
export const at = <T>(list: readonly T[], index: number): T | undefined => list[index % Math.max(1, list.length)]

/** Seconds, each order of magnitude as likely as the next one. */
export const seconds = (max: number): fc.Arbitrary<number> =>
  fc.nat(1_000).map((share) => Math.round(Math.exp((share / 1_000) * Math.log(max))))

/** Actions of a union, each by its name and the arbitraries of its fields. */
export const actionsOf =
  <Action extends { readonly do: string }>() =>
  <Do extends Action['do']>(
    weight: number,
    name: Do,
    fields: {
      readonly [F in Exclude<keyof Extract<Action, { do: Do }>, 'do'>]: fc.Arbitrary<Extract<Action, { do: Do }>[F]>
    },
  ): Weighted<Action> => ({
    weight,
    arbitrary: fc.record({ do: fc.constant(name), ...fields }) as unknown as fc.Arbitrary<Action>,
  })

/**
 * Lists of exactly so many commands, which shrink to any part of them. fast-check's own lists would be half as long
 * on average, and shrink from one end only.
 */
class CommandList<Command> extends fc.Arbitrary<readonly Command[]> {
  readonly #command: fc.Arbitrary<Command>
  readonly #length: number
  constructor(command: fc.Arbitrary<Command>, length: number) {
    super()
    this.#command = command
    this.#length = length
  }

  override generate(random: fc.Random): fc.Value<readonly Command[]> {
    return new fc.Value(
      Array.from({ length: this.#length }, () => this.#command.generate(random, undefined).value),
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
        for (let from = 0; from < list.length; from += size) {
          yield new fc.Value([...list.slice(0, from), ...list.slice(from + size)] as readonly Command[], undefined)
        }
      }
    }
    return fc.stream(pieces())
  }
}

export const commandsOf = <Command>(command: fc.Arbitrary<Command>, length: number): fc.Arbitrary<readonly Command[]> =>
  new CommandList(command, length)

/** Actions, each with how long nothing else is begun after it, seconds. */
export const paused = <Action extends object>(
  actions: readonly Weighted<Action>[],
  secondsMax: number,
): fc.Arbitrary<Action & { readonly pauseSeconds: number }> =>
  fc.tuple(fc.oneof(...actions), seconds(secondsMax)).map(([chosen, pauseSeconds]) => ({ ...chosen, pauseSeconds }))
