/**
 * Notices what comes a second time, so that a cache keeps what is asked again and not whatever was asked once: to keep an
 * answer costs memory, the collection of that memory, and the place of another.
 */

export interface Recurrence {
  /** Whether a key came before, as far as is remembered; from now on it has. Rarely a new key is taken for an old one. */
  recurs(key: string): boolean
}

/** @param remembered the latest so many keys are remembered for certain, and about as many before them */
export const createRecurrence = (remembered: number): Recurrence => {
  // Two generations: the older is forgotten at once when the younger is full.
  let young = new Set<number>()
  let old = new Set<number>()
  return {
    recurs(key) {
      const hash = hashOf(key)
      if (young.has(hash)) return true
      const came = old.has(hash)
      young.add(hash)
      if (young.size > remembered) {
        old = young
        young = new Set([hash])
      }
      return came
    },
  }
}

/** FNV-1a of UTF-16 units, 32 bits: a chance likeness is harmless here. */
const hashOf = (text: string): number => {
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  return hash
}
