/** Cases that once failed: `sim/seeds.txt`, one a line: `seed[:path] commands reason`. */

export interface SavedSeed {
  readonly seed: number
  /** Undefined: the whole run of the seed. */
  readonly path: string | undefined
  readonly commands: number
  readonly reason: string
}

/**
 * A case as a command line and the file write it.
 * @returns undefined when it is none
 */
export const parseCase = (text: string): Pick<SavedSeed, 'seed' | 'path'> | undefined => {
  const [, seed, path] = /^(\d{1,10})(?::([\d:]+))?$/.exec(text) ?? []
  return seed === undefined ? undefined : { seed: Number(seed), path }
}

/** @throws Error that names the line */
export const parseSavedSeeds = (text: string): readonly SavedSeed[] =>
  text.split('\n').flatMap((line, index) => {
    if (line.trim() === '' || line.startsWith('#')) return []
    const [, name = '', commands = '', reason = ''] = /^(\S+) (\d+) (\S.*)$/.exec(line) ?? []
    const found = parseCase(name)
    if (!found) throw new Error(`line ${index + 1} of the saved seeds is not "seed[:path] commands reason"`)
    return [{ ...found, commands: Number(commands), reason }]
  })
