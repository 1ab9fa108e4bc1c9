/** A seeded bug: a small, named change of real behaviour, made around the effects of a service. */
import type { Sabotage } from '../world/world.ts'

export interface Mutant {
  /** What is wrong with it, in a sentence. */
  readonly says: string
  /** The property that has to break. */
  readonly breaks: string
  readonly sabotage: Sabotage
}
