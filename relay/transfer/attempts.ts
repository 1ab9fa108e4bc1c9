/** Goes on over new connections when one breaks, for as long as that gets anywhere. */
import type { Clock } from '../../effects/clock.ts'
import { abortCodeOf, TransferError } from './errors.ts'
import { LineBroken, openLine, type Line } from './line.ts'
import type { SecureStream } from '../client/secure-stream.ts'
import type { Block } from '../../protocol/transfer/messages.ts'

/** Between two attempts, milliseconds; doubles from the first to the second. */
const PAUSE_MIN_MS = 500
const PAUSE_MAX_MS = 15_000
/** Streams to the other side, the first of them for messages; each call after the first is after a break. */
export type Connect = (signal: AbortSignal) => Promise<readonly SecureStream[]>

export interface Attempt {
  readonly onBlock: (block: Block) => Promise<void> | void
  /** Does all that there is to do over one line. @throws LineBroken when another line is to go on */
  run(line: Line): Promise<void>
}

export interface AttemptsOptions {
  /** How much has arrived; more of it means that going on is worth while. */
  readonly progress: () => number
  /** How long without more of it, milliseconds. */
  readonly giveUpMs: () => number
  readonly signal: AbortSignal
  /** Told of each break that is not the end. */
  readonly onBroken?: () => void
}

/**
 * Does the work of a transfer, over as many connections as it takes.
 * @throws what `run` throws; what the first connection is refused with; ERR_TRANSFER_BROKEN; the signal's reason
 */
export const runAttempts = async (
  clock: Clock,
  connect: Connect,
  begin: () => Attempt,
  { progress, giveUpMs, signal, onBroken }: AttemptsOptions,
): Promise<void> => {
  let fault: Error | undefined = await runOnce(clock, await connect(signal), begin(), signal)
  let pauseMs = PAUSE_MIN_MS
  let reached = progress()
  let reachedMs = clock.nowMs()
  while (fault) {
    const leftMs = reachedMs + giveUpMs() - clock.nowMs()
    if (leftMs <= 0)
      throw new TransferError('ERR_TRANSFER_BROKEN', 'the connection broke and does not come back', { cause: fault })
    onBroken?.()
    await clock.sleep(Math.min(pauseMs, leftMs), signal)
    pauseMs = Math.min(pauseMs * 2, PAUSE_MAX_MS)
    fault = await reconnect(clock, connect, begin, leftMs, signal)
    if (progress() <= reached) continue
    reached = progress()
    reachedMs = clock.nowMs()
    pauseMs = PAUSE_MIN_MS
  }
}

/** @returns why another attempt is worth while; undefined when all is done */
const reconnect = async (
  clock: Clock,
  connect: Connect,
  begin: () => Attempt,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<Error | undefined> => {
  const tooLate = new AbortController()
  const connected = new AbortController()
  clock.sleep(timeoutMs, connected.signal).then(
    () => tooLate.abort(new LineBroken('nobody came')),
    () => {},
  )
  let streams: readonly SecureStream[]
  try {
    streams = await connect(AbortSignal.any([signal, tooLate.signal]))
  } catch (fault) {
    if (signal.aborted || !isPassing(fault)) throw fault
    return fault as Error
  } finally {
    connected.abort()
  }
  return runOnce(clock, streams, begin(), signal)
}

const isPassing = (fault: unknown): boolean =>
  fault instanceof LineBroken || (Object(fault) as { readonly retryable?: unknown }).retryable === true

/** @returns why another attempt is worth while; undefined when all is done */
const runOnce = async (
  clock: Clock,
  streams: readonly SecureStream[],
  attempt: Attempt,
  signal: AbortSignal,
): Promise<LineBroken | undefined> => {
  const line = openLine(clock, streams, (block) => attempt.onBlock(block))
  const stop = () => line.fail(signal.reason)
  signal.addEventListener('abort', stop, { once: true })
  if (signal.aborted) stop()
  const running = attempt.run(line)
  try {
    await line.race(running)
    return undefined
  } catch (fault) {
    if (fault instanceof LineBroken) line.close()
    else await line.abort(abortCodeOf(fault))
    // It may still be about a file, which the next attempt has to find at rest.
    await running.catch(() => {})
    if (fault instanceof LineBroken) return fault
    throw fault
  } finally {
    signal.removeEventListener('abort', stop)
  }
}
