/** A map that forgets what was not asked for the longest, so that it never holds more than it may. */

export interface Lru<Value> {
  get(key: string): Value | undefined
  /** Keeps the value, unless it alone is larger than all may be. @param size in the unit of the bound */
  set(key: string, value: Value, size: number): void
  /** Sum of the sizes of what is kept. */
  size(): number
}

/** @param entriesMax at most this many, @param sizeMax and together of at most this size */
export const createLru = <Value>(entriesMax: number, sizeMax: number): Lru<Value> => {
  // In the order of use: the first is the one longest unused.
  const entries = new Map<string, { readonly value: Value; readonly size: number }>()
  let total = 0

  const forget = (key: string): void => {
    total -= entries.get(key)?.size ?? 0
    entries.delete(key)
  }

  return {
    get(key) {
      const entry = entries.get(key)
      if (!entry) return undefined
      entries.delete(key)
      entries.set(key, entry)
      return entry.value
    },
    set(key, value, size) {
      forget(key)
      if (size > sizeMax) return
      entries.set(key, { value, size })
      total += size
      for (const oldest of entries.keys()) {
        if (entries.size <= entriesMax && total <= sizeMax) return
        forget(oldest)
      }
    },
    size: () => total,
  }
}
