/** All mutants of one source: each one change, with a name that stays when lines move. */
import type { SourceUnit } from 'solidity-ast'
import { type Edit, editsAt } from './operators.ts'
import { siteOf, type Site } from './sites.ts'
import { type Bytes, fromBytes, nearest, type Place, placesIn } from './tree.ts'

/** What a mutant is called in the list of explained survivors. */
export interface MutantName {
  readonly contract: string
  /** Function, modifier or variable. */
  readonly member: string
  /** The lines concerned before and after, as one, blanks folded. */
  readonly was: string
  readonly becomes: string
  /** Which of several with the same name, from 1 in the order of the source. */
  readonly nth: number
}

export interface Mutant extends MutantName, Edit {
  /** Of the compiler's input. */
  readonly source: string
  readonly line: number
  /** Where it can be switched on at run time; undefined where it must be compiled by itself. */
  readonly site: Site | undefined
}

export const nameOf = ({ contract, member, was, becomes, nth }: MutantName): string =>
  JSON.stringify([contract, member, was, becomes, nth])

/**
 * All mutants of a source, in its order; none for interfaces, which hold no code.
 * @param name of the source in the compiler's input
 */
export const mutantsOf = (name: string, tree: SourceUnit, source: Bytes): readonly Mutant[] => {
  const found = new Map<string, Omit<Mutant, 'nth'>>()
  for (const at of placesIn(tree)) {
    const owner = ownerOf(at)
    if (!owner) continue
    for (const edit of editsAt(at, source)) {
      const key = `${edit.start}:${edit.end}:${edit.text}`
      if (found.has(key)) continue
      const line = source.slice(0, edit.start).split('\n').length
      found.set(key, { ...edit, ...owner, ...linesOf(edit, source), source: name, line, site: siteOf(at, source) })
    }
  }
  const sorted = [...found.values()].toSorted(
    (left, right) => left.start - right.start || left.end - right.end || (left.text < right.text ? -1 : 1),
  )
  const seen = new Map<string, number>()
  return sorted.map((mutant) => {
    const unnumbered = nameOf({ ...mutant, nth: 0 })
    const nth = (seen.get(unnumbered) ?? 0) + 1
    seen.set(unnumbered, nth)
    return { ...mutant, nth }
  })
}

const memberTypes = new Set(['FunctionDefinition', 'ModifierDefinition', 'VariableDeclaration'])

/** Contract and member that a place belongs to; undefined outside of code and values. */
const ownerOf = (at: Place): { contract: string; member: string } | undefined => {
  const isMember = ({ node, parent }: Place) =>
    memberTypes.has(node.nodeType) && (parent?.node.nodeType === 'ContractDefinition' || parent?.parent === undefined)
  const member = nearest(at, isMember)?.node
  if (!member) return undefined
  const contract = nearest(at, ({ node }) => node.nodeType === 'ContractDefinition')?.node
  const name = 'name' in member && member.name !== '' ? member.name : 'kind' in member ? member.kind : ''
  return { contract: contract && 'name' in contract ? (contract.name as string) : '', member: name as string }
}

const folded = (text: Bytes): string => fromBytes(text).replace(/\s+/g, ' ').trim()

const linesOf = ({ start, end, text }: Edit, source: Bytes): { was: string; becomes: string } => {
  const from = source.lastIndexOf('\n', start - 1) + 1
  const next = source.indexOf('\n', end)
  const to = next === -1 ? source.length : next
  return {
    was: folded(source.slice(from, to)),
    becomes: folded(source.slice(from, start) + text + source.slice(end, to)),
  }
}

/** The source with one mutant in it. */
export const mutated = ({ start, end, text }: Edit, source: Bytes): Bytes =>
  source.slice(0, start) + text + source.slice(end)
