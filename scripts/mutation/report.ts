/** What a run says: a line while it works, a table and the survivors in the end. */
import type { Explanation, Judged } from './explanations.ts'
import type { Mutant } from './mutants.ts'

export interface Count {
  readonly mutants: number
  readonly killed: number
  readonly survived: number
  /** The bytecode that ships is the same. */
  readonly equivalent: number
  readonly uncompilable: number
  /** Killed, of those that could be. */
  readonly score: number
}

export interface Summary {
  readonly total: Count
  readonly byFile: Readonly<Record<string, Count>>
  readonly byOperator: Readonly<Record<string, Count>>
  readonly survivors: readonly Described[]
  readonly unexplained: readonly Described[]
  readonly stale: readonly Explanation[]
}

export type Described = Pick<Mutant, 'contract' | 'member' | 'was' | 'becomes' | 'nth' | 'line' | 'operator'> & {
  readonly file: string
}

export const countOf = (judged: readonly Judged[]): Count => {
  const of = (kind: string) => judged.filter(({ fate }) => fate.kind === kind).length
  const [killed, survived] = [of('killed'), of('survived')]
  return {
    mutants: judged.length,
    killed,
    survived,
    equivalent: of('equivalent'),
    uncompilable: of('uncompilable'),
    score: killed + survived === 0 ? 1 : killed / (killed + survived),
  }
}

const countsBy = (judged: readonly Judged[], keyOf: (mutant: Mutant) => string): Record<string, Count> =>
  Object.fromEntries(
    [...Map.groupBy(judged, ({ mutant }) => keyOf(mutant))].map(([key, group]) => [key, countOf(group)] as const),
  )

/** @param paths name of a source to its path */
export const summarize = (
  judged: readonly Judged[],
  { unexplained, stale }: { readonly unexplained: readonly Mutant[]; readonly stale: readonly Explanation[] },
  paths: ReadonlyMap<string, string>,
): Summary => {
  const fileOf = ({ source }: Mutant) => paths.get(source) ?? source
  const describe = (mutant: Mutant): Described => {
    const { contract, member, was, becomes, nth, line, operator } = mutant
    return { file: fileOf(mutant), line, contract, member, operator, was, becomes, nth }
  }
  return {
    total: countOf(judged),
    byFile: countsBy(judged, fileOf),
    byOperator: countsBy(judged, ({ operator }) => operator),
    survivors: judged.filter(({ fate }) => fate.kind === 'survived').map(({ mutant }) => describe(mutant)),
    unexplained: unexplained.map(describe),
    stale,
  }
}

const columns = ['mutants', 'killed', 'survived', 'equivalent', 'uncompilable'] as const

const table = (counts: Readonly<Record<string, Count>>): string => {
  const width = Math.max(...Object.keys(counts).map(({ length }) => length))
  const row = (name: string, cells: readonly string[]) =>
    [name.padEnd(width), ...cells.map((cell, at) => cell.padStart((columns[at] ?? 'score').length + 2))].join('')
  return [
    row('', [...columns, ' score']),
    ...Object.entries(counts).map(([name, count]) =>
      row(name, [...columns.map((column) => String(count[column])), `${(100 * count.score).toFixed(1)}%`]),
    ),
  ].join('\n')
}

const diff = ({ file, line, contract, member, was, becomes, nth }: Described): string =>
  `${file}:${line} ${contract}.${member}${nth === 1 ? '' : ` (${nth})`}\n  - ${was}\n  + ${becomes}`

export const textOf = ({ total, byFile, byOperator, survivors, unexplained, stale }: Summary): string =>
  [
    table(byOperator),
    table({ ...byFile, total }),
    ...unexplained.map((survivor) => `SURVIVED, unexplained: ${diff(survivor)}`),
    ...stale.map(
      ({ contract, member, was, becomes }) =>
        `STALE explanation, of no survivor: ${contract}.${member}\n  - ${was}\n  + ${becomes}`,
    ),
    `${survivors.length - unexplained.length} of ${survivors.length} survivors are explained.\n`,
  ].join('\n\n')

const duration = (seconds: number): string =>
  seconds < 90 ? `${Math.round(seconds)} s` : `${Math.round(seconds / 60)} min`

/** @param resumed of those done, known from an earlier run */
export const progressLine = (
  { mutants, killed, survived, equivalent, uncompilable }: Count,
  all: number,
  resumed: number,
  elapsedMs: number,
): string => {
  const perSecond = (mutants - resumed) / (elapsedMs / 1000)
  const left = perSecond > 0 ? `, ${perSecond.toFixed(1)}/s, about ${duration((all - mutants) / perSecond)} left` : ''
  const others = `${equivalent} equivalent, ${uncompilable} uncompilable`
  return `${mutants} of ${all} mutants${left}: ${killed} killed, ${survived} survived, ${others}`
}
