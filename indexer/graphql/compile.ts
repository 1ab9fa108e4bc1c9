/**
 * Operations made ready to run: which fields an object is asked for, how each is resolved and written, is found out
 * once for a document and not for every row of every answer. Knows nothing of errors: when anything fails the run is
 * given up, and whoever asked runs the operation the ordinary way, which tells what failed and where. It serves schemas
 * whose resolvers look at source, arguments and context alone.
 */
import {
  type DirectiveNode,
  type DocumentNode,
  type FieldNode,
  type FragmentDefinitionNode,
  getArgumentValues,
  getVariableValues,
  type GraphQLField,
  type GraphQLObjectType,
  type GraphQLOutputType,
  type GraphQLSchema,
  isAbstractType,
  isEnumType,
  isLeafType,
  isListType,
  isNonNullType,
  isObjectType,
  Kind,
  type OperationDefinitionNode,
  type SelectionSetNode,
  TypeNameMetaFieldDef,
  type VariableDefinitionNode,
  visit,
} from 'graphql'

type Coerced = Exclude<ReturnType<typeof getVariableValues>['variableValues'], undefined>

/** One run. */
interface Run<Context> {
  readonly context: Context
  readonly variables: Coerced
  /** Arguments of fields that were asked already: they are the same for every row. */
  readonly args: unknown[]
}

type Complete<Context> = (value: unknown, run: Run<Context>) => unknown

interface Field<Context> {
  /** As what it stands in the answer. */
  readonly name: string
  readonly resolve: (source: unknown, run: Run<Context>) => unknown
  readonly complete: Complete<Context>
}

/** Runs an operation. @returns `data`, or a promise of it @throws anything, when an error belongs into the answer */
export type Compiled<Context> = (context: Context, variables: Readonly<Record<string, unknown>>) => unknown

/** What the operation asks, told apart by the variables that switch fields on and off. */
export interface CompiledOperation<Context> {
  /** @returns undefined when the variables switch in too many ways to keep them all */
  readonly run: (variables: Readonly<Record<string, unknown>>) => Compiled<Context> | undefined
}

/** Ways to set the switches of one operation that are kept ready. */
const VARIANTS_MAX = 16

/**
 * @param document valid for this schema
 * @returns undefined for what only the ordinary way does: subscriptions, and questions about the schema itself
 */
export const compileOperation = <Context>(
  schema: GraphQLSchema,
  document: DocumentNode,
  operation: OperationDefinitionNode,
): CompiledOperation<Context> | undefined => {
  const root = schema.getQueryType()
  if (operation.operation !== 'query' || !root || asksForSchema(document)) return undefined
  const definitions = operation.variableDefinitions ?? []
  const switches = switchesOf(document, definitions)
  const variants = new Map<string, Compiled<Context>>()
  return {
    run(variables) {
      const values = switches.map(({ variable: { name }, defaultValue }) => {
        const given = variables[name.value]
        return given === undefined && defaultValue?.kind === Kind.BOOLEAN ? defaultValue.value : given
      })
      const name = values.join()
      const known = variants.get(name)
      if (known) return known
      if (variants.size >= VARIANTS_MAX || values.some((value) => typeof value !== 'boolean')) return undefined
      const isOn = new Map(switches.map(({ variable }, index) => [variable.name.value, values[index] === true]))
      const variant = compile<Context>(schema, document, operation, root, isOn)
      variants.set(name, variant)
      return variant
    },
  }
}

const compile = <Context>(
  schema: GraphQLSchema,
  document: DocumentNode,
  operation: OperationDefinitionNode,
  root: GraphQLObjectType,
  isOn: ReadonlyMap<string, boolean>,
): Compiled<Context> => {
  const fragments = new Map<string, FragmentDefinitionNode>()
  for (const definition of document.definitions) {
    if (definition.kind === Kind.FRAGMENT_DEFINITION) fragments.set(definition.name.value, definition)
  }
  let argumentSets = 0

  const isIncluded = (directives: readonly DirectiveNode[] = []): boolean =>
    directives.every(({ name, arguments: [condition] = [] }) => {
      if (name.value !== 'skip' && name.value !== 'include') return true
      const value = condition?.value
      const on =
        value?.kind === Kind.VARIABLE
          ? isOn.get(value.name.value) === true
          : value?.kind === Kind.BOOLEAN && value.value
      return on === (name.value === 'include')
    })

  /** Fields by what they are called in the answer, each with all places that ask for it. */
  const collect = (
    type: GraphQLObjectType,
    sets: readonly SelectionSetNode[],
    into = new Map<string, FieldNode[]>(),
    entered = new Set<string>(),
  ): Map<string, FieldNode[]> => {
    const applies = (condition: string | undefined): boolean => {
      const conditionType = condition === undefined ? type : schema.getType(condition)
      return conditionType === type || (isAbstractType(conditionType) && schema.isSubType(conditionType, type))
    }
    for (const selection of sets.flatMap(({ selections }) => selections)) {
      if (!isIncluded(selection.directives)) continue
      if (selection.kind === Kind.FIELD) {
        const name = selection.alias?.value ?? selection.name.value
        into.set(name, [...(into.get(name) ?? []), selection])
      } else if (selection.kind === Kind.INLINE_FRAGMENT) {
        if (applies(selection.typeCondition?.name.value)) collect(type, [selection.selectionSet], into, entered)
      } else {
        const fragment = fragments.get(selection.name.value)
        if (!fragment || entered.has(selection.name.value)) continue
        entered.add(selection.name.value)
        if (applies(fragment.typeCondition.name.value)) collect(type, [fragment.selectionSet], into, entered)
      }
    }
    return into
  }

  const compileField = (type: GraphQLObjectType, name: string, nodes: readonly FieldNode[]): Field<Context> => {
    const [node] = nodes
    if (!node) throw new TypeError('a field is asked for somewhere')
    if (name === '__proto__') throw new TypeError('no object can have such a member in the usual way')
    const fieldName = node.name.value
    if (fieldName === TypeNameMetaFieldDef.name) {
      return { name, resolve: () => type.name, complete: (value) => value }
    }
    const definition = type.getFields()[fieldName]
    if (!definition) throw new TypeError('validation has seen to it that there is such a field')
    const sets = nodes.flatMap(({ selectionSet }) => selectionSet ?? [])
    const complete = compileType(definition.type, sets)
    const argumentsOf = compileArguments(definition, node)
    const { resolve } = definition
    if (resolve && resolve.length > 3) throw new TypeError('resolvers here do not look at the document')
    return {
      name,
      complete,
      resolve: resolve
        ? (source, run) => resolve(source, argumentsOf(run) as never, run.context, undefined as never)
        : (source, run) => {
            const value = (source as Record<string, unknown>)[fieldName]
            return typeof value === 'function' ? value.call(source, argumentsOf(run), run.context) : value
          },
    }
  }

  /** The same for every row, and without variables for every run. */
  const compileArguments = (definition: GraphQLField<unknown, unknown>, node: FieldNode) => {
    if (!hasVariables(node)) {
      let constant: unknown
      return (): unknown => (constant ??= getArgumentValues(definition, node))
    }
    const argumentSet = argumentSets++
    return (run: Run<Context>): unknown =>
      (run.args[argumentSet] ??= getArgumentValues(definition, node, run.variables))
  }

  const compileType = (type: GraphQLOutputType, sets: readonly SelectionSetNode[]): Complete<Context> => {
    if (isNonNullType(type)) {
      const complete = compileNullable(type.ofType, sets)
      return (value, run) => {
        if (value === null || value === undefined) throw new TypeError('null where none may be')
        return complete(value, run)
      }
    }
    const complete = compileNullable(type, sets)
    return (value, run) => (value === null || value === undefined ? null : complete(value, run))
  }

  const compileNullable = (type: GraphQLOutputType, sets: readonly SelectionSetNode[]): Complete<Context> => {
    if (isListType(type)) {
      const complete = compileType(type.ofType, sets)
      return (value, run) => {
        if (!Array.isArray(value)) throw new TypeError('a list was announced')
        const list: unknown[] = []
        try {
          for (const item of value) list.push(completed(item, complete, run))
        } catch (error) {
          abandon(list)
          throw error
        }
        return list.some((item) => item instanceof Promise) ? Promise.all(list) : list
      }
    }
    if (isLeafType(type)) {
      const outputs = isEnumType(type) ? new Map(type.getValues().map(({ name, value }) => [value, name])) : undefined
      const asItIs = AS_THEY_ARE[type.name]
      return (value) => {
        if (typeof value === asItIs) return value
        const output = outputs ? outputs.get(value) : type.coerceOutputValue(value)
        if (output === null || output === undefined) throw new TypeError('a value that its type does not have')
        return output
      }
    }
    const byType = new Map<GraphQLObjectType, Complete<Context>>()
    const objectOf = (runtime: GraphQLObjectType): Complete<Context> => {
      const known = byType.get(runtime) ?? compileObject(runtime, sets)
      byType.set(runtime, known)
      return known
    }
    if (isObjectType(type)) return objectOf(type)
    if (!isAbstractType(type)) throw new TypeError('an answer has no input types')
    const { resolveType } = type
    return (value, run) => {
      const name = resolveType?.(value, run.context, undefined as never, type)
      const runtime = typeof name === 'string' ? schema.getType(name) : undefined
      if (!isObjectType(runtime)) throw new TypeError('nothing says which type this is')
      return objectOf(runtime)(value, run)
    }
  }

  const compileObject = (type: GraphQLObjectType, sets: readonly SelectionSetNode[]): Complete<Context> => {
    if (type.isTypeOf) throw new TypeError('interfaces here say which type it is')
    const fields = [...collect(type, sets)].map(([name, nodes]) => compileField(type, name, nodes))
    return (source, run) => {
      const object: Record<string, unknown> = {}
      let waiting: Promise<unknown>[] | undefined
      try {
        for (const { name, resolve, complete } of fields) {
          const value = completed(resolve(source, run), complete, run)
          object[name] = value
          if (value instanceof Promise) (waiting ??= []).push(value.then((late) => (object[name] = late)))
        }
      } catch (error) {
        abandon(waiting ?? [])
        throw error
      }
      return waiting ? Promise.all(waiting).then(() => object) : object
    }
  }

  const definitions = operation.variableDefinitions ?? []
  const start = compileObject(root, [operation.selectionSet])
  return (context, given) => {
    const { variableValues } = getVariableValues(schema, definitions, given)
    if (!variableValues) throw new TypeError('variables that do not fit')
    return start(undefined, { context, variables: variableValues, args: [] })
  }
}

/** Types whose values of a JavaScript type go into the answer unchanged. */
const AS_THEY_ARE: Readonly<Record<string, string>> = { String: 'string', ID: 'string', Boolean: 'boolean' }

const completed = <Context>(value: unknown, complete: Complete<Context>, run: Run<Context>): unknown => {
  if (value instanceof Promise) return value.then((late) => complete(late, run))
  if (value instanceof Error) throw value
  return complete(value, run)
}

const hasVariables = ({ arguments: given = [] }: FieldNode): boolean => {
  let has = false
  for (const argument of given) {
    visit(argument, {
      Variable: () => {
        has = true
      },
    })
  }
  return has
}

/** Lets promises end on their own when nobody waits for them any more. */
const abandon = (values: readonly unknown[]): void => {
  for (const value of values) if (value instanceof Promise) value.catch(() => {})
}

/** Variables that decide which fields are asked for. */
const switchesOf = (
  document: DocumentNode,
  definitions: readonly VariableDefinitionNode[],
): readonly VariableDefinitionNode[] => {
  const names = new Set<string>()
  everySelection(document, ({ directives = [] }) => {
    for (const { name, arguments: [condition] = [] } of directives) {
      if ((name.value === 'skip' || name.value === 'include') && condition?.value.kind === Kind.VARIABLE) {
        names.add(condition.value.name.value)
      }
    }
  })
  return definitions.filter(({ variable }) => names.has(variable.name.value))
}

const asksForSchema = (document: DocumentNode): boolean => {
  let asks = false
  everySelection(document, (selection) => {
    if (selection.kind === Kind.FIELD && /^__(schema|type)$/.test(selection.name.value)) asks = true
  })
  return asks
}

const everySelection = (
  document: DocumentNode,
  see: (selection: SelectionSetNode['selections'][number]) => void,
): void => {
  const walk = ({ selections }: SelectionSetNode): void => {
    for (const selection of selections) {
      see(selection)
      if ('selectionSet' in selection && selection.selectionSet) walk(selection.selectionSet)
    }
  }
  for (const definition of document.definitions) if ('selectionSet' in definition) walk(definition.selectionSet)
}
