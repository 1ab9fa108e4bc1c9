/** Exchanges on undici whose bodies flow, through the same dial as all else. */
import { Agent } from 'undici'
import { connectorOver, NO_OWN_TIMEOUTS } from './connector.ts'
import { createAttempts, KEEP_ALIVE_MS, questionOf, toResponse } from './http-node.ts'
import { toNetworkError, underDeadline } from './network-fault.ts'
import type { Streams } from './streams.ts'
import type { Dial } from './tcp-node.ts'

/** @param dial opens every connection, so that none goes around the proxy */
export const createStreams = (dial: Dial): Streams => {
  const connecting = createAttempts()
  const agent = new Agent({
    connect: connectorOver(dial, connecting),
    keepAliveTimeout: KEEP_ALIVE_MS,
    keepAliveMaxTimeout: KEEP_ALIVE_MS,
    ...NO_OWN_TIMEOUTS,
  })
  return {
    async open(request, { answerMs, idleMs, signal }) {
      const signals = signal ? [request.signal, signal] : [request.signal]
      // The time for the headers is over once they are there; whoever asked may end the body all the same.
      const late = new AbortController()
      const answer = await connecting.during(() =>
        underDeadline(answerMs, signals, async (deadline) => {
          const onLate = () => late.abort(deadline.reason)
          deadline.addEventListener('abort', onLate)
          const ends = AbortSignal.any([late.signal, ...signals])
          const question = { ...(await questionOf(request)), signal: ends, bodyTimeout: idleMs }
          return agent.request(question).finally(() => deadline.removeEventListener('abort', onLate))
        }),
      )
      return toResponse(answer.statusCode, answer.headers, flowing(answer.body, signals))
    },
  }
}

/** @throws what `Streams.open` promises of a body */
const flowing = (
  body: AsyncIterable<Uint8Array> & { destroy(): unknown },
  signals: readonly AbortSignal[],
): ReadableStream<Uint8Array<ArrayBuffer>> => {
  const pieces = body[Symbol.asyncIterator]()
  return new ReadableStream(
    {
      async pull(controller) {
        try {
          const { done, value } = await pieces.next()
          if (done) controller.close()
          else controller.enqueue(new Uint8Array(value))
        } catch (fault) {
          const ended = signals.find(({ aborted }) => aborted)
          controller.error(ended ? ended.reason : toNetworkError(fault))
        }
      },
      cancel: () => void body.destroy(),
    },
    { highWaterMark: 0 },
  )
}
