/** Two lists of rows that have to be the same, in any order. */

export interface Row {
  readonly [field: string]: unknown
}

const lines = (rows: readonly Row[]): string[] =>
  rows
    .map((row) =>
      JSON.stringify(
        Object.entries(row).sort(([a], [b]) => (a < b ? -1 : 1)),
        plain,
      ),
    )
    .sort()

const plain = (_: string, value: unknown): unknown => (typeof value === 'bigint' ? `${value}` : value)

/** The first row in which two lists differ; undefined when they do not. */
export const difference = (told: readonly Row[], true_: readonly Row[]): string | undefined => {
  const [a, b] = [lines(told), lines(true_)]
  const extra = a.find((line) => !b.includes(line))
  const missing = b.find((line) => !a.includes(line))
  return extra === undefined && missing === undefined
    ? undefined
    : `tells ${extra ?? 'nothing'}, true is ${missing ?? 'nothing'}`
}
