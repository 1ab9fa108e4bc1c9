/** The same changes in inline assembly, where everything is a number. */
import type { Edit } from './operators.ts'
import { type Bytes, isA, type Place, rangeOf } from './tree.ts'

const otherBuiltin: Readonly<Record<string, string>> = {
  add: 'sub',
  sub: 'add',
  mul: 'div',
  div: 'mul',
  lt: 'gt',
  gt: 'lt',
  shl: 'shr',
  shr: 'shl',
  and: 'or',
  or: 'and',
}

const literal = ({ value }: { readonly value?: string }): readonly string[] => {
  const number = value !== undefined && /^(0x[0-9a-f]+|\d+)$/i.test(value) ? BigInt(value) : undefined
  return number === undefined ? [] : number === 0n ? ['1'] : [`${number + 1n}`, `${number - 1n}`]
}

export const yulEdits = (at: Place, source: Bytes): readonly Edit[] => {
  const by = (node: { readonly src: string }, texts: readonly string[]): readonly Edit[] => {
    const [start, end] = rangeOf(node)
    return texts.map((text) => ({ operator: 'assembly', start, end, text }))
  }
  // An assignment to one is deleted by the zero that an untouched variable holds.
  if (isA(at, 'YulAssignment')) return [...by(at.node, ['']), ...by(at.node.value, ['0', '1'])]
  if (isA(at, 'YulVariableDeclaration')) return at.node.value ? by(at.node.value, ['0']) : []
  if (isA(at, 'YulExpressionStatement')) return by(at.node, [''])
  if (isA(at, 'YulIf')) return by(at.node.condition, ['0', '1'])
  if (isA(at, 'YulLiteral')) return by(at.node, literal(at.node as { value?: string }))
  if (!isA(at, 'YulFunctionCall')) return []
  const name = source.slice(...rangeOf(at.node.functionName))
  const [argument] = at.node.arguments
  if (name === 'iszero' && argument) return by(at.node, [source.slice(...rangeOf(argument))])
  const other = otherBuiltin[name]
  return other === undefined ? [] : by(at.node.functionName, [other])
}
