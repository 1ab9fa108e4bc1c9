/**
 * What a document may ask for, decided before it runs: nesting, renamed fields, and the size of the largest answer
 * it could have. Fragments are unfolded, each once, so that a short document cannot make a long walk.
 */
import {
  type DocumentNode,
  type FieldNode,
  type FragmentDefinitionNode,
  type GraphQLError,
  Kind,
  type OperationDefinitionNode,
  type SelectionSetNode,
} from 'graphql'
import {
  PAGE_ROWS_DEFAULT,
  PAGE_ROWS_MAX,
  QUERY_ALIASES_MAX,
  QUERY_COST_MAX,
  QUERY_DEPTH_MAX,
  TOKENS_TOLD_MAX,
} from '../limits.ts'
import { documentError } from './errors.ts'

/** What a query asks for at most. */
export interface Weight {
  readonly depth: number
  readonly aliases: number
  /** Fields in the largest answer. */
  readonly cost: number
}

type Variables = Readonly<Record<string, unknown>>

/** Lists whose length the query chooses; `Profile` and `endpoints` are bounded by the contract. */
const PAGED: ReadonlySet<string> = new Set(['vendors', 'plans', 'orders', 'history'])

/** A list that is as long as the tokens it is asked for, or else as the directory tells at once. */
const OF_TOKENS = 'volumes'

const NOTHING: Weight = { depth: 0, aliases: 0, cost: 0 }

/** @returns why an operation of this weight is refused, or undefined */
export const exceedsLimits = ({ depth, aliases, cost }: Weight): GraphQLError | undefined => {
  if (depth > QUERY_DEPTH_MAX) {
    return documentError('ERR_QUERY_TOO_DEEP', `fields are nested at most ${QUERY_DEPTH_MAX} deep`)
  }
  if (aliases > QUERY_ALIASES_MAX) {
    return documentError('ERR_QUERY_TOO_MANY_ALIASES', `at most ${QUERY_ALIASES_MAX} fields may be renamed`)
  }
  if (cost > QUERY_COST_MAX) {
    const most = `at most ${QUERY_COST_MAX} fields`
    return documentError(
      'ERR_QUERY_TOO_COSTLY',
      `an answer has ${most} if all its pages are full: ask for shorter pages`,
    )
  }
  return undefined
}

/** What every answer says of its cost, under `extensions.cost`. */
export const costOf = ({ cost }: Weight) => ({ requested: cost, max: QUERY_COST_MAX })

/** Weighs an operation of a valid document, page sizes taken from the variables. */
export const weigh = (document: DocumentNode, operation: OperationDefinitionNode, given: Variables): Weight => {
  const defaults = (operation.variableDefinitions ?? []).flatMap(({ variable, defaultValue }) =>
    defaultValue?.kind === Kind.INT ? [[variable.name.value, Number(defaultValue.value)] as const] : [],
  )
  const variables: Variables = { ...Object.fromEntries(defaults), ...given }

  const fragments = new Map<string, FragmentDefinitionNode>()
  for (const definition of document.definitions) {
    if (definition.kind === Kind.FRAGMENT_DEFINITION) fragments.set(definition.name.value, definition)
  }
  const weighed = new Map<string, Weight>()

  const ofFragment = (name: string): Weight => {
    const known = weighed.get(name)
    if (known) return known
    // Validation has refused fragments that contain themselves; this entry ends the walk even so.
    weighed.set(name, NOTHING)
    const fragment = fragments.get(name)
    const weight = fragment ? ofSelections(fragment.selectionSet) : NOTHING
    weighed.set(name, weight)
    return weight
  }

  const ofField = (field: FieldNode): Weight => {
    // The shape of the schema is bounded, and graphql's own rule bounds how often it can be asked for.
    if (field.name.value.startsWith('__')) return { depth: 1, aliases: field.alias ? 1 : 0, cost: 1 }
    const inside = field.selectionSet ? ofSelections(field.selectionSet) : NOTHING
    const times = rowsOf(field, variables)
    return {
      depth: inside.depth + 1,
      aliases: inside.aliases + (field.alias && field.alias.value !== field.name.value ? 1 : 0),
      cost: 1 + times * inside.cost,
    }
  }

  const ofSelections = ({ selections }: SelectionSetNode): Weight =>
    selections
      .map((selection) => {
        if (selection.kind === Kind.FIELD) return ofField(selection)
        if (selection.kind === Kind.INLINE_FRAGMENT) return ofSelections(selection.selectionSet)
        return ofFragment(selection.name.value)
      })
      .reduce(
        (sum, { depth, aliases, cost }) => ({
          depth: Math.max(sum.depth, depth),
          aliases: sum.aliases + aliases,
          cost: sum.cost + cost,
        }),
        NOTHING,
      )

  return ofSelections(operation.selectionSet)
}

/** Rows that a field can have. */
const rowsOf = (field: FieldNode, variables: Variables): number => {
  if (field.name.value === OF_TOKENS) return tokensOf(field, variables)
  return PAGED.has(field.name.value) ? pageRows(field, variables) : 1
}

const tokensOf = ({ arguments: [tokens] = [] }: FieldNode, variables: Variables): number => {
  if (tokens?.value.kind === Kind.LIST) return Math.min(tokens.value.values.length, TOKENS_TOLD_MAX)
  const given = tokens?.value.kind === Kind.VARIABLE ? variables[tokens.value.name.value] : undefined
  return Array.isArray(given) ? Math.min(given.length, TOKENS_TOLD_MAX) : TOKENS_TOLD_MAX
}

/** Rows that a page can have; what is not a valid size is refused when the page is read. */
const pageRows = (field: FieldNode, variables: Variables): number => {
  const sizes = (field.arguments ?? []).flatMap(({ name, value }) => {
    if (name.value !== 'first' && name.value !== 'last') return []
    const size =
      value.kind === Kind.VARIABLE ? variables[value.name.value] : 'value' in value ? Number(value.value) : NaN
    return typeof size === 'number' && size >= 0 ? [Math.min(Math.max(size, 1), PAGE_ROWS_MAX)] : []
  })
  return sizes.length === 0 ? PAGE_ROWS_DEFAULT : Math.max(...sizes)
}
