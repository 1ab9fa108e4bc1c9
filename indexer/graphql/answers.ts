/**
 * Queries answered without the library's pipeline: from the bytes of an earlier answer if all that it rests on is as it
 * was, else by running what was made ready of the document. An answer is kept the second time that it is asked for. Only
 * whole answers without errors are given here; for the rest the library is asked, which then tells what is wrong.
 */
import { execute, GraphQLError, type GraphQLSchema } from 'graphql'
import { base64url, utf8 } from '../../protocol/bytes.ts'
import { ANSWERS_KEPT_BYTES_MAX, ANSWERS_KEPT_MAX, QUESTIONS_REMEMBERED } from '../limits.ts'
import type { Metrics } from '../metrics.ts'
import type { Asked, MediaType } from './asked.ts'
import { createContext, type Directory, type Grounds, type RequestContext } from './context.ts'
import type { Documents, KnownDocument, KnownOperation } from './documents.ts'
import type { QueryErrorCode } from './errors.ts'
import { createLru } from './lru.ts'
import { costOf, exceedsLimits } from './query-limits.ts'
import { createRecurrence } from './recurrence.ts'
import { runQuery } from './run.ts'

type Headers = Readonly<Record<string, string>>

/** An answer as it is sent. */
interface Kept {
  readonly bytes: Uint8Array<ArrayBuffer>
  readonly etag: string
  readonly headers: Headers
  readonly grounds: Grounds
}

/** Refusals of a whole run: to run it once more, the ordinary way, would not help. */
const FINAL: ReadonlySet<unknown> = new Set<QueryErrorCode>(['ERR_QUERY_TIMEOUT', 'ERR_BLOCK_REPLACED'])

const ETAG_BYTES = 16

/** Of every answer: anybody's page may read it, and what accepts another type may get other bytes. */
const OPEN_HEADERS = {
  'access-control-allow-origin': '*',
  vary: 'accept',
  'x-content-type-options': 'nosniff',
} as const

export interface Answers {
  /** @returns undefined when the library has to be asked */
  answer(asked: Asked, ifNoneMatch: string | null): Promise<Response | undefined>
  /** Bytes of all answers that are kept. */
  keptBytes(): number
}

export const createAnswers = (
  schema: GraphQLSchema,
  documents: Documents<RequestContext>,
  directory: Directory,
  metrics: Metrics,
): Answers => {
  const kept = createLru<Kept>(ANSWERS_KEPT_MAX, ANSWERS_KEPT_BYTES_MAX)
  const questions = createRecurrence(QUESTIONS_REMEMBERED)

  const end = (response: Response): Response => {
    metrics.ended(response.status === 304 ? 'not-modified' : 'answered')
    return response
  }

  const run = async (known: Runnable, asked: Asked): Promise<Omit<Kept, 'headers' | 'etag'>> => {
    const context = createContext(directory)
    const data = await runQuery(directory.clock, context, () => runOperation(schema, known, context, asked))
    const extensions = { cost: costOf(known.operation.weight(asked.variables)) }
    return { bytes: utf8(JSON.stringify({ data, extensions })), grounds: context.grounds }
  }

  return {
    async answer(asked, ifNoneMatch) {
      const key = keyOf(asked)
      const before = kept.get(key)
      if (before) {
        // An answer is looked at only when the newest block is known.
        if (!directory.head.known()) await directory.head.read().catch(() => undefined)
        if (stands(before.grounds)) {
          metrics.lookedUp('hit')
          return end(respond(before, ifNoneMatch))
        }
      }
      metrics.lookedUp('miss')
      const known = find(documents, asked)
      if (!known) return undefined
      try {
        const { bytes, grounds } = await run(known, asked)
        const headers = { ...OPEN_HEADERS, 'content-type': `${asked.mediaType}; charset=utf-8` }
        if (!stands(grounds)) return end(new Response(bytes, { headers: { ...headers, 'cache-control': 'no-store' } }))
        const etag = `"${base64url.encode(directory.sha256(bytes).subarray(0, ETAG_BYTES))}"`
        // It may be stored, and has to be asked about each time: a new block may come at any moment.
        const fresh: Kept = { bytes, grounds, etag, headers: { ...headers, etag, 'cache-control': 'no-cache' } }
        if (questions.recurs(key)) kept.set(key, fresh, key.length + bytes.length)
        return end(respond(fresh, ifNoneMatch))
      } catch (error) {
        if (error instanceof GraphQLError && FINAL.has(error.extensions.code)) {
          metrics.ended('refused')
          return refuse(error, asked.mediaType)
        }
        return undefined
      }
    },
    keptBytes: () => kept.size(),
  }
}

interface Runnable {
  readonly document: KnownDocument<RequestContext>
  readonly operation: KnownOperation<RequestContext>
}

/** @returns undefined for what is no query of ours, or is over the limits */
const find = (documents: Documents<RequestContext>, asked: Asked): Runnable | undefined => {
  try {
    const document = documents.read(asked.query)
    if (document.errors.length > 0) return undefined
    const operation = document.operation(asked.operationName)
    if (operation?.node.operation !== 'query' || exceedsLimits(operation.weight(asked.variables))) return undefined
    return { document, operation }
  } catch {
    return undefined
  }
}

/** @throws anything when the answer has errors */
const runOperation = async (
  schema: GraphQLSchema,
  { document, operation }: Runnable,
  context: RequestContext,
  { variables, operationName }: Asked,
): Promise<unknown> => {
  const compiled = operation.compiled?.run(variables)
  if (compiled) return compiled(context, variables)
  const { data, errors } = await execute({
    schema,
    document: document.node,
    contextValue: context,
    variableValues: variables,
    operationName,
  })
  if (errors) throw new TypeError('an answer with errors')
  return data
}

/** Everything that an answer depends on besides its grounds. JSON has no line breaks, so that no two requests meet. */
const keyOf = ({ query, operationName, variables, mediaType }: Asked): string =>
  [mediaType, JSON.stringify(operationName ?? null), JSON.stringify(variables), query].join('\n')

const stands = (grounds: Grounds): boolean => {
  for (const [changing, revision] of grounds) if (changing.revision() !== revision) return false
  return true
}

const respond = ({ bytes, etag, headers }: Kept, ifNoneMatch: string | null): Response =>
  ifNoneMatch !== null && matches(ifNoneMatch, etag)
    ? new Response(null, { status: 304, headers: { ...OPEN_HEADERS, etag, 'cache-control': 'no-cache' } })
    : new Response(bytes, { headers })

/** @see RFC 9110 §13.1.2: compared weakly */
const matches = (ifNoneMatch: string, etag: string): boolean =>
  ifNoneMatch.split(',').some((item) => item.trim() === '*' || item.trim().replace(/^W\//, '') === etag)

const refuse = ({ message, extensions: { code, retryable } }: GraphQLError, mediaType: MediaType): Response =>
  new Response(JSON.stringify({ errors: [{ message, extensions: { code, retryable } }] }), {
    status: mediaType === 'application/json' ? 200 : 503,
    headers: { ...OPEN_HEADERS, 'content-type': `${mediaType}; charset=utf-8`, 'cache-control': 'no-store' },
  })
