/** Where in the source a mutant can live beside the original, chosen at run time. */
import { type Bytes, endOfStatement, isA, isAssigned, nearest, type Place, rangeOf } from './tree.ts'

/**
 * The smallest stretch around a change where `a or b, whichever` may be written without touching any type: a condition,
 * a whole statement, or a declaration, whose names must outlive the choice.
 */
export interface Site {
  readonly kind: 'condition' | 'statement' | 'declaration'
  readonly start: number
  readonly end: number
  readonly declared?: Declared
}

export interface Declared {
  /** Declared without values. */
  readonly variables: Bytes
  /** The left side of an assignment to them. */
  readonly target: Bytes
  readonly valueStart: number
}

const statementRoles = new Set(['statements', 'trueBody', 'falseBody', 'body'])

/** Not a part of a loop's header, nor of inline assembly, which is chosen as a whole. */
const isStatementOfItsOwn = ({ node, role }: Place): boolean =>
  statementRoles.has(role) && !node.nodeType.startsWith('Yul')

const isBody = (at: Place): boolean =>
  isA(at, 'Block') && (isA(at.parent, 'FunctionDefinition') || isA(at.parent, 'ModifierDefinition'))

const isCondition = (at: Place): boolean =>
  'typeDescriptions' in at.node &&
  (at.node.typeDescriptions as { typeString?: string }).typeString === 'bool' &&
  !isAssigned(at)

/** @returns undefined outside of the bodies of functions and modifiers */
export const siteOf = (from: Place, source: Bytes): Site | undefined => {
  if (!from.parent || !nearest(from.parent, isBody)) return undefined
  const at = nearest(from, (place) => isCondition(place) || isStatementOfItsOwn(place))
  if (!at) return undefined
  const { start } = at
  if (isCondition(at)) return { kind: 'condition', start, end: at.end }
  const end = endOfStatement(at.node, source)
  if (!isA(at, 'VariableDeclarationStatement')) return { kind: 'statement', start, end }
  const { declarations, initialValue } = at.node
  if (!initialValue) return undefined
  const [valueStart] = rangeOf(initialValue)
  const variables = declarations.map((each) => (each ? `${source.slice(...rangeOf(each))}; ` : '')).join('')
  const names = declarations.map((each) => each?.name ?? '').join(', ')
  const target = source[start] === '(' ? `(${names})` : names
  return { kind: 'declaration', start, end, declared: { variables, target, valueStart } }
}
