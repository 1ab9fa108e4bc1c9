/** One HTTP exchange over the simulated internet. Bytes are copied: nothing is shared between hosts. */
import { NetworkError, type Address, type FetchLimits } from '../effects/network.ts'
import type { HttpHandler, Internet, Machine } from './internet.ts'
import { never, type Life } from './life.ts'

export interface Caller {
  readonly machine: Machine
  readonly life: Life
}

/** Everything chance decides about one exchange, drawn at once so that what happens in it shifts no other draw. */
export const drawFate = ({ random, faults, delayMs }: Internet) => ({
  requestLost: random.chance(faults.rate('request-loss')),
  responseLost: random.chance(faults.rate('response-loss')),
  duplicated: random.chance(faults.rate('duplicate')),
  reset: random.chance(faults.rate('reset')),
  truncated: random.chance(faults.rate('truncate')),
  keptShare: random.unit(),
  requestMs: delayMs(),
  duplicateMs: delayMs(),
  responseMs: delayMs(),
})

/** A body as it was sent; undefined when it is longer than `bytesMax`. */
const readBody = async (response: Response, bytesMax: number): Promise<Uint8Array | undefined> => {
  const pieces: Uint8Array[] = []
  let length = 0
  for await (const piece of response.body ?? []) {
    length += piece.length
    if (length > bytesMax) return undefined
    pieces.push(piece)
  }
  return Uint8Array.from(Buffer.concat(pieces))
}

export const unreachable = () => new NetworkError('ERR_NETWORK_UNREACHABLE', 'the host cannot be reached')

/** @throws NetworkError, or the signal's reason */
export const exchange = async (
  internet: Internet,
  { machine: from, life }: Caller,
  request: Request,
  limits: FetchLimits,
): Promise<Response> => {
  const { loop, trace } = internet
  if (!life.isAlive()) return never()
  const url = new URL(request.url)
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw new NetworkError('ERR_NETWORK_PROTOCOL', 'only http and https are spoken')
  }
  const signal = limits.signal ? AbortSignal.any([request.signal, limits.signal]) : request.signal
  signal.throwIfAborted()
  const body = request.body === null ? undefined : new Uint8Array(await request.arrayBuffer())
  signal.throwIfAborted()
  if (!life.isAlive()) return never()
  const to = internet.resolve(from, url.hostname)
  if (limits.allow && !limits.allow(internet.ipOf(from, to, url.hostname))) {
    throw new NetworkError('ERR_NETWORK_FORBIDDEN', 'this address may not be connected to')
  }
  const port = Number(url.port || (url.protocol === 'https:' ? 443 : 80))
  const fate = drawFate(internet)
  const peer: Address = { host: to === from ? '127.0.0.1' : from.ip, port: internet.freePort(from) }

  return new Promise((resolve, reject) => {
    const finish = (outcome: () => void) => {
      stopTimer()
      signal.removeEventListener('abort', onAbort)
      if (life.isAlive()) outcome()
    }
    const fail = (error: Error) => finish(() => reject(error))
    const onAbort = () => fail(signal.reason as Error)
    signal.addEventListener('abort', onAbort, { once: true })
    const stopTimer = loop.schedule(limits.timeoutMs, () =>
      fail(new NetworkError('ERR_NETWORK_TIMEOUT', 'the exchange took too long')),
    )

    const answered = (response: Response, content: Uint8Array | undefined) => {
      if (fate.responseLost || (to !== undefined && internet.isSeparated(from, to))) return
      loop.schedule(fate.responseMs, () => {
        if (fate.reset) return fail(unreachable())
        if (content === undefined) return fail(new NetworkError('ERR_NETWORK_BODY_TOO_LARGE', 'the body is too large'))
        const kept = fate.truncated ? content.slice(0, Math.floor(content.length * fate.keptShare)) : content
        const shown = response.body === null ? null : (kept as BodyInit)
        const { status, statusText, headers } = response
        finish(() => resolve(new Response(shown, { status, statusText, headers: new Headers(headers) })))
      })
    }

    const serve = async (handler: HttpHandler, server: Life, name: string) => {
      const headers = new Headers(request.headers)
      headers.set('host', url.host)
      if (!headers.has('accept-encoding')) headers.set('accept-encoding', 'identity')
      const copy = new Request(url, {
        method: request.method,
        headers,
        ...(body && { body: body.slice(), duplex: 'half' }),
      })
      trace.add('http', from.name, name, request.method, url.pathname)
      const forget = server.onEnd(() => void loop.schedule(fate.responseMs, () => fail(unreachable())))
      const response = await handler(copy, peer)
      const content = await readBody(response, limits.bodyBytesMax)
      forget()
      if (!server.isAlive()) return
      trace.add('http-answer', name, from.name, response.status)
      answered(response, content)
    }

    const arrive = () => {
      if (to !== undefined && (internet.isSeparated(from, to) || internet.isHanging(to))) return
      const server = to?.ports.get(port)
      if (to !== undefined && server !== undefined && 'handler' in server)
        void serve(server.handler, server.life, to.name)
      else loop.schedule(fate.responseMs, () => fail(unreachable()))
    }

    if (!fate.requestLost) loop.schedule(fate.requestMs, arrive)
    if (fate.duplicated && !fate.requestLost) loop.schedule(fate.duplicateMs, arrive)
  })
}
