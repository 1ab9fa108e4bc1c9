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
