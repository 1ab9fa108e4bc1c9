/** Chance that a seed decides: xoroshiro128+ streams, one per name, so that nobody's use shifts another's. */
import { createHash } from 'node:crypto'
import { xoroshiro128plusFromState } from 'pure-rand/generator/xoroshiro128plus'
import type { Random } from '../effects/random.ts'

export interface SimRandom extends Random {
  /** The stream of this name under this one; the same whatever has been drawn before. */
  fork(name: string): SimRandom
  /** Uniform in [0, 1), 32 bits of it. */
  unit(): number
  /** Uniform whole number, both ends included; the range is below 2^32. */
  int(min: number, max: number): number
  /** True with this probability; always draws once. */
  chance(probability: number): boolean
  /** An element of a list that is not empty. */
  pick<T>(list: readonly T[]): T
  /** A copy in random order. */
  shuffle<T>(list: readonly T[]): T[]
}

export const createSimRandom = (seed: number | string): SimRandom => stream(`chrove:${seed}`)

const stream = (path: string): SimRandom => {
  const digest = createHash('sha256').update(path).digest()
  const generator = xoroshiro128plusFromState([0, 4, 8, 12].map((at) => digest.readInt32LE(at)))
  const unit = () => (generator.next() >>> 0) / 2 ** 32
  const int = (min: number, max: number) => min + Math.floor(unit() * (max - min + 1))
  return {
    fork: (name) => stream(`${path}/${name}`),
    unit,
    int,
    chance: (probability) => unit() < probability,
    pick: <T>(list: readonly T[]) => list[int(0, list.length - 1)] as T,
    shuffle: (list) => {
      const copy = [...list]
      for (let at = copy.length - 1; at > 0; at--) {
        const other = int(0, at)
        ;[copy[at], copy[other]] = [copy[other] as (typeof copy)[0], copy[at] as (typeof copy)[0]]
      }
      return copy
    },
    bytes: (length) => {
      const words = new Int32Array(Math.ceil(length / 4))
      for (let at = 0; at < words.length; at++) words[at] = generator.next()
      return new Uint8Array(words.buffer, 0, length).slice()
    },
  }
}
