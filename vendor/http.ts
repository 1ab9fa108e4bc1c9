/** The vendor's HTTP face: `/price.json`, `/cert.info`, `/health`. */
import { Hono } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import type { Log } from '../effects/log.ts'
import { ProtocolError } from '../protocol/errors.ts'
import { parseKeyId } from '../protocol/keys.ts'
import { CODE_BYTES_MAX } from '../protocol/limits.ts'
import type { PriceDocument } from '../protocol/price.ts'
import { problemResponse } from '../protocol/problem.ts'
import { protocolProblem, retryAfterSeconds, VendorError, vendorProblems } from './errors.ts'

/** Requests that may do RSA work at once; more would only wait longer. */
const REQUESTS_AT_ONCE_MAX = 256

/** Of what any page may read, and nobody keeps. */
const OPEN_HEADERS = { 'cache-control': 'no-store', 'access-control-allow-origin': '*' } as const

export interface VendorService {
  /** @param keyId of the buyer who asks, for the memo */
  priceDocument(keyId?: Uint8Array): Promise<PriceDocument>
  /** @returns compact JWE */
  certInfo(code: string): Promise<string>
  /** Whether the registry and the chain have been read. */
  ready(): boolean
}

export const createVendorHttp = (service: VendorService, log: Log): ((request: Request) => Promise<Response>) => {
  const app = new Hono()
  const tooLarge = () => {
    throw new VendorError('ERR_TOO_LARGE', `a code has at most ${CODE_BYTES_MAX} bytes`)
  }

  // On POST alone: to look for a body makes the server build what a GET does without.
  const limit = bodyLimit({ maxSize: CODE_BYTES_MAX, onError: tooLarge })
  app.get('/price.json', async (context) => {
    const kid = context.req.query('kid')
    const document = await service.priceDocument(kid === undefined ? undefined : parseKeyId(kid))
    return context.json(document, 200, OPEN_HEADERS)
  })
  const answer = async (code: string | undefined): Promise<Response> => {
    if (!code) throw new VendorError('ERR_CODE_MISSING', 'send the code as the query ?code= or as the body of a POST')
    const jwe = await service.certInfo(code)
    const headers = { 'content-type': 'application/jose', ...OPEN_HEADERS }
    // It is ASCII, so that its bytes need not be counted.
    return new Response(jwe, { headers: { ...headers, 'content-length': String(jwe.length) } })
  }
  app.get('/cert.info', (context) => answer(context.req.query('code')))
  app.post('/cert.info', limit, async (context) => answer((await context.req.text()).trim()))
  app.get('/health', (context) => context.json({ ready: service.ready() }, service.ready() ? 200 : 503))
  const paths = new Set(app.routes.map(({ path }) => path))
  app.notFound((context) => {
    if (paths.has(context.req.path)) return refusal(new VendorError('ERR_METHOD', 'use GET, or POST for /cert.info'))
    return refusal(new VendorError('ERR_NOT_FOUND', 'ask for /price.json or /cert.info'))
  })
  app.onError((error, context) => {
    // Nobody is there to read this, and a client that hangs up is no failure of ours.
    if (context.req.raw.signal.aborted) return refusal(new VendorError('ERR_CODE_MISSING', 'the request broke off'))
    if (error instanceof VendorError) return refusal(error)
    if (error instanceof ProtocolError) return problemResponse(protocolProblem(error.code, error.message))
    log.error('request-failed', { error: error.name })
    return refusal(new VendorError('ERR_INTERNAL', 'try again; if it stays so, tell the vendor'))
  })

  let requests = 0
  return async (request) => {
    if (requests >= REQUESTS_AT_ONCE_MAX) return refusal(new VendorError('ERR_BUSY', 'ask again in a second'))
    requests++
    try {
      return await app.fetch(request)
    } finally {
      requests--
    }
  }
}

const refusal = (error: VendorError): Response => {
  const { status, title } = vendorProblems[error.code]
  const after = retryAfterSeconds[error.code]
  const problem = { status, title, code: error.code, detail: error.message, more: error.more }
  return problemResponse(after === undefined ? problem : { ...problem, retryAfterSeconds: after })
}
