/** GraphQL over HTTP: the schema, its limits, and the page to try it with. */
import { type ExecutionResult, type GraphQLSchema, getOperationAST, GraphQLError, parse } from 'graphql'
import { createSchema, createYoga, type Plugin } from 'graphql-yoga'
import type { Log } from '../../effects/log.ts'
import { QUERY_TOKENS_MAX, REQUEST_BYTES_MAX } from '../limits.ts'
import { isRecorded } from './block-at.ts'
import { createContext, type Directory, type RequestContext } from './context.ts'
import { documentError, queryError } from './errors.ts'
import { exceedsLimits } from './query-limits.ts'
import { resolvers } from './resolvers.ts'
import { subscriptions } from './subscriptions.ts'
import { typeDefs } from './type-defs.ts'

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

/** The schema with its resolvers. */
export const createDirectorySchema = (): GraphQLSchema => createSchema<RequestContext>({ typeDefs, resolvers })

/** Nine megabytes: the page is made when somebody first looks at it. */
const createPage = () => {
  let page: Promise<string> | undefined
  const render = async () => {
    const { renderGraphiQL } = await import('@graphql-yoga/render-graphiql')
    return renderGraphiQL({ title: 'Chrove directory', defaultQuery: EXAMPLE })
  }
  return () => (page ??= render())
}

const parseBounded = (source: Parameters<typeof parse>[0]) => {
  try {
    return parse(source, { maxTokens: QUERY_TOKENS_MAX })
  } catch (error) {
    if (!(error instanceof GraphQLError) || !/more than \d+ tokens/.test(error.message)) throw error
    throw documentError('ERR_QUERY_TOO_LONG', `a document has at most ${QUERY_TOKENS_MAX} tokens`)
  }
}

const limits: Plugin<RequestContext> = {
  onParse: ({ setParseFn }) => setParseFn(parseBounded),
  onExecute: ({ args, setResultAndStopExecution }) => {
    const operation = getOperationAST(args.document, args.operationName)
    const refusal = operation && exceedsLimits(args.document, operation, args.variableValues ?? {})
    if (refusal) setResultAndStopExecution({ errors: [refusal] })
  },
}

/** An answer is of one block; if a reorg took that block away meanwhile, its parts may not fit together. */
const oneBlock: Plugin<RequestContext> = {
  onExecute: () => ({
    onExecuteDone: async ({ args, setResult }) => {
      const { db, askedHead } = args.contextValue
      const head = await askedHead()?.catch(() => undefined)
      if (!head || (await isRecorded(db, head))) return
      const replaced = queryError('ERR_BLOCK_REPLACED', 'the chain changed while this was answered: ask again')
      setResult({ errors: [replaced] } satisfies ExecutionResult)
    },
  }),
}

/** Answers requests to `GRAPHQL_PATH`. @param log is told of faults, by kind and place, without values */
export const createGraphqlServer = (directory: Directory, log: Log) => {
  const page = createPage()
  const ignore = () => {}
  const yoga = createYoga<object, RequestContext>({
    id: 'directory',
    schema: createDirectorySchema(),
    context: () => createContext(directory),
    graphqlEndpoint: GRAPHQL_PATH,
    plugins: [limits, oneBlock, subscriptions(directory)],
    maxRequestBodySize: REQUEST_BYTES_MAX,
    multipart: false,
    landingPage: false,
    cors: { origin: '*', credentials: false, methods: ['GET', 'POST', 'OPTIONS'] },
    renderGraphiQL: page,
    graphiql: true,
    maskedErrors: { isDev: false },
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
  return async (request: Request): Promise<Response> => {
    const response = await yoga.fetch(request)
    if (response.headers.get('content-type')?.startsWith('text/html')) {
      response.headers.set('content-security-policy', PAGE_POLICY)
      response.headers.set('referrer-policy', 'no-referrer')
    }
    response.headers.set('x-content-type-options', 'nosniff')
    return response
  }
}

const describe = (fault: unknown): Record<string, string> => {
  const original = fault instanceof GraphQLError ? (fault.originalError ?? fault) : fault
  if (!(original instanceof Error)) return { kind: typeof original }
  const place = original.stack?.split('\n').find((line) => line.startsWith('    at '))
  return { kind: original.name, ...(place ? { place: place.trim() } : {}) }
}
