/** Writes decoders for what an ABI encodes: straight-line code that calls `chain/abi-read.ts`. */
import type { AbiEntry, AbiParameter } from '../../chain/abi.ts'
import { selectorOf, signatureHashOf } from '../../chain/abi-encode.ts'

/** What of an ABI is decoded. */
type Section = 'events' | 'results' | 'errors' | 'calls'

export interface DecoderPlan {
  readonly abi: readonly AbiEntry[]
  /** Name of the exported constant. */
  readonly constant: string
  readonly sections: readonly Section[]
  /** Type of the events, where there are some. */
  readonly eventType?: string
  /** Path from the generated file to `chain/`. */
  readonly chain: string
}

/** Digits of a word. */
const WORD = 64
/** Characters before the words: `0x`, and `0x` with a selector. */
const PLAIN = 2
const SELECTED = 10

/** The text of a module, not yet formatted and without its first comment. */
export const renderDecoders = (plan: DecoderPlan): string => {
  const writer = createWriter()
  const sections = plan.sections.map((section) => `${section}: ${renderers[section](plan, writer)}`)
  const body = [...writer.structs.values(), `export const ${plan.constant} = { ${sections.join(',\n')} }`].join('\n\n')
  const imports = Object.entries(sources(plan)).map(([from, names]) => {
    const used = names.filter((name) => new RegExp(`\\b${name.replace('type ', '')}\\b`).test(body))
    return used.length === 0 ? '' : `import { ${used.join(', ')} } from '${plan.chain}/${from}'\n`
  })
  return `${imports.join('')}\n${body}\n`
}

const sources = ({ eventType }: DecoderPlan): Readonly<Record<string, readonly string[]>> => ({
  // prettier-ignore
  'abi-read.ts': [
    'address', 'bytes', 'choice', 'dynamicList', 'ends', 'fixedBytes', 'flag', 'heads', 'integer', 'number', 'offset',
    'staticList', 'text', 'topic', 'topicCount', 'type Tail',
  ],
  'abi.ts': ['SETTLEMENTS', 'type AbiValue'],
  'events.ts': eventType === undefined ? [] : [`type ${eventType}`],
  'types.ts': ['type ChroveLog', 'type Hex'],
})

const renderers: Readonly<Record<Section, (plan: DecoderPlan, writer: Writer) => string>> = {
  events: ({ abi, eventType }, writer) => {
    const all = of(abi, 'event').map((entry) => `['${signatureHashOf(entry)}', ${event(entry, writer)}]`)
    return `new Map<Hex, (log: ChroveLog) => ${eventType}>([${all.join(',\n')}])`
  },
  results: ({ abi }, writer) => {
    const all = of(abi, 'function').filter(({ outputs = [] }) => outputs.length > 0)
    const results = all.map(({ name, outputs = [] }) => `${name}: ${reader(outputs, PLAIN, writer, list)}`)
    return `{ ${results.join(',\n')} }`
  },
  errors: ({ abi }, writer) => {
    const all = of(abi, 'error').map((entry) => {
      const { name, inputs = [] } = entry
      return `['${selectorOf(entry)}', { name: '${name}', args: ${reader(inputs, SELECTED, writer, object)} }]`
    })
    const args = '(data: Hex) => { readonly [name: string]: AbiValue }'
    return `new Map<Hex, { readonly name: string, readonly args: ${args} }>([${all.join(',\n')}])`
  },
  calls: ({ abi }, writer) => {
    const all = of(abi, 'function').map((entry) => {
      const call = (fields: readonly Field[]) => `{ name: '${entry.name}' as const, args: ${object(fields)} }`
      return `${selectorOf(entry)}: ${reader(entry.inputs ?? [], SELECTED, writer, call)}`
    })
    return `{ ${all.map((text) => text.replace(/^(\w+)/, "'$1'")).join(',\n')} }`
  },
}

const of = (abi: readonly AbiEntry[], type: string) => abi.filter((entry) => entry.type === type)

type Field = readonly [name: string, expression: string]

const object = (fields: readonly Field[]): string =>
  `{ ${fields.map(([name, value]) => `${name}: ${value}`).join(', ')} }`
const list = (fields: readonly Field[]): string => `[${fields.map(([, value]) => value).join(', ')}] as const`

const returning = (value: string, after: string): string =>
  after === '' ? `return ${value}` : `const value = ${value}; ${after}; return value`

/** A function that reads all of some call data or answer. */
const reader = (
  parameters: readonly AbiParameter[],
  start: number,
  writer: Writer,
  shape: (fields: readonly Field[]) => string,
): string => {
  const { before, fields, after } = whole(parameters, start, writer)
  return `(data: Hex) => { ${before}; ${returning(shape(fields), after)} }`
}

/** Statements that read all that follows `start`, no more and no less. */
const whole = (parameters: readonly AbiParameter[], start: number, writer: Writer) => {
  const total = headsDigits(parameters)
  const hasTail = parameters.some(isDynamic)
  return {
    before: hasTail ? `const tail = heads(data, ${start}, ${total})` : `ends(data, ${start + total})`,
    fields: writer.fields(parameters, (digits) => `${start + digits}`),
    after: hasTail ? 'ends(data, tail.at)' : '',
  }
}

const event = ({ name, inputs = [] }: AbiEntry, writer: Writer): string => {
  const indexed = inputs.filter((input) => input.indexed)
  const unindexed = inputs.filter((input) => !input.indexed)
  if (indexed.some(isDynamic)) throw new Error(`${name}: of a dynamic value that is indexed only a hash is told`)
  const topics = indexed.map((input, index): Field => [
    input.name,
    writer.value(input, `topic(topics, ${index + 1})`, `${PLAIN}`),
  ])
  const { before, fields, after } = whole(unindexed, PLAIN, writer)
  const common: readonly Field[] = [
    ['type', `'${name}' as const`],
    ['contract', 'log.address'],
    ['evidence', 'log.evidence'],
  ]
  return `(log) => {
    const { topics, data } = log
    topicCount(topics, ${indexed.length + 1})
    ${before}
    ${returning(object([...common, ...topics, ...fields]), after)}
  }`
}

const isDynamic = ({ type, components = [] }: AbiParameter): boolean =>
  type.endsWith('[]') || type === 'string' || type === 'bytes' || (type === 'tuple' && components.some(isDynamic))

/** Digits that a value takes among the heads. */
const headDigits = (parameter: AbiParameter): number =>
  parameter.type === 'tuple' && !isDynamic(parameter) ? headsDigits(parameter.components ?? []) : WORD

const headsDigits = (parameters: readonly AbiParameter[]): number =>
  parameters.reduce((sum, parameter) => sum + headDigits(parameter), 0)

interface Writer {
  /** Functions that read structs, by their names. */
  readonly structs: ReadonlyMap<string, string>
  /** Expressions that read a static value. @param data what it is read from */
  value(parameter: AbiParameter, data: string, at: string): string
  /** Expressions for each of a sequence. @param position of so many digits after its begin */
  fields(parameters: readonly AbiParameter[], position: (digits: number) => string): readonly Field[]
}

const createWriter = (): Writer => {
  const structs = new Map<string, string>()

  /** Name of the function that reads a struct. */
  const struct = (parameter: AbiParameter): string => {
    const { internalType = '', components = [] } = parameter
    const name = `read${/(\w+)(\[\])*$/.exec(internalType)?.[1]}`
    if (structs.has(name)) return name
    const position = (digits: number) => (digits === 0 ? 'at' : `at + ${digits}`)
    const value = object(fields(components, position))
    const text = isDynamic(parameter)
      ? `(data: Hex, tail: Tail) => { const { at } = tail; tail.at = ${position(headsDigits(components))}; return ${value} }`
      : `(data: Hex, at: number) => (${value})`
    structs.set(name, `const ${name} = ${text}`)
    return name
  }

  /** The function that reads a value, with what it takes beside the data and the place. */
  const call = (parameter: AbiParameter): readonly [name: string, ...more: string[]] => {
    const { type, internalType = '' } = parameter
    if (type.endsWith('[]')) {
      const item = { ...parameter, type: type.slice(0, -2) }
      const [name, ...more] = call(item)
      const readItem = more.length === 0 ? name : `(data: Hex, at: number) => ${value(item, 'data', 'at')}`
      return isDynamic(item) ? ['dynamicList', readItem] : ['staticList', `${headDigits(item)}`, readItem]
    }
    if (internalType.endsWith('.Settlement')) return ['choice', 'SETTLEMENTS']
    if (type === 'tuple') return [struct(parameter)]
    if (type === 'address') return ['address']
    if (type === 'bool') return ['flag']
    if (type === 'string') return ['text']
    if (type === 'bytes') return ['bytes']
    const [, kind, size = ''] = /^(uint|bytes)(\d+)$/.exec(type) ?? []
    if (kind === 'bytes') return ['fixedBytes', `${Number(size) * 2}`]
    // Integers of up to 48 bits are numbers, longer ones bigints.
    if (kind === 'uint') return [Number(size) <= 48 ? 'number' : 'integer', `${Number(size) / 4}`]
    throw new Error(`no contract of ours uses the type ${type}`)
  }

  const value: Writer['value'] = (parameter, data, at) => {
    const [name, ...more] = call(parameter)
    return `${name}(${[data, at, ...more].join(', ')})`
  }

  const fields: Writer['fields'] = (parameters, position) => {
    let digits = 0
    return parameters.map((parameter): Field => {
      const at = position(digits)
      digits += headDigits(parameter)
      const place = isDynamic(parameter) ? `offset(data, ${at}, ${position(0)}, tail)` : at
      return [parameter.name, value(parameter, 'data', place)]
    })
  }

  return { structs, value, fields }
}
