/**
 * Metered access for servers on Node's own HTTP: a middleware as Express and its like take it, for HTTP/1.1 and HTTP/2.
 *
 * An answer that is ended at once is charged before its first byte leaves, one that is written in pieces before its last:
 * the byte that completes its length, or the end of its chunks. One that the service breaks off before, by destroying it,
 * is not charged; one whose client hangs up is, once a part of its body has left. An answer whose body costs by the bit is
 * charged as it flows.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { canonicalHost } from '../protocol/payment-headers.ts'
import { announcedDigest } from '../protocol/payment-proof.ts'
import type { HeaderLines, Use } from './admission.ts'
import { createDigestCheck, type Sha256 } from './body-digest.ts'
import type { OwnAnswer } from './endpoints.ts'
import { GatewayError } from './errors.ts'
import { isCharged } from './fetch.ts'
import type { Gateway } from './index.ts'
import { VOUCHER_BODY_BYTES_MAX } from './limits.ts'
import type { Meter } from './meter.ts'
import type { Incoming } from './vouchers.ts'

export type NodeMiddleware = (
  request: IncomingMessage,
  response: ServerResponse,
  next: (error?: unknown) => void,
) => void

/**
 * Lets requests pass that are free or paid, and answers all others.
 * @param createSha256 for bodies with a `Content-Digest`
 */
export const meterNode = (gateway: Gateway, createSha256: () => Sha256): NodeMiddleware => {
  const serve = async (
    incoming: Incoming,
    request: IncomingMessage,
    response: ServerResponse,
    isWrong: () => boolean,
    next: () => void,
  ): Promise<void> => {
    const own = gateway.own(incoming, () => readText(request))
    if (own) return send(response, await own)
    const use = await gateway.admit(incoming)
    // Nobody tells again that the response has closed.
    if (response.destroyed || request.aborted) return use?.release()
    if (use) takeOver(response, use, () => request.aborted || isWrong())
    next()
  }

  return (request, response, next) => {
    const incoming = incomingOf(request, gateway.scheme)
    const refuse = async (error: unknown) => send(response, await gateway.refusal(error, incoming))
    let isBodyWrong = false
    const breakUp = async (error: unknown) => {
      isBodyWrong = true
      await refuse(error)
      request.destroy()
    }
    // Before the first byte of the body is pushed.
    checkBody(request, incoming, createSha256, breakUp)
    serve(incoming, request, response, () => isBodyWrong, next)
      .catch(refuse)
      .catch(() => response.destroy())
  }
}

/** What the gateway asks about a request of Node's. */
export const incomingOf = (request: IncomingMessage, scheme: 'http' | 'https'): Incoming => {
  const { headers } = request
  // Behind a mount point, routers shorten `url`.
  const { originalUrl } = request as { originalUrl?: string }
  const host = headers.host ?? (headers[':authority'] as string | undefined) ?? ''
  return {
    method: request.method ?? 'GET',
    target: originalUrl ?? request.url ?? '/',
    host: canonicalHost(host, `${scheme}:`),
    header(name) {
      const value = headers[name]
      return Array.isArray(value) ? value.join(', ') : value
    },
    headers() {
      const all = Object.entries(headers).filter(([name]) => !name.startsWith(':'))
      return new Headers(
        all.flatMap(([name, value]) => [value ?? []].flat().map((one): [string, string] => [name, one])),
      )
    },
  }
}

const readText = async (request: IncomingMessage): Promise<string> => {
  const pieces: Buffer[] = []
  let length = 0
  for await (const piece of request as AsyncIterable<Buffer>) {
    length += piece.length
    if (length > VOUCHER_BODY_BYTES_MAX) throw new GatewayError('ERR_TOO_LARGE', 'a voucher is at most 16 KiB')
    pieces.push(piece)
  }
  return Buffer.concat(pieces).toString()
}

/** Answers, unless an answer is on its way already. */
export const send = (response: ServerResponse, { status, headers, body }: OwnAnswer): void => {
  if (response.headersSent || response.writableEnded) return void response.destroy()
  const text = JSON.stringify(body)
  // What the service began to say is not said.
  for (const name of response.getHeaderNames()) response.removeHeader(name)
  response.writeHead(status, { ...headers, 'content-length': Buffer.byteLength(text) })
  response.end(text)
}

/** Lets the end of a body come only when it is the one that was announced. */
const checkBody = (
  request: IncomingMessage,
  incoming: Incoming,
  createSha256: () => Sha256,
  fail: (error: unknown) => Promise<void>,
): void => {
  const announced = incoming.header('content-digest')
  const expected = announced === undefined ? undefined : announcedDigest(announced)
  if (expected === undefined) return
  const check = createDigestCheck(createSha256(), expected)
  const push = request.push.bind(request)
  request.push = (piece: Buffer | null) => {
    if (piece !== null) {
      const before = check.push(piece)
      return before ? push(before) : true
    }
    try {
      const last = check.end()
      if (last) push(last)
      return push(null)
    } catch (error) {
      void fail(error).catch(() => request.destroy())
      return false
    }
  }
}

type Written = string | Uint8Array
type Callback = (error?: Error | null) => void

/**
 * Puts the use between the service and the answer that it writes.
 * @param isGivenUp whether the client has broken the request off
 */
const takeOver = (response: ServerResponse, use: Use, isGivenUp: () => boolean): void => {
  const write = response.write.bind(response) as (
    piece: Written,
    encoding?: BufferEncoding,
    callback?: Callback,
  ) => boolean
  const end = response.end.bind(response)
  const writeHead = response.writeHead.bind(response)
  const flushHeaders = response.flushHeaders?.bind(response)
  const destroy = response.destroy.bind(response)
  let head: Parameters<typeof writeHead> | undefined
  let phase: 'head' | 'body' | 'ending' = 'head'
  let length: number | undefined
  let written = 0
  let held: Buffer | undefined
  let flow: Flow | undefined
  let isBroken = false
  /** Whether a part of the body is on its way to the client. */
  let isOut = false
  let isByService = false

  /** The service's own ways, for what is not charged. */
  const letGo = (): void => {
    Object.assign(response, { write, end, writeHead, flushHeaders })
  }

  const sendHead = (lines: HeaderLines): void => {
    response.writeHead = writeHead
    for (const [name, value] of lines) response.setHeader(name, value)
    if (head) writeHead(...head)
  }

  /** @returns false for an answer that costs nothing, which then goes its own way */
  const begin = (): boolean => {
    if (phase !== 'head') return true
    phase = 'body'
    if (!isCharged(response.statusCode)) {
      use.release().catch(() => response.destroy())
      sendHead(use.headers())
      letGo()
      return false
    }
    length = lengthOf(response, head)
    if (use.meter && length === undefined && takesTrailers(response)) response.setHeader('Trailer', 'Payment-Status')
    sendHead(use.headers())
    if (use.meter) {
      flow = createFlow(use.meter, write, {
        drained: () => void response.emit('drain'),
        outOfMoney() {
          isBroken = true
          phase = 'ending'
          breakOff(response, end)
        },
      })
    }
    return true
  }

  response.writeHead = ((status: number, ...rest: unknown[]) => {
    response.statusCode = status
    head = [status, ...rest] as Parameters<typeof writeHead>
    return response
  }) as typeof response.writeHead

  response.flushHeaders = () => {
    begin()
    flushHeaders?.()
  }

  response.write = ((piece: Written, encoding?: BufferEncoding | Callback, callback?: Callback) => {
    const [code, told] = typeof encoding === 'function' ? [undefined, encoding] : [encoding, callback]
    if (!begin()) return write(piece, code, told)
    const bytes = typeof piece === 'string' ? Buffer.from(piece, code) : Buffer.from(piece)
    written += bytes.length
    if (flow) return flow.write(bytes, told)
    if (length === undefined || written < length) {
      isOut ||= bytes.length > 0
      return write(bytes, undefined, told)
    }
    // The byte that completes the answer waits for the charge.
    held = held ? Buffer.concat([held, bytes]) : bytes
    told?.()
    return true
  }) as typeof response.write

  response.end = ((piece?: Written | Callback, encoding?: BufferEncoding | Callback, callback?: Callback) => {
    if (phase === 'ending') return response
    const last = typeof piece === 'function' || piece === undefined || piece === null ? undefined : piece
    const code = typeof encoding === 'string' ? encoding : undefined
    const told = [piece, encoding, callback].find((each) => typeof each === 'function') as Callback | undefined
    const isWhole = phase === 'head' && !use.meter
    if (isWhole && !isCharged(response.statusCode)) {
      begin()
      return end(last as never, code as never, told)
    }
    if (!isWhole && !begin()) return end(last as never, code as never, told)
    phase = 'ending'
    void finish(last, code, isWhole).then(
      (rest) => {
        letGo()
        if (rest) end(rest, told)
        else end(told)
      },
      () => isBroken || response.destroy(),
    )
    return response
  }) as typeof response.end

  const finish = async (
    last: Written | undefined,
    code: BufferEncoding | undefined,
    isWhole: boolean,
  ): Promise<Buffer | string | undefined> => {
    if (flow) {
      if (last !== undefined) flow.write(typeof last === 'string' ? Buffer.from(last, code) : Buffer.from(last))
      await flow.flushed()
      await use.commit()
      return undefined
    }
    const lines = await use.commit()
    if (isWhole) sendHead(lines)
    if (last === undefined) return held
    const bytes = typeof last === 'string' ? Buffer.from(last, code) : Buffer.from(last)
    return held ? Buffer.concat([held, bytes]) : bytes
  }

  response.destroy = (error) => {
    isByService ||= !isGivenUp()
    return destroy(error)
  }

  response.once('close', () => {
    flow?.stop()
    // Who reads a part and hangs up has had it: an answer without an end would be free for ever.
    const isTaken = phase === 'body' && isOut && !isByService
    // After a commit a release does nothing.
    void (isTaken ? use.commit() : use.release()).catch(() => {})
  })
}

/** What the service said about the length of its answer, if it did. */
const lengthOf = (response: ServerResponse, head: readonly unknown[] | undefined): number | undefined => {
  const fields = head?.find((each) => typeof each === 'object' && each !== null)
  const inHead = Array.isArray(fields)
    ? fields.flat().find((_, at, all) => at > 0 && String(all[at - 1]).toLowerCase() === 'content-length')
    : Object.entries(fields ?? {}).find(([name]) => name.toLowerCase() === 'content-length')?.[1]
  const text = inHead ?? response.getHeader('content-length')
  return text === undefined ? undefined : Number(text)
}

interface Flow {
  /** @returns false when the writer should wait for `drained` */
  write(bytes: Buffer, told?: Callback): boolean
  /** Resolves when all that was written is paid and gone. @throws when the money came to its end */
  flushed(): Promise<void>
  stop(): void
}

/** Pays for each piece before it leaves, in sequence. */
const createFlow = (
  meter: Meter,
  write: (piece: Buffer) => boolean,
  { drained, outOfMoney }: { drained(): void; outOfMoney(): void },
): Flow => {
  let queue: Promise<void> = Promise.resolve()
  let waiting = 0
  let stopped = false

  /** Lets go what is paid; where that is not all, the answer ends. */
  const flow = (bytes: Buffer, paid: number, told: Callback | undefined): boolean => {
    if (paid === bytes.length) {
      told?.()
      return write(bytes)
    }
    if (paid > 0) write(bytes.subarray(0, paid))
    stopped = true
    outOfMoney()
    throw new GatewayError('ERR_BALANCE_SHORT', 'the money has come to its end')
  }

  const enqueue = (work: () => Promise<unknown>): false => {
    waiting++
    queue = queue
      .then(async () => {
        if (!stopped) await work()
      })
      .finally(() => {
        if (--waiting === 0) drained()
      })
    queue.catch(() => {})
    return false
  }

  return {
    write(bytes, told) {
      if (waiting > 0) return enqueue(async () => flow(bytes, await meter.pay(bytes.length), told))
      const paid = meter.pay(bytes.length)
      if (typeof paid === 'number') return flow(bytes, paid, told)
      return enqueue(async () => flow(bytes, await paid, told))
    },
    flushed: () => queue,
    stop() {
      stopped = true
    },
  }
}

/**
 * Ends an answer whose money has come to its end. Who can be told in a trailer is (RFC 9110 §6.5.1); for all others it
 * breaks off, so that nobody takes a part for the whole.
 */
const breakOff = (response: ServerResponse, end: () => void): void => {
  if (!takesTrailers(response) || response.hasHeader('content-length')) return void response.destroy()
  response.addTrailers({ 'Payment-Status': '402' })
  end()
}

const takesTrailers = (response: ServerResponse): boolean =>
  /(?:^|,)\s*trailers\s*(?:,|$)/i.test(String(response.req.headers.te ?? ''))
