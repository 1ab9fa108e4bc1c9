/** Documents that were asked before: parsed, checked, weighed and made ready to run once. */
import {
  type DocumentNode,
  getOperationAST,
  GraphQLError,
  type GraphQLSchema,
  Kind,
  type OperationDefinitionNode,
  parse,
  validate,
  visit,
} from 'graphql'
import {
  DOCUMENT_WEIGHTS_KEPT_MAX,
  DOCUMENTS_KEPT_CHARACTERS_MAX,
  DOCUMENTS_KEPT_MAX,
  QUERY_TOKENS_MAX,
} from '../limits.ts'
import { type CompiledOperation, compileOperation } from './compile.ts'
import { documentError } from './errors.ts'
import { createLru } from './lru.ts'
import { type Weight, weigh } from './query-limits.ts'

type Variables = Readonly<Record<string, unknown>>

export interface KnownOperation<Context> {
  readonly node: OperationDefinitionNode
  weight(variables: Variables): Weight
  /** Undefined for what only the ordinary way can run. */
  readonly compiled: CompiledOperation<Context> | undefined
}

export interface KnownDocument<Context> {
  readonly node: DocumentNode
  /** Why it does not fit the schema; empty when it does. */
  readonly errors: readonly GraphQLError[]
  /** @returns undefined if there is none of this name, or several and no name. Only for documents without errors. */
  operation(name: string | undefined): KnownOperation<Context> | undefined
}

export interface Documents<Context> {
  /** @throws GraphQLError for text that is no document, or one that is too long */
  read(text: string): KnownDocument<Context>
}

export const createDocuments = <Context>(schema: GraphQLSchema): Documents<Context> => {
  const known = createLru<KnownDocument<Context>>(DOCUMENTS_KEPT_MAX, DOCUMENTS_KEPT_CHARACTERS_MAX)
  return {
    read(text) {
      const before = known.get(text)
      if (before) return before
      const document = describe<Context>(schema, parseBounded(text))
      known.set(text, document, text.length)
      return document
    },
  }
}

const parseBounded = (text: string): DocumentNode => {
  try {
    return parse(text, { maxTokens: QUERY_TOKENS_MAX })
  } catch (error) {
    if (!(error instanceof GraphQLError) || !/more than \d+ tokens/.test(error.message)) throw error
    throw documentError('ERR_QUERY_TOO_LONG', `a document has at most ${QUERY_TOKENS_MAX} tokens`)
  }
}

const describe = <Context>(schema: GraphQLSchema, node: DocumentNode): KnownDocument<Context> => {
  const operations = new Map<string | undefined, KnownOperation<Context> | undefined>()
  return {
    node,
    errors: validate(schema, node),
    operation(name) {
      const before = operations.get(name)
      if (before) return before
      const found = getOperationAST(node, name)
      if (!found) return undefined
      const operation = {
        node: found,
        weight: weighing(node, found),
        compiled: compileOperation<Context>(schema, node, found),
      }
      operations.set(name, operation)
      return operation
    },
  }
}

/** Weights by the variables that they depend on: those that size lists. */
const weighing = (document: DocumentNode, operation: OperationDefinitionNode) => {
  const sizes = new Set<string>()
  visit(document, {
    Argument: ({ name, value }) => {
      if (/^(first|last|tokens)$/.test(name.value) && value.kind === Kind.VARIABLE) sizes.add(value.name.value)
    },
  })
  const weights = createLru<Weight>(DOCUMENT_WEIGHTS_KEPT_MAX, DOCUMENT_WEIGHTS_KEPT_MAX)
  return (variables: Variables): Weight => {
    const given = Array.from(sizes, (name) => variables[name])
    const key = given.map((size) => (Array.isArray(size) ? size.length : typeof size === 'number' ? size : '')).join()
    const before = weights.get(key)
    if (before) return before
    const weight = weigh(document, operation, variables)
    weights.set(key, weight, 1)
    return weight
  }
}
