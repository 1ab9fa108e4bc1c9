/** GraphQL over HTTP: the schema, its limits, and the page to try it with. */
import { type DocumentNode, getOperationAST, GraphQLError, type Source } from 'graphql'
import { createYoga, isAsyncIterable, maskError, type Plugin } from 'graphql-yoga'
import type { Clock } from '../../effects/clock.ts'
import type { Log } from '../../effects/log.ts'
import { StoreError } from '../../effects/store.ts'
import { REQUEST_BYTES_MAX } from '../limits.ts'
import type { Metrics } from '../metrics.ts'
import type { AllowedDocuments } from './allowed-documents.ts'
import { createAnswers } from './answers.ts'
import { readAsked } from './asked.ts'
import { createContext, type Directory, type RequestContext } from './context.ts'
import { createDocuments, type Documents } from './documents.ts'
import { documentError, runError } from './errors.ts'
import { costOf, exceedsLimits, weigh } from './query-limits.ts'
import { runQuery } from './run.ts'
import { createDirectorySchema } from './schema.ts'
import { subscriptions } from './subscriptions.ts'

export const GRAPHQL_PATH = '/graphql'

/** The page may run what it holds and talk to this server, and nothing else: no request goes to anybody else. */
const PAGE_POLICY = [
  "default-src 'none'",
  "script-src 'unsafe-inline' blob:",
  'worker-src blob:',
  "style-src 'unsafe-inline'",
  'img-src data:',
  'font-src data:',
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')

const EXAMPLE = `# Vendors that sell proxies now, cheapest day first.
query Search($token: Address = "0x0000000000000000000000000000000000000000") {
  vendors(
    filter: { active: true, serviceType: "proxy", plan: { onSale: true, token: $token } }
    orderBy: { field: PRICE }
    first: 10
  ) {
    totalCount
    nodes {
      uri
      profile { title }
      plans(filter: { onSale: true, token: $token }, orderBy: { field: PRICE }, first: 1) {
        nodes { planId title { text } price periodSeconds settlement }
      }
    }
  }
}
`

/** Nine megabytes: the page is made when somebody first looks at it. */
const createPage = () => {
  let page: Promise<string> | undefined
  const render = async () => {
    const { renderGraphiQL } = await import('@graphql-yoga/render-graphiql')
    return renderGraphiQL({ title: 'Chrove directory', defaultQuery: EXAMPLE })
  }
  return () => (page ??= render())
}

/** Documents are read once for both ways of running them, refused by the same limits, and cost the same. */
const sharing = (documents: Documents<RequestContext>, clock: Clock): Plugin<RequestContext> => {
  const errors = new WeakMap<DocumentNode, readonly GraphQLError[]>()
  return {
    onParse: ({ setParseFn }) =>
      setParseFn((source: string | Source) => {
        const document = documents.read(typeof source === 'string' ? source : source.body)
        errors.set(document.node, document.errors)
        return document.node
      }),
    onValidate: ({ params: { documentAST }, setResult }) => {
      const known = errors.get(documentAST)
      if (known) setResult([...known])
    },
    onExecute: ({ args, executeFn, setExecuteFn, setResultAndStopExecution }) => {
      const operation = getOperationAST(args.document, args.operationName)
      if (!operation) return undefined
      const weight = weigh(args.document, operation, args.variableValues ?? {})
      const refusal = exceedsLimits(weight)
      const extensions = { cost: costOf(weight) }
      if (refusal) {
        setResultAndStopExecution({ errors: [refusal], extensions })
        return undefined
      }
      const context: RequestContext = args.contextValue
      setExecuteFn((given) => runQuery(clock, context, () => executeFn(given)))
      return {
        onExecuteDone: ({ result, setResult }) => {
          if (!isAsyncIterable(result)) setResult({ ...result, extensions: { ...result.extensions, ...extensions } })
        },
      }
    },
  }
}

/** Whichever way a document comes in, it is on the list. @see GraphQL over HTTP, appendix Persisted Documents */
const onlyAllowed = (allowed: AllowedDocuments): Plugin<RequestContext> => ({
  onParams: ({ request, params, setParams }) => {
    const documentId = new URL(request.url).searchParams.get('documentId')
    const query = allowed.find(documentId === null ? params : { ...params, documentId })
    if (query === undefined) {
      throw documentError('ERR_DOCUMENT_UNKNOWN', 'this directory answers documents of its own list only')
    }
    setParams({ ...params, query })
  },
})

/** Codes of errors that are no fault of who asks. */
const FAULTS: ReadonlySet<unknown> = new Set(['INTERNAL_SERVER_ERROR', 'ERR_STORE_UNREACHABLE'])

const counting = (metrics: Metrics): Plugin<RequestContext> => ({
  onResultProcess: ({ result }) => {
    const errors = 'errors' in result ? (result.errors ?? []) : []
    const isFault = errors.some(({ extensions }) => FAULTS.has(extensions?.code))
    metrics.ended(isFault ? 'failed' : errors.length > 0 ? 'refused' : 'answered')
  },
})

export interface GraphqlServer {
  fetch(request: Request): Promise<Response>
  /** Bytes of all answers that are kept. */
  keptBytes(): number
}

export interface GraphqlEffects {
  /** Is told of faults, by kind and place, without values. */
  readonly log: Log
  readonly metrics: Metrics
}

/**
 * Answers requests to `GRAPHQL_PATH`.
 * @param allowed if given, no other documents are answered
 */
export const createGraphqlServer = (
  directory: Directory,
  { log, metrics }: GraphqlEffects,
  allowed?: AllowedDocuments,
): GraphqlServer => {
  const page = createPage()
  const ignore = () => {}
  const schema = createDirectorySchema()
  const documents = createDocuments<RequestContext>(schema)
  const answers = createAnswers(schema, documents, directory, metrics)
  const yoga = createYoga<object, RequestContext>({
    id: 'directory',
    schema,
    context: () => createContext(directory),
    graphqlEndpoint: GRAPHQL_PATH,
    plugins: [
      ...(allowed ? [onlyAllowed(allowed)] : []),
      sharing(documents, directory.clock),
      subscriptions(directory),
      counting(metrics),
    ],
    extraParamNames: allowed ? ['documentId'] : [],
    parserAndValidationCache: false,
    maxRequestBodySize: REQUEST_BYTES_MAX,
    multipart: false,
    landingPage: false,
    cors: { origin: '*', credentials: false, methods: ['GET', 'POST', 'OPTIONS'] },
    renderGraphiQL: page,
    // It asks for the schema first, which is on no list.
    graphiql: !allowed,
    maskedErrors: { isDev: false, maskError: (error, message, isDev) => maskError(told(error), message, isDev) },
    // Node's own, not the library's: what is answered goes to code that knows only these.
    fetchAPI: {
      Request,
      Response,
      Headers,
      URL,
      URLSearchParams,
      ReadableStream,
      TransformStream,
      TextDecoder,
      TextEncoder,
    },
    logging: {
      debug: ignore,
      info: ignore,
      warn: ignore,
      error: (fault: unknown) => log.error('graphql.fault', describe(fault)),
    },
  })
  const askLibrary = async (request: Request): Promise<Response> => {
    const response = await yoga.fetch(request)
    if (response.headers.get('content-type')?.startsWith('text/html')) {
      response.headers.set('content-security-policy', PAGE_POLICY)
      response.headers.set('referrer-policy', 'no-referrer')
    }
    response.headers.set('cache-control', 'no-store')
    response.headers.set('x-content-type-options', 'nosniff')
    return response
  }
  return {
    async fetch(request) {
      const { asked, body } = await readAsked(request, allowed)
      const answer = asked && (await answers.answer(asked, request.headers.get('if-none-match')))
      if (answer) return answer
      const { method, url, headers } = request
      return askLibrary(body === undefined ? request : new Request(url, { method, headers, body }))
    },
    keptBytes: () => answers.keptBytes(),
  }
}

/** A fault that passes is told as one; what else failed unexpectedly is masked. */
const told = (error: unknown): unknown => {
  const original = error instanceof GraphQLError ? error.originalError : error
  return original instanceof StoreError
    ? runError('ERR_STORE_UNREACHABLE', "the directory's database cannot be reached now: ask again")
    : error
}

const describe = (fault: unknown): Record<string, string> => {
  const original = fault instanceof GraphQLError ? (fault.originalError ?? fault) : fault
  if (!(original instanceof Error)) return { kind: typeof original }
  const place = original.stack?.split('\n').find((line) => line.startsWith('    at '))
  return { kind: original.name, ...(place ? { place: place.trim() } : {}) }
}
