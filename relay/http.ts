/** The relay's HTTP face: `/join`, `/channel`, `/pay/…`, `/limits`, `/health`, `/metrics`. @see SEED 003 */
import { Hono } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import type { Log } from '../effects/log.ts'
import { ProtocolError } from '../protocol/errors.ts'
import { parseJson } from '../protocol/json.ts'
import { RELAY_REQUEST_BYTES_MAX } from '../protocol/limits.ts'
import { problemResponse } from '../protocol/problem.ts'
import {
  type ChannelRequest,
  channelRequestSchema,
  type ChannelView,
  type JoinAnswer,
  type JoinRequest,
  joinRequestSchema,
} from '../protocol/relay/messages.ts'
import { protocolProblem, RelayError, relayProblems, retryAfterSeconds } from './errors.ts'

/** Any page may ask, and nobody keeps the answer. */
const OPEN_HEADERS = { 'cache-control': 'no-store', 'access-control-allow-origin': '*' } as const

export interface RelayService {
  join(request: JoinRequest, place: string): Promise<JoinAnswer>
  post(request: ChannelRequest, place: string, signal: AbortSignal): Promise<ChannelView>
  /** Where a request came from; false when too many came from there. */
  placeOf(peerHost: string, forwarded: string | undefined): { readonly place: string; readonly isWelcome: boolean }
  /**
   * Of who pays, or wants to.
   * @param channel undefined for any other path than `/pay/…`
   * @returns undefined where nobody can pay, and for what is about no payment
   */
  payment(request: Request, channel: string | undefined): Promise<Response | undefined>
  limits(): object
  ready(): boolean
  metrics(): Promise<{ readonly text: string; readonly contentType: string }>
}

type Environment = { Bindings: { readonly peerHost: string }; Variables: { place: string } }

export const createRelayHttp = (
  service: RelayService,
  log: Log,
): ((request: Request, peerHost: string) => Promise<Response>) => {
  const app = new Hono<Environment>()
  const tooLarge = () => {
    throw new RelayError('ERR_TOO_LARGE', `a request has at most ${RELAY_REQUEST_BYTES_MAX} bytes`)
  }
  const limit = bodyLimit({ maxSize: RELAY_REQUEST_BYTES_MAX, onError: tooLarge })

  app.use('/join', async (context, next) => {
    context.set('place', admitted(context.env.peerHost, context.req.header('x-forwarded-for')))
    await next()
  })
  app.use('/channel', async (context, next) => {
    context.set('place', admitted(context.env.peerHost, context.req.header('x-forwarded-for')))
    await next()
  })
  const admitted = (peerHost: string, forwarded: string | undefined): string => {
    const { place, isWelcome } = service.placeOf(peerHost, forwarded)
    if (!isWelcome) throw new RelayError('ERR_TOO_MANY', 'too many requests came from this address: wait a little')
    return place
  }

  app.post('/join', limit, async (context) => {
    const answer = await service.join(read(joinRequestSchema, await context.req.text()), context.var.place)
    return context.json(answer, 200, OPEN_HEADERS)
  })
  app.post('/channel', limit, async (context) => {
    const request = read(channelRequestSchema, await context.req.text())
    const answer = await service.post(request, context.var.place, context.req.raw.signal)
    return context.json(answer, 200, OPEN_HEADERS)
  })
  app.all('/pay/:channel', async (context) => {
    admitted(context.env.peerHost, context.req.header('x-forwarded-for'))
    return (await service.payment(context.req.raw, context.req.param('channel'))) ?? context.notFound()
  })
  app.get('/limits', (context) => context.json(service.limits(), 200, OPEN_HEADERS))
  app.get('/health', (context) => context.json({ ready: service.ready() }, service.ready() ? 200 : 503))
  app.get('/metrics', async (context) => {
    const { text, contentType } = await service.metrics()
    return context.body(text, 200, { 'content-type': contentType })
  })
  const paths = new Set(app.routes.filter(({ method }) => method !== 'ALL').map(({ path }) => path))
  app.notFound(async (context) => {
    admitted(context.env.peerHost, context.req.header('x-forwarded-for'))
    const answer = await service.payment(context.req.raw, undefined)
    if (answer) return answer
    if (paths.has(context.req.path))
      return refusal(new RelayError('ERR_METHOD', 'POST to /join and /channel, GET the rest'))
    return refusal(new RelayError('ERR_NOT_FOUND', 'ask for /join, /channel or /limits'))
  })
  app.onError((error, context) => {
    if (error instanceof RelayError) return refusal(error)
    if (error instanceof ProtocolError) return problemResponse(protocolProblem(error.code, error.message))
    // Nobody is there to read this, and a client that hangs up is no failure of ours.
    if (!context.req.raw.signal.aborted) log.error('request-failed', { error: error.name })
    return refusal(new RelayError('ERR_INTERNAL', 'try again; if it stays so, tell whoever runs the relay'))
  })
  return async (request, peerHost) => app.fetch(request, { peerHost })
}

const read = <Value>(
  schema: { safeParse(value: unknown): { data?: Value; error?: { issues: readonly Issue[] } } },
  text: string,
): Value => {
  const { data, error } = schema.safeParse(parseJson(text))
  if (data !== undefined) return data
  const [issue] = error?.issues ?? []
  throw new RelayError('ERR_REQUEST_SHAPE', `${issue?.path.join('.') || 'the request'}: ${issue?.message ?? 'invalid'}`)
}

interface Issue {
  readonly path: readonly PropertyKey[]
  readonly message: string
}

const refusal = (error: RelayError): Response => {
  const { status, title } = relayProblems[error.code]
  const after = retryAfterSeconds[error.code]
  const problem = { status, title, code: error.code, detail: error.message }
  return problemResponse(after === undefined ? problem : { ...problem, retryAfterSeconds: after })
}
