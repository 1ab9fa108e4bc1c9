/** The rendezvous' HTTP face: `/clients/:uuid`, `/health`, `/metrics`. @see SEED 002 §2 */
import { Hono } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import type { Log } from '../effects/log.ts'
import { ProtocolError } from '../protocol/errors.ts'
import { parseJson } from '../protocol/json.ts'
import { REGISTRATION_BYTES_MAX } from '../protocol/limits.ts'
import { problemResponse } from '../protocol/problem.ts'
import { registrationBodySchema } from '../protocol/rendezvous/registration.ts'
import { parseUuid } from '../protocol/rendezvous/uuid.ts'
import { protocolProblem, RendezvousError, rendezvousProblems, retryAfterSeconds } from './errors.ts'
import type { Registry } from './registry.ts'

/** Any page may ask, and nobody keeps the answer. */
const OPEN_HEADERS = { 'cache-control': 'no-store', 'access-control-allow-origin': '*' } as const

export interface RendezvousService extends Registry {
  /** Whether this peer may ask once more for this. */
  admit(kind: 'registration' | 'look-up', peerHost: string, forwarded: string | undefined): boolean
  ready(): boolean
  metrics(): Promise<{ readonly text: string; readonly contentType: string }>
}

type Environment = { Bindings: { readonly peerHost: string } }

export const createRendezvousHttp = (
  service: RendezvousService,
  log: Log,
): ((request: Request, peerHost: string) => Promise<Response>) => {
  const app = new Hono<Environment>()
  const tooLarge = () => {
    throw new RendezvousError('ERR_TOO_LARGE', `a registration has at most ${REGISTRATION_BYTES_MAX} bytes`)
  }
  const limit = bodyLimit({ maxSize: REGISTRATION_BYTES_MAX, onError: tooLarge })
  const requireAdmitted = (kind: 'registration' | 'look-up', peerHost: string, forwarded: string | undefined) => {
    if (service.admit(kind, peerHost, forwarded)) return
    throw new RendezvousError('ERR_TOO_MANY', 'too many requests came from this address: wait a little')
  }

  app.put('/clients/:uuid', limit, async (context) => {
    requireAdmitted('registration', context.env.peerHost, context.req.header('x-forwarded-for'))
    const uuid = parseUuid(context.req.param('uuid'))
    const body = registrationBodySchema.safeParse(parseJson(await context.req.text()))
    if (!body.success) {
      const form = 'send {"byNewKey": JWS}, and for a change of the key "byOldKey" too'
      throw new RendezvousError('ERR_REGISTRATION_SHAPE', form)
    }
    const { outcome } = await service.put(uuid, body.data)
    return context.json({ uuid, outcome }, outcome === 'added' ? 201 : 200, OPEN_HEADERS)
  })
  app.get('/clients/:uuid', async (context) => {
    requireAdmitted('look-up', context.env.peerHost, context.req.header('x-forwarded-for'))
    return context.json(await service.get(parseUuid(context.req.param('uuid'))), 200, OPEN_HEADERS)
  })
  app.get('/health', (context) => context.json({ ready: service.ready() }, service.ready() ? 200 : 503))
  app.get('/metrics', async (context) => {
    const { text, contentType } = await service.metrics()
    return context.body(text, 200, { 'content-type': contentType })
  })
  app.notFound((context) => {
    const { path } = context.req
    if (/^\/(clients\/[^/]+|health|metrics)$/.test(path)) {
      return refusal(new RendezvousError('ERR_METHOD', 'GET, or PUT to /clients/UUID'))
    }
    return refusal(new RendezvousError('ERR_NOT_FOUND', 'ask for /clients/UUID, or open a WebSocket at /connect'))
  })
  app.onError((error, context) => {
    if (error instanceof RendezvousError) return refusal(error)
    if (error instanceof ProtocolError) return problemResponse(protocolProblem(error.code, error.message))
    // Nobody is there to read this, and a client that hangs up is no failure of ours.
    if (!context.req.raw.signal.aborted) log.error('request-failed', { error: error.name })
    return refusal(new RendezvousError('ERR_INTERNAL', 'try again; if it stays so, tell whoever runs the rendezvous'))
  })
  return async (request, peerHost) => app.fetch(request, { peerHost })
}

const refusal = (error: RendezvousError): Response => {
  const { status, title } = rendezvousProblems[error.code]
  const after = retryAfterSeconds[error.code]
  const problem = { status, title, code: error.code, detail: error.message, more: error.more }
  return problemResponse(after === undefined ? problem : { ...problem, retryAfterSeconds: after })
}
