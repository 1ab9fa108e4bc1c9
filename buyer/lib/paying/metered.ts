/**
 * Bodies that cost by the bit, passed through and counted as they come. What is signed runs ahead of what has come by a
 * fixed number of bytes; a vendor that sends nothing gets no more than that. What breaks off is asked for again from where
 * it broke, and paid from there.
 */
import { NetworkError } from '../../../effects/network.ts'
import { STREAM_AHEAD_BYTES } from '../limits.ts'
import { least } from './book.ts'
import { costOfBytes, type Price } from './price.ts'
import type { Tab } from './tab.ts'

export interface MeteredParts {
  readonly price: Price
  readonly tab: Tab
  /** What was counted for it already, smallest unit. */
  readonly counted: bigint
  /** The most that it may come to; undefined for no bound. */
  readonly most: bigint | undefined
  /** Sends the server a voucher for what is counted now. */
  more(signal: AbortSignal): Promise<void>
  /** The rest from a place on; undefined where it cannot be asked for. */
  resume(from: number, costSoFar: bigint): Promise<ReadableStream<Uint8Array<ArrayBuffer>> | undefined>
  /** Told what it came to. */
  ended(cost: bigint): Promise<void>
}

/** Times that a body is asked for again without that more of it has come. */
const RESUMES_MAX = 3

export const meteredBody = (
  first: ReadableStream<Uint8Array<ArrayBuffer>>,
  { price, tab, counted, most, more, resume, ended }: MeteredParts,
): ReadableStream<Uint8Array<ArrayBuffer>> => {
  let reader = first.getReader()
  let granted = counted
  let received = 0
  let resumes = 0
  const ending = new AbortController()
  let asking: Promise<void> = Promise.resolve()
  let failure: unknown

  const end = async (): Promise<void> => {
    // Nothing is sent for a body that has ended.
    ending.abort()
    await asking
    const cost = costOfBytes(price, received)
    tab.less(granted - cost)
    granted = cost
    await ended(cost)
  }

  /** Counts further ahead once half of what was counted has come; does not wait for the server to know. */
  const runAhead = (): void => {
    const wanted = costOfBytes(price, received + STREAM_AHEAD_BYTES)
    const allowed = most === undefined ? wanted : least(wanted, most)
    const isClose = costOfBytes(price, received + STREAM_AHEAD_BYTES / 2) > granted
    if (!isClose || allowed <= granted) return
    tab.agree(allowed - granted)
    granted = allowed
    asking = asking
      .then(() => more(ending.signal))
      .catch((error: unknown) => {
        failure ??= error
      })
  }

  const next = async (): Promise<Uint8Array<ArrayBuffer> | undefined> => {
    for (;;) {
      try {
        const { done, value } = await reader.read()
        if (!done) return value
        return undefined
      } catch (error) {
        if (!(error instanceof NetworkError) || ++resumes > RESUMES_MAX) throw failure ?? error
        await asking
        if (failure !== undefined) throw failure
        const rest = await resume(received, costOfBytes(price, received))
        if (!rest) throw error
        reader = rest.getReader()
      }
    }
  }

  return new ReadableStream(
    {
      async pull(controller) {
        try {
          const piece = await next()
          if (piece === undefined) {
            await end()
            return controller.close()
          }
          received += piece.length
          resumes = 0
          runAhead()
          controller.enqueue(piece)
        } catch (error) {
          await end()
          throw error
        }
      },
      async cancel(reason) {
        await end()
        await reader.cancel(reason)
      },
    },
    { highWaterMark: 0 },
  )
}
