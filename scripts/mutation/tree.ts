/** The compiler's syntax tree of one source, with each node's place: its parent, its role there, and its bytes. */
import type { SourceUnit } from 'solidity-ast'
import type { Node, YulNode } from 'solidity-ast/node.js'

/** A source by bytes: one character each, as the compiler counts. */
export type Bytes = string

export interface Place<N extends Node | YulNode = Node | YulNode> {
  readonly node: N
  readonly parent: Place | undefined
  /** The parent's field that holds it. */
  readonly role: string
  readonly start: number
  readonly end: number
}

export const toBytes = (text: string): Bytes => Buffer.from(text).toString('latin1')
export const fromBytes = (bytes: Bytes): string => Buffer.from(bytes, 'latin1').toString()

/** Start and end of a node, in bytes. */
export const rangeOf = ({ src }: { readonly src: string }): readonly [number, number] => {
  const [start = 0, length = 0] = src.split(':').map(Number)
  return [start, start + length]
}

const isNode = (value: unknown): value is Node | YulNode =>
  typeof value === 'object' && value !== null && 'nodeType' in value && 'src' in value

const nodesIn = (value: unknown): readonly (Node | YulNode)[] =>
  Array.isArray(value) ? value.flatMap(nodesIn) : isNode(value) ? [value] : []

/** Every node, parents before their children. */
export function* placesIn(root: SourceUnit): Generator<Place> {
  const waiting: Place[] = [place(root, undefined, '')]
  for (let next = waiting.pop(); next; next = waiting.pop()) {
    const parent = next
    yield parent
    for (const [role, value] of Object.entries(parent.node)) {
      for (const node of nodesIn(value)) waiting.push(place(node, parent, role))
    }
  }
}

const place = (node: Node | YulNode, parent: Place | undefined, role: string): Place => {
  const [start, end] = rangeOf(node)
  return { node, parent, role, start, end }
}

/** The nearest place upwards that a test accepts, itself included. */
export const nearest = (from: Place, accepts: (at: Place) => boolean): Place | undefined => {
  for (let at: Place | undefined = from; at; at = at.parent) if (accepts(at)) return at
  return undefined
}

/** Narrows a place to one whose node is of a type. */
export const isA = <T extends (Node | YulNode)['nodeType']>(
  at: Place | undefined,
  nodeType: T,
): at is Place<Extract<Node | YulNode, { nodeType: T }>> => at?.node.nodeType === nodeType

/** Whether a place is written to, not read. */
export const isAssigned = ({ node, parent, role }: Place): boolean =>
  role === 'leftHandSide' ||
  ('lValueRequested' in node && node.lValueRequested === true) ||
  (parent?.node.nodeType === 'TupleExpression' && isAssigned(parent))

const simpleStatements = new Set([
  ...['ExpressionStatement', 'EmitStatement', 'RevertStatement', 'VariableDeclarationStatement', 'DoWhileStatement'],
  ...['Return', 'Break', 'Continue', 'PlaceholderStatement'],
])

const lastStatementOf = (node: Place['node']): Node | undefined => {
  if (node.nodeType === 'IfStatement') return node.falseBody ?? node.trueBody
  return node.nodeType === 'ForStatement' || node.nodeType === 'WhileStatement' ? node.body : undefined
}

/** Where a statement ends, with the semicolon that the tree leaves out. */
export const endOfStatement = (node: Place['node'], source: Bytes): number => {
  const last = lastStatementOf(node)
  if (last) return endOfStatement(last, source)
  const [, end] = rangeOf(node)
  return simpleStatements.has(node.nodeType) ? source.indexOf(';', end) + 1 : end
}
