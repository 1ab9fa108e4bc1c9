/**
 * Many mutants in one source, each behind a switch: compiled once, each is then a matter of 32 bytes in the bytecode.
 * Compiling is what takes the time; the tests of a mutant take milliseconds.
 */
import { mutated, type Mutant } from './mutants.ts'
import type { Site } from './sites.ts'
import type { Bytes } from './tree.ts'

export interface Switchable extends Mutant {
  readonly site: Site
}

export const isSwitchable = (mutant: Mutant): mutant is Switchable => mutant.site !== undefined

/** A number that no source holds; in its place in the bytecode stands which mutant is on. */
const MAGIC = 'c3a1f60d94b27e588d0b3f2ce617a94f5be0827cd1398a46f72d6be0915c43ad'

const FUNCTION = '_isSwitchedOn'

/** Mutants of one site, each with its number. */
interface Group {
  readonly site: Site
  readonly mutants: readonly (readonly [number, Switchable])[]
}

/** Some bytes of the result that belong to one mutant. */
export interface Stretch {
  readonly start: number
  readonly end: number
  readonly mutant: Switchable
}

/**
 * Writes the source with all mutants in it; number n is the nth of them, 0 the original.
 * @returns with it, where each mutant stands, to tell whose fault an error is
 */
export const switched = (
  source: Bytes,
  mutants: readonly Switchable[],
): { readonly text: Bytes; readonly stretches: readonly Stretch[] } => {
  const stretches: Stretch[] = []
  let text = ''
  /** Copies original bytes, with the switches in them: of the groups given, the outer ones first. */
  const copy = (start: number, end: number, groups: readonly Group[]) => {
    let from = start
    let waiting = groups
    for (let [group] = waiting; group; [group] = waiting) {
      const { site } = group
      text += source.slice(from, site.start)
      choose(
        group,
        waiting.slice(1).filter((other) => other.site.start < site.end),
      )
      from = site.end
      waiting = waiting.filter((other) => other.site.start >= site.end)
    }
    text += source.slice(from, end)
  }
  const choose = ({ site, mutants: choices }: Group, inside: readonly Group[]) => {
    const { before, ifOn, between, otherwise, after } = frames[site.kind](site)
    const from = site.declared?.valueStart ?? site.start
    text += before
    for (const [number, mutant] of choices) {
      text += ifOn(`${FUNCTION}(${number})`)
      const start = text.length
      const longer = mutant.text.length - (mutant.end - mutant.start)
      text += mutated(mutant, source).slice(from, site.end + longer)
      stretches.push({ start, end: text.length, mutant })
      text += between
    }
    text += otherwise
    copy(from, site.end, inside)
    text += after
  }
  copy(0, source.length, groupsOf(mutants))
  text += `
function ${FUNCTION}(uint256 which) pure returns (bool isOn) {
    assembly ("memory-safe") {
        isOn := eq(0x${MAGIC}, which)
    }
}
`
  return { text, stretches }
}

interface Frame {
  readonly before: string
  readonly ifOn: (condition: string) => string
  readonly between: string
  readonly otherwise: string
  readonly after: string
}

const frames: Readonly<Record<Site['kind'], (site: Site) => Frame>> = {
  condition: () => ({
    before: '(',
    ifOn: (condition) => `${condition} ? (`,
    between: ') : ',
    otherwise: '(',
    after: '))',
  }),
  statement: () => ({
    before: '{ ',
    ifOn: (condition) => `if (${condition}) { `,
    between: ' } else ',
    otherwise: '{ ',
    after: ' } }',
  }),
  // Its variables live on after the choice, so only their values are chosen.
  declaration: ({ declared }) => ({
    before: declared?.variables ?? '',
    ifOn: (condition) => `if (${condition}) { ${declared?.target} = `,
    between: ' } else ',
    otherwise: `{ ${declared?.target} = `,
    after: ' }',
  }),
}

const groupsOf = (mutants: readonly Switchable[]): readonly Group[] => {
  const numbered = mutants.map((mutant, at) => [at + 1, mutant] as const)
  const bySite = Map.groupBy(numbered, ([, { site }]) => `${site.start}:${site.end}`)
  return [...bySite.values()]
    .flatMap((choices) => (choices[0] ? [{ site: choices[0][1].site, mutants: choices }] : []))
    .toSorted((left, right) => left.site.start - right.site.start || right.site.end - left.site.end)
}

/** Bytecode with one mutant on. */
export const withNumber = (bytecode: string, number: number): string =>
  bytecode.replaceAll(MAGIC, number.toString(16).padStart(64, '0'))
