/** What is known already, on disk as it becomes known, so that an interrupted run can go on. */
import { createHash } from 'node:crypto'
import { appendFileSync, globSync, readFileSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Fate } from './judge.ts'
import { type Mutant, nameOf } from './mutants.ts'
import type { Project } from './project.ts'

export interface RunRecord {
  known(mutant: Mutant): Fate | undefined
  /** Replaces what was known. */
  add(mutant: Mutant, fate: Fate): void
}

/** Of all that decides over a mutant: sources, tests, settings, and this program. */
export const keyOf = ({ input, artifacts, testing }: Project): string => {
  const own = globSync('*.ts', { cwd: import.meta.dirname }).toSorted()
  const program = own.map((name) => readFileSync(join(import.meta.dirname, name), 'utf8'))
  const asText = (_: string, value: unknown) => (typeof value === 'bigint' ? String(value) : value)
  return createHash('sha256')
    .update(JSON.stringify([input, artifacts, testing, program], asText))
    .digest('hex')
}

const idOf = (mutant: Mutant): string => `${mutant.source} ${nameOf(mutant)}`

/** Starts over where the record is of another key; knows nothing unless asked to resume. */
export const openRecord = async (path: string, key: string, resume: boolean): Promise<RunRecord> => {
  const [first, ...lines] = await linesOf(path)
  if (first !== key) {
    await mkdir(dirname(path), { recursive: true })
    await writeFile(path, key)
  }
  const known = new Map(resume && first === key ? lines.flatMap(parse) : [])
  return {
    known: (mutant) => known.get(idOf(mutant)),
    add: (mutant, fate) => appendFileSync(path, `\n${JSON.stringify([idOf(mutant), fate])}`),
  }
}

const linesOf = async (path: string): Promise<readonly string[]> => {
  try {
    return (await readFile(path, 'utf8')).split('\n')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}

/** Nothing of the line that a killed run left half written. */
const parse = (line: string): readonly (readonly [string, Fate])[] => {
  try {
    return [JSON.parse(line) as [string, Fate]]
  } catch {
    return []
  }
}
