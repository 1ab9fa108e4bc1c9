/** An HTTP exchange whose answer is used while it arrives: its body comes in pieces, in order, or breaks off. */
import { NetworkError } from '../effects/network.ts'
import type { StreamLimits } from '../effects/streams.ts'
import { drawFate, unreachable, type Caller } from './http.ts'
import type { Internet, Machine, Server } from './internet.ts'
import { never } from './life.ts'

type Body = ReadableStream<Uint8Array<ArrayBuffer>>

const timeout = () => new NetworkError('ERR_NETWORK_TIMEOUT', 'the exchange took too long')

/** @throws NetworkError, or the signal's reason */
export const openStream = async (
  internet: Internet,
  caller: Caller,
  request: Request,
  limits: StreamLimits,
): Promise<Response> => {
  const { machine: from, life } = caller
  const { loop, trace } = internet
  if (!life.isAlive()) return never()
  const { signal } = limits
  signal?.throwIfAborted()
  const url = new URL(request.url)
  const body = request.body === null ? undefined : new Uint8Array(await request.arrayBuffer())
  if (!life.isAlive()) return never()
  const to = internet.resolve(from, url.hostname)
  const fate = drawFate(internet)
  const peer = { host: from.ip, port: internet.freePort(from) }

  return new Promise((resolve, reject) => {
    let isOpen = true
    const finish = (outcome: () => void) => {
      if (!isOpen) return
      isOpen = false
      stopTimer()
      signal?.removeEventListener('abort', onAbort)
      if (life.isAlive()) outcome()
    }
    const fail = (error: Error) => finish(() => reject(error))
    const onAbort = () => fail(signal?.reason as Error)
    signal?.addEventListener('abort', onAbort, { once: true })
    const stopTimer = loop.schedule(limits.answerMs, () => fail(timeout()))

    const serve = async (server: Extract<Server, { handler: unknown }>, machine: Machine) => {
      const headers = new Headers(request.headers)
      if (!headers.has('host')) headers.set('host', url.host)
      const { method } = request
      const copy = new Request(url, { method, headers, ...(body && { body: body.slice(), duplex: 'half' }) })
      trace.add('http', from.name, machine.name, method, url.pathname)
      const forget = server.life.onEnd(() => void loop.schedule(fate.responseMs, () => fail(unreachable())))
      const answer = await server.handler(copy, peer)
      forget()
      if (!server.life.isAlive()) return
      trace.add('http-answer', machine.name, from.name, answer.status)
      const isLost = fate.responseLost || internet.isSeparated(from, machine)
      loop.schedule(fate.responseMs, () => {
        if (!isOpen || isLost || fate.reset || !life.isAlive()) void answer.body?.cancel().catch(() => {})
        if (isLost) return
        if (fate.reset) return fail(unreachable())
        finish(() => resolve(arriving(internet, answer, { caller, server, machine, idleMs: limits.idleMs, signal })))
      })
    }

    const arrive = () => {
      if (to !== undefined && (internet.isSeparated(from, to) || internet.isHanging(to))) return
      const server = to?.ports.get(Number(url.port || 80))
      if (to !== undefined && server !== undefined && 'handler' in server) void serve(server, to)
      else loop.schedule(fate.responseMs, () => fail(unreachable()))
    }

    if (!fate.requestLost) loop.schedule(fate.requestMs, arrive)
    if (fate.duplicated && !fate.requestLost) loop.schedule(fate.duplicateMs, arrive)
  })
}

interface Connection {
  readonly caller: Caller
  readonly server: Server
  readonly machine: Machine
  readonly idleMs: number
  readonly signal: AbortSignal | undefined
}

/** The answer as it arrives: a piece is asked for when the one before has been read. */
const arriving = (internet: Internet, answer: Response, connection: Connection): Response => {
  const { loop } = internet
  const { status, statusText } = answer
  const headers = new Headers(answer.headers)
  if (answer.body === null) return new Response(null, { status, statusText, headers })
  const { caller, server, machine, idleMs, signal } = connection
  const reader = (answer.body as Body).getReader()
  let broken = (): void => {}
  const wire = internet.wire(machine, caller.machine, () => broken())

  /** One piece; undefined at the end. @throws NetworkError */
  const next = (): Promise<Uint8Array<ArrayBuffer> | undefined> =>
    new Promise((resolve, reject) => {
      const fail = () => settle(() => reject(unreachable()))
      const settle = (outcome: () => void) => {
        stopTimer()
        forget()
        if (caller.life.isAlive()) outcome()
      }
      broken = fail
      const stopTimer = loop.schedule(idleMs, () => settle(() => reject(timeout())))
      const forget = server.life.onEnd(() => void loop.schedule(0, fail))
      if (!server.life.isAlive()) return void loop.schedule(0, fail)
      reader.read().then(
        ({ done, value }) => {
          if (server.life.isAlive()) wire.carry(() => settle(() => resolve(done ? undefined : value.slice())))
        },
        () => {
          if (server.life.isAlive()) wire.carry(fail)
        },
      )
    })

  const hangUp = () => void reader.cancel().catch(() => {})
  const body = new ReadableStream<Uint8Array<ArrayBuffer>>(
    {
      start(controller) {
        signal?.addEventListener(
          'abort',
          () => {
            hangUp()
            controller.error(signal.reason)
          },
          { once: true },
        )
        caller.life.onEnd(hangUp)
      },
      async pull(controller) {
        try {
          const piece = await next()
          if (piece === undefined) controller.close()
          else controller.enqueue(piece)
        } catch (error) {
          hangUp()
          controller.error(error)
        }
      },
      cancel: () => reader.cancel(),
    },
    { highWaterMark: 0 },
  )
  return new Response(body, { status, statusText, headers })
}
