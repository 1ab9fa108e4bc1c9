/**
 * Answers as server-sent events, as GraphQL over SSE has them ("distinct connections mode"), each with the id that
 * `Last-Event-ID` goes on from. A reader that takes nothing for too long is let go.
 */
import { type ExecutionResult, GraphQLError } from 'graphql'
import type { Clock } from '../../effects/clock.ts'
import { utf8 } from '../../protocol/bytes.ts'
import { EVENTS_BUFFERED_MAX, HEARTBEAT_MS, READER_STALL_MS } from '../limits.ts'
import { queryError } from './errors.ts'

const HEADERS = { 'content-type': 'text/event-stream', 'cache-control': 'no-store', 'x-accel-buffering': 'no' }

const HEARTBEAT = utf8(':\n\n')
const COMPLETE = utf8('event: complete\ndata:\n\n')

const written = new WeakMap<ExecutionResult, Uint8Array>()

/** The bytes of an event, made once for all who are told the same. JSON has no line breaks of its own. */
const event = (result: ExecutionResult): Uint8Array => {
  const id = result.extensions?.resumeId
  const known = written.get(result)
  if (known) return known
  const bytes = utf8(`event: next\n${typeof id === 'string' ? `id: ${id}\n` : ''}data: ${JSON.stringify(result)}\n\n`)
  written.set(result, bytes)
  return bytes
}

const refusal = (error: unknown): ExecutionResult => ({
  errors: [
    error instanceof GraphQLError
      ? error
      : queryError('ERR_SUBSCRIPTION_BROKEN', 'this ended by a fault: subscribe again'),
  ],
})

const tooSlow = () =>
  queryError('ERR_SUBSCRIBER_TOO_SLOW', 'nothing of this was taken for a minute: go on from the last id')

/** @param results is ended when the reader goes away */
export const eventStream = (results: AsyncIterable<ExecutionResult>, clock: Clock): Response => {
  const iterator = results[Symbol.asyncIterator]()
  const ending = new AbortController()
  let makeRoom = () => {}

  const tell = async (controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> => {
    const send = (bytes: Uint8Array) => controller.enqueue(bytes)
    const hasRoom = () => (controller.desiredSize ?? 0) > 0

    const beat = async () => {
      for (;;) {
        await clock.sleep(HEARTBEAT_MS, ending.signal)
        if (hasRoom()) send(HEARTBEAT)
      }
    }
    /** @returns whether there is room */
    const untilRoom = async (): Promise<boolean> => {
      if (hasRoom()) return true
      const taken = new AbortController()
      const room = new Promise<void>((resolve) => (makeRoom = resolve))
      const stall = clock.sleep(READER_STALL_MS, AbortSignal.any([taken.signal, ending.signal])).catch(() => {})
      await Promise.race([room, stall])
      taken.abort()
      return hasRoom()
    }

    // Some clients show nothing before the first bytes.
    send(HEARTBEAT)
    const beating = beat().catch(() => {})
    try {
      for (;;) {
        const { done, value } = await iterator
          .next()
          .catch((error: unknown) => ({ done: false, value: refusal(error) }))
        if (done || ending.signal.aborted) break
        const isSlow = !(await untilRoom())
        if (ending.signal.aborted) break
        send(event(isSlow ? refusal(tooSlow()) : (value as ExecutionResult)))
        if (isSlow) break
      }
    } finally {
      const isGone = ending.signal.aborted
      ending.abort()
      await iterator.return?.()
      await beating
      if (!isGone) {
        send(COMPLETE)
        controller.close()
      }
    }
  }

  const stream = new ReadableStream<Uint8Array>(
    {
      start(controller) {
        tell(controller).catch((error: unknown) => controller.error(error))
      },
      pull: () => makeRoom(),
      async cancel() {
        ending.abort()
        makeRoom()
        await iterator.return?.()
      },
    },
    new CountQueuingStrategy({ highWaterMark: EVENTS_BUFFERED_MAX }),
  )
  return new Response(stream, { headers: HEADERS })
}
