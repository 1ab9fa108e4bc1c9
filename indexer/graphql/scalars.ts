/** Values that GraphQL's own scalars cannot hold, strict both ways. */
import { GraphQLError, GraphQLScalarType, Kind, type ValueNode } from 'graphql'
import { parseAddress, parseHash } from '../../chain/types.ts'

/** Digits of 2^256. */
const DIGITS_MAX = 78

const refused = (what: string) => new GraphQLError(`must be ${what}`, { extensions: { code: 'BAD_USER_INPUT' } })

const scalar = <Value>(
  name: string,
  description: string,
  what: string,
  read: (text: string) => Value | undefined,
  acceptsNumbers = false,
): GraphQLScalarType<Value, string> => {
  const parse = (input: unknown): Value => {
    const text = acceptsNumbers && typeof input === 'number' && Number.isSafeInteger(input) ? `${input}` : input
    const value = typeof text === 'string' ? read(text) : undefined
    if (value === undefined) throw refused(what)
    return value
  }
  return new GraphQLScalarType<Value, string>({
    name,
    description,
    serialize: (value) => String(value),
    parseValue: parse,
    parseLiteral: (node: ValueNode) => {
      if (node.kind === Kind.STRING || (acceptsNumbers && node.kind === Kind.INT)) return parse(node.value)
      throw refused(what)
    },
  })
}

export const scalars = {
  BigInt: scalar(
    'BigInt',
    'A whole number of any size, as decimal digits.',
    'a whole number of at most 78 digits',
    (text) => (text.length <= DIGITS_MAX && /^\d+$/.test(text) ? BigInt(text) : undefined),
    true,
  ),
  Bytes: scalar(
    'Bytes',
    'Any number of bytes: `0x` and pairs of lower-case hex digits.',
    '0x and pairs of hex digits',
    (text) => (/^0x([0-9a-f]{2})*$/i.test(text) ? text.toLowerCase() : undefined),
  ),
  Bytes32: scalar(
    'Bytes32',
    '32 bytes: `0x` and 64 lower-case hex digits. Upper case is accepted in arguments.',
    '0x and 64 hex digits',
    parseHash,
  ),
  Address: scalar(
    'Address',
    'An account or contract: `0x` and 40 lower-case hex digits. Checksum case is accepted in arguments.',
    '0x and 40 hex digits',
    parseAddress,
  ),
}
