/** Survivors that no test can kill, each with the reason, in a committed file. */
import { readFile } from 'node:fs/promises'
import { z } from 'zod'
import type { Fate } from './judge.ts'
import { type Mutant, nameOf } from './mutants.ts'

const explanation = z.strictObject({
  contract: z.string(),
  member: z.string(),
  was: z.string(),
  becomes: z.string(),
  nth: z.int().min(1).default(1),
  reason: z.string().min(1),
})

export type Explanation = z.infer<typeof explanation>

/** @throws when the file is there and does not hold explanations, or one twice */
export const readExplanations = async (path: string): Promise<readonly Explanation[]> => {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
  const explanations = z.array(explanation).parse(JSON.parse(text))
  const names = explanations.map(nameOf)
  const twice = names.find((name, at) => names.indexOf(name) !== at)
  if (twice !== undefined) throw new Error(`${path} explains a mutant twice: ${twice}`)
  return explanations
}

export interface Judged {
  readonly mutant: Mutant
  readonly fate: Fate
}

/** Holds survivors against explanations: those without one, and explanations of what is no survivor. */
export const compare = (
  judged: readonly Judged[],
  explanations: readonly Explanation[],
): { readonly unexplained: readonly Mutant[]; readonly stale: readonly Explanation[] } => {
  const survivors = judged.filter(({ fate }) => fate.kind === 'survived').map(({ mutant }) => mutant)
  const survived = new Set(survivors.map(nameOf))
  const explained = new Set(explanations.map(nameOf))
  return {
    unexplained: survivors.filter((mutant) => !explained.has(nameOf(mutant))),
    stale: explanations.filter((each) => !survived.has(nameOf(each))),
  }
}
