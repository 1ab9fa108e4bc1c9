/**
 * All that either of two lists holds, ours first.
 * @param join makes one of what both have
 */
export const unite = <T>(
  ours: readonly T[],
  theirs: readonly T[],
  keyOf: (item: T) => string,
  join: (a: T, b: T) => T,
): T[] => {
  const others = new Map(theirs.map((item) => [keyOf(item), item]))
  const known = new Set(ours.map(keyOf))
  const joined = ours.map((item) => join(item, others.get(keyOf(item)) ?? item))
  return [...joined, ...theirs.filter((item) => !known.has(keyOf(item)))]
}
