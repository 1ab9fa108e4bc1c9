/**
 * The changes that stand for mistakes: what one node of Solidity may be replaced by. Each must be a change of meaning
 * that some test ought to notice; changes that another one implies are left out (a negated condition, say, where the
 * condition is also forced to true and to false).
 */
import type { Expression } from 'solidity-ast'
import { type Bytes, endOfStatement, isA, isAssigned, type Place, rangeOf } from './tree.ts'
import { yulEdits } from './yul.ts'

export type Operator =
  | 'condition'
  | 'comparison'
  | 'arithmetic'
  | 'rounding'
  | 'constant'
  | 'deletion'
  | 'assignment'
  | 'swap'
  | 'zero'
  | 'modifier'
  | 'assembly'

/** A replacement of some bytes of a source. */
export interface Edit {
  readonly operator: Operator
  readonly start: number
  readonly end: number
  readonly text: Bytes
}

type Edits = (at: Place, source: Bytes) => readonly Edit[]

const typeOf = (node: object): string =>
  'typeDescriptions' in node ? ((node.typeDescriptions as { typeString?: string }).typeString ?? '') : ''

/** Where a value lives makes no difference to whether it may stand for another. */
const valueType = (node: object): string => typeOf(node).replace(/ (memory|calldata|storage( ref| pointer)?)$/, '')

const isInteger = (type: string): boolean => /^u?int\d+$/.test(type)

const textOf = (node: { readonly src: string }, source: Bytes): Bytes => source.slice(...rangeOf(node))

const replace = (operator: Operator, node: { readonly src: string }, text: Bytes): Edit => {
  const [start, end] = rangeOf(node)
  return { operator, start, end, text }
}

const isZero = (node: Expression): boolean => node.nodeType === 'Literal' && node.value === '0'

const expressions = new Set([
  ...['BinaryOperation', 'UnaryOperation', 'Conditional', 'FunctionCall'],
  ...['Identifier', 'MemberAccess', 'IndexAccess'],
])

/** Each boolean value, forced: a check that always or never bites, a signature that is always good. */
const conditions: Edits = (at) => {
  const { node, parent } = at
  if (typeOf(node) !== 'bool' || !expressions.has(node.nodeType) || isAssigned(at)) return []
  // A call for its effect, and what is negated: the negation is forced.
  if (isA(parent, 'ExpressionStatement') || isA(parent, 'UnaryOperation')) return []
  const joined = isA(parent, 'BinaryOperation') ? parent.node.operator : ''
  // `false && x` is false, which forcing the whole already tries; likewise `true || x`.
  return ['true', 'false']
    .filter((value) => !(joined === '&&' && value === 'false') && !(joined === '||' && value === 'true'))
    .map((text) => replace('condition', node, text))
}

const neighbours: Readonly<Record<string, readonly string[]>> = {
  '<': ['<='],
  '<=': ['<'],
  '>': ['>='],
  '>=': ['>'],
  '==': ['<=', '>='],
  '!=': ['<', '>'],
}

/** Off by one at a bound; one side of an equality only. */
const comparisons: Edits = ({ node }) => {
  if (node.nodeType !== 'BinaryOperation' || !isInteger(node.commonType.typeString ?? '')) return []
  // Of unsigned numbers, all are ≥ 0 and none is < 0, which is the comparison forced.
  if (isZero(node.rightExpression) && !['<=', '<'].includes(node.operator)) return []
  return operatorEdits('comparison', node, neighbours[node.operator] ?? [])
}

interface Binary {
  readonly leftExpression: Expression
  readonly rightExpression: Expression
}

const operatorEdits = (operator: Operator, node: Binary, by: readonly string[]): readonly Edit[] => {
  const [, start] = rangeOf(node.leftExpression)
  const [end] = rangeOf(node.rightExpression)
  return by.map((text) => ({ operator, start, end, text: ` ${text} ` }))
}

const otherArithmetic: Readonly<Record<string, string>> = {
  '+': '-',
  '-': '+',
  '*': '/',
  '/': '*',
  '%': '*',
  '**': '*',
  '<<': '>>',
  '>>': '<<',
  '&': '|',
  '|': '&',
  '^': '&',
}

/** Another operation, or one operand alone. */
const arithmetic: Edits = ({ node, start, end }) => {
  if (node.nodeType !== 'BinaryOperation' || !isInteger(typeOf(node))) return []
  const other = otherArithmetic[node.operator]
  if (other === undefined) return []
  const operator = 'arithmetic'
  const [, leftEnd] = rangeOf(node.leftExpression)
  const [rightStart] = rangeOf(node.rightExpression)
  return [
    ...operatorEdits(operator, node, [other]),
    { operator, start: leftEnd, end, text: '' },
    ...(['+', '*', '|', '^'].includes(node.operator) ? [{ operator, start, end: rightStart, text: '' } as const] : []),
  ]
}

const withoutParentheses = (node: Expression): Expression =>
  node.nodeType === 'TupleExpression' && node.components.length === 1 && node.components[0]
    ? withoutParentheses(node.components[0])
    : node

/** Of `(x + y - 1) / y`, the x; undefined for any other division. */
const roundedUp = (dividend: Expression, divisor: Bytes, source: Bytes): Bytes | undefined => {
  const less = withoutParentheses(dividend)
  if (less.nodeType !== 'BinaryOperation' || less.operator !== '-') return undefined
  const { leftExpression: sum, rightExpression: one } = less
  if (one.nodeType !== 'Literal' || one.value !== '1') return undefined
  if (sum.nodeType !== 'BinaryOperation' || sum.operator !== '+') return undefined
  return textOf(sum.rightExpression, source) === divisor ? textOf(sum.leftExpression, source) : undefined
}

/** A quotient rounded the other way. */
const rounding: Edits = ({ node }, source) => {
  if (node.nodeType !== 'BinaryOperation' || node.operator !== '/' || !isInteger(typeOf(node))) return []
  const divisor = textOf(node.rightExpression, source)
  const dividend = roundedUp(node.leftExpression, divisor, source)
  if (dividend !== undefined) return [replace('rounding', node, `${dividend} / ${divisor}`)]
  return [replace('rounding', node, `(${textOf(node.leftExpression, source)} + ${divisor} - 1) / ${divisor}`)]
}

/** The digits of a number one off, as long as before where it is hexadecimal, since that is its type. */
const off = (digits: string, by: bigint): string => {
  const plain = digits.replaceAll('_', '')
  if (!/^(0x[0-9a-f]+|\d+)$/i.test(plain)) return `(${digits} ${by < 0n ? '-' : '+'} 1)`
  const value = BigInt(plain) + by
  return plain.startsWith('0x') ? `0x${value.toString(16).padStart(plain.length - 2, '0')}` : value.toString()
}

/** Every number one more and one less, every text empty, every member of an enumeration another. */
const constants: Edits = (at, source) => {
  const { node, parent, start, end } = at
  const operator = 'constant'
  if (node.nodeType === 'MemberAccess' && node.memberName === 'max' && typeOf(node.expression).startsWith('type(')) {
    return isInteger(typeOf(node)) ? [replace(operator, node, `(${source.slice(start, end)} - 1)`)] : []
  }
  if (node.nodeType !== 'Literal' || isA(parent, 'ArrayTypeName')) return []
  if (node.kind === 'bool') return [replace(operator, node, node.value === 'true' ? 'false' : 'true')]
  if (node.kind !== 'number') return node.hexValue === '' ? [] : [replace(operator, node, '""')]
  // The zero address and such: a check against them is forced elsewhere, and no other constant is like them.
  if (isA(parent, 'FunctionCall') && parent.node.kind === 'typeConversion' && !isInteger(typeOf(parent.node))) return []
  if (typeOf(node).startsWith('address')) return []
  const [digits = ''] = source.slice(start, end).split(' ')
  const units = source.slice(start + digits.length, end)
  return [1n, -1n]
    .filter((by) => by > 0n || node.value !== '0')
    .map((by) => replace(operator, node, off(digits, by) + units))
}

/** `x` of an `Enum.x` that no comparison, forced elsewhere, uses. */
const members: Edits = ({ node, parent }) => {
  if (node.nodeType !== 'MemberAccess' || !typeOf(node).startsWith('enum ') || isA(parent, 'BinaryOperation')) return []
  const { expression } = node
  if (!typeOf(expression).startsWith('type(enum ')) return []
  const path = typeOf(node).slice('enum '.length)
  return ['min', 'max'].map((bound) => replace('constant', node, `type(${path}).${bound}`))
}

const inLoopHeader = ({ role }: Place): boolean => role === 'initializationExpression' || role === 'loopExpression'

/** All that an `if` without `else` does, so that forcing its condition deletes it. */
const isWholeBranch = ({ role, parent }: Place): boolean =>
  isA(parent, 'IfStatement')
    ? role === 'trueBody' && !parent.node.falseBody
    : isA(parent, 'Block') && parent.node.statements?.length === 1 && isWholeBranch(parent)

/** A statement that does something, gone: a state update, a call, an event. */
const deletions: Edits = (at, source) => {
  if (!isDeletable(at.node, source) || inLoopHeader(at) || isWholeBranch(at)) return []
  const end = endOfStatement(at.node, source)
  return [{ operator: 'deletion', start: at.start, end, text: at.role === 'statements' ? '' : '{}' }]
}

const isDeletable = (node: Place['node'], source: Bytes): boolean => {
  if (['EmitStatement', 'RevertStatement', 'Break', 'Continue'].includes(node.nodeType)) return true
  if (node.nodeType !== 'ExpressionStatement') return false
  const { expression } = node
  // Their condition is forced to true elsewhere, which is the same.
  if (expression.nodeType === 'FunctionCall') return !/^(require|assert)$/.test(textOf(expression.expression, source))
  return expression.nodeType === 'Assignment' || expression.nodeType === 'UnaryOperation'
}

const otherAssignment: Readonly<Record<string, string>> = {
  '+=': '-=',
  '-=': '+=',
  '*=': '/=',
  '/=': '*=',
  '%=': '*=',
  '|=': '&=',
  '&=': '|=',
  '^=': '|=',
  '<<=': '>>=',
  '>>=': '<<=',
}

/** Added to, taken from, or overwritten; counted up, down, or not at all. */
const assignments: Edits = (at, source) => {
  const { node, start, end } = at
  const operator = 'assignment'
  if (node.nodeType === 'Assignment') {
    const other = otherAssignment[node.operator]
    if (other === undefined) return []
    return operatorEdits(operator, { leftExpression: node.leftHandSide, rightExpression: node.rightHandSide }, [
      other,
      '=',
    ])
  }
  if (node.nodeType !== 'UnaryOperation' || !['++', '--', '-', '~'].includes(node.operator)) return []
  if (at.parent && inLoopHeader(at.parent)) return []
  const operand = textOf(node.subExpression, source)
  const edits = [replace(operator, node, operand)]
  if (node.operator.length === 1) return edits
  const other = node.operator === '++' ? '--' : '++'
  const counted = source.slice(start, end).replace(node.operator, other)
  // As a statement, the operand alone is the statement deleted.
  return [...(isA(at.parent, 'ExpressionStatement') ? [] : edits), replace(operator, node, counted)]
}

/** Two arguments of one type in each other's place; for what is hashed, of any type. */
const swaps: Edits = ({ node }, source) => {
  if (node.nodeType !== 'FunctionCall' || node.kind === 'typeConversion') return []
  const takesAny = /^abi\.encode(Packed)?$/.test(textOf(node.expression, source))
  return node.arguments.flatMap((left, at) => {
    const type = valueType(left)
    const right = node.arguments.slice(at + 1).find((other) => takesAny || valueType(other) === type)
    if (right === undefined || (!takesAny && left.nodeType === 'Literal')) return []
    const [[start, leftEnd], [rightStart, end]] = [rangeOf(left), rangeOf(right)]
    const text = textOf(right, source) + source.slice(leftEnd, rightStart) + textOf(left, source)
    return [{ operator: 'swap', start, end, text }]
  })
}

/** What a variable of the type holds before anything is assigned; undefined where no expression says so. */
const zeroOf = (type: string): string | undefined => {
  if (isInteger(type)) return '0'
  if (type === 'address') return 'address(0)'
  if (type === 'address payable') return 'payable(address(0))'
  if (/^bytes\d+$/.test(type)) return `${type}(0)`
  if (type === 'string' || type === 'bytes') return '""'
  const [kind, path = ''] = type.split(' ')
  return kind === 'enum' ? `type(${path}).min` : kind === 'contract' ? `${path}(address(0))` : undefined
}

/** What is returned, told in an event or error, put into a struct, or given to a new variable: nothing instead. */
const zeros: Edits = ({ node }, source) =>
  givenValues(node).flatMap((value) => {
    const zero = zeroOf(valueType(value))
    return zero === undefined || isZero(value) || textOf(value, source) === zero ? [] : [replace('zero', value, zero)]
  })

const givenValues = (node: Place['node']): readonly Expression[] => {
  if (node.nodeType === 'FunctionCall') return node.kind === 'structConstructorCall' ? node.arguments : []
  if (node.nodeType === 'EmitStatement') return node.eventCall.arguments
  if (node.nodeType === 'RevertStatement') return node.errorCall.arguments
  if (node.nodeType === 'VariableDeclarationStatement') return node.initialValue ? [node.initialValue] : []
  if (node.nodeType !== 'Return' || !node.expression) return []
  const { expression } = node
  return expression.nodeType === 'TupleExpression'
    ? expression.components.filter((component) => component != null)
    : [expression]
}

/** A function without its guard. */
const modifiers: Edits = ({ node }) =>
  node.nodeType === 'ModifierInvocation' && node.kind === 'modifierInvocation' ? [replace('modifier', node, '')] : []

const all: readonly Edits[] = [
  ...[conditions, comparisons, arithmetic, rounding, constants, members, deletions, assignments, swaps, zeros],
  ...[modifiers, yulEdits],
]

/** Every change that one node may suffer; none leaves the source as it was. */
export const editsAt = (at: Place, source: Bytes): readonly Edit[] =>
  all.flatMap((edits) => edits(at, source)).filter(({ start, end, text }) => source.slice(start, end) !== text)
