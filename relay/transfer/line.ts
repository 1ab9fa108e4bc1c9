/**
 * The streams between a sender and a recipient as the two use them: messages one after the other over the first stream,
 * blocks over all. It stays alive by pings, and it is broken off when the other side is silent, or gets no further.
 */
import type { Clock } from '../../effects/clock.ts'
import { ProtocolError } from '../../protocol/errors.ts'
import {
  decodeRecord,
  encodeBlock,
  encodeMessage,
  type AbortCode,
  type Block,
  type Message,
} from '../../protocol/transfer/messages.ts'
import { peerError, TransferError } from './errors.ts'
import type { SecureStream } from '../client/secure-stream.ts'
import { createWake } from './wake.ts'

/** Between two pings, milliseconds. */
const PING_MS = 10_000
/** Nothing has come for so long: the connection is gone. Milliseconds. */
const SILENCE_MS = 45_000
/** For the other side to take an abort or an end before the connection is closed under it, milliseconds. */
const FAREWELL_MS = 5_000

/** The connection is gone; another may go on where it was. */
export class LineBroken extends Error {
  override readonly name = 'LineBroken'
}

export interface Line {
  readonly streams: number
  /** Aborts when the line is over. */
  readonly signal: AbortSignal
  say(message: Message): Promise<void>
  /** @param stream from 0 */
  sendBlock(stream: number, block: Block): Promise<void>
  /** The next message that is more than a ping; one at a time. */
  hear(): Promise<Message>
  /** How long the other side may take from now on until something moves, milliseconds; and that something did. */
  patience(ms: number): void
  moved(): void
  /** Waits for work that is to end when the line does. @throws LineBroken | TransferError | ProtocolError */
  race<T>(work: Promise<T>): Promise<T>
  /** Ends the line from here: what follows throws this. */
  fail(fault: unknown): void
  /** Says that nothing follows, and waits a little for the other side to say so. @returns whether it did */
  end(): Promise<boolean>
  /** Tells the other side why this ends, as far as it still listens, and closes. */
  abort(code: AbortCode): Promise<void>
  close(): void
}

/** @param onBlock takes a block before the next of its stream is read */
export const openLine = (
  clock: Clock,
  streams: readonly SecureStream[],
  onBlock: (block: Block) => Promise<void> | void,
): Line => {
  const over = new AbortController()
  /** Of what is waited for. `Promise.race` would remember each wait for the life of the line. */
  const rejects = new Set<(fault: unknown) => void>()
  const fail = (fault: unknown) => {
    over.abort(fault)
    for (const reject of rejects) reject(fault)
    rejects.clear()
  }
  const race = <T>(work: Promise<T>): Promise<T> =>
    new Promise((resolve, reject) => {
      rejects.add(reject)
      if (over.signal.aborted) reject(over.signal.reason as Error)
      work.then(resolve, reject).finally(() => rejects.delete(reject))
    })

  let heardMs = clock.nowMs()
  let movedMs = heardMs
  let patienceMs = Infinity

  /** The streams take one record at a time. */
  const turns: Promise<void>[] = streams.map(() => Promise.resolve())
  const send = (at: number, record: Uint8Array): Promise<void> => {
    const turn = (turns[at] ?? Promise.resolve()).then(async () => {
      over.signal.throwIfAborted()
      await streams[at]?.send(record)
    })
    turns[at] = turn.catch((fault: unknown) => fail(lineFault(fault)))
    return race(turn)
  }
  const say = (message: Message) => send(0, encodeMessage(message))

  /** At most one message waits to be heard. */
  const mailbox = createMailbox()
  const heardEnds: Promise<void>[] = []
  const listen = async (stream: SecureStream, isFirst: boolean): Promise<void> => {
    for (;;) {
      const bytes = await stream.receive()
      heardMs = clock.nowMs()
      if (bytes === undefined) return
      const heard = decodeRecord(bytes)
      if (heard.record === 'block') await onBlock(heard.block)
      else if (!isFirst) throw new ProtocolError('ERR_TRANSFER_SHAPE', 'a message where only blocks may be')
      else if (heard.message.type === 'abort') throw peerError(heard.message.code)
      else if (heard.message.type !== 'ping') await mailbox.put(heard.message)
    }
  }
  streams.forEach((stream, at) => {
    const ended = listen(stream, at === 0)
    heardEnds.push(ended)
    ended.then(
      () => at === 0 && mailbox.end(),
      (fault: unknown) => fail(lineFault(fault)),
    )
  })

  const watch = async (): Promise<void> => {
    for (;;) {
      await clock.sleep(PING_MS, over.signal)
      const nowMs = clock.nowMs()
      if (nowMs - heardMs > SILENCE_MS) return fail(new LineBroken('the other side is silent'))
      if (nowMs - movedMs > patienceMs)
        return fail(new TransferError('ERR_TRANSFER_STALLED', 'the other side is there and does nothing'))
      say({ type: 'ping' }).catch(() => {})
    }
  }
  watch().catch(() => {})

  const close = () => {
    fail(new LineBroken('closed here'))
    for (const stream of streams) stream.close()
  }
  /** @returns whether the work was done in time */
  const briefly = (work: Promise<unknown>): Promise<boolean> => {
    const done = new AbortController()
    const inTime = work.then(
      () => true,
      () => false,
    )
    const tooLate = clock.sleep(FAREWELL_MS, done.signal).then(
      () => false,
      () => false,
    )
    return Promise.race([inTime, tooLate]).finally(() => done.abort())
  }

  return {
    streams: streams.length,
    signal: over.signal,
    say,
    sendBlock: (stream, block) => send(stream, encodeBlock(block)),
    hear: async () => {
      const message = await race(mailbox.take())
      if (message === undefined) throw new LineBroken('the other side ended without a word')
      return message
    },
    patience(ms) {
      patienceMs = ms
      movedMs = clock.nowMs()
    },
    moved: () => void (movedMs = clock.nowMs()),
    race,
    fail,
    async end() {
      over.abort(new LineBroken('ended here'))
      const ends = streams.map(async (stream, at) => {
        await turns[at]
        await stream.end()
      })
      const isMutual = await briefly(Promise.all([...ends, ...heardEnds]))
      for (const stream of streams) stream.close()
      return isMutual
    },
    async abort(code) {
      const [first] = streams
      const record = encodeMessage({ type: 'abort', code })
      // Past the turns where the line is over: what waits in them is never sent.
      const told = over.signal.aborted
        ? (turns[0] ?? Promise.resolve()).then(() => first?.send(record))
        : send(0, record)
      // Closed before the other side has heard it, the other streams would break first, and say nothing.
      await briefly(told.then(() => first?.end()).then(() => heardEnds[0]))
      close()
    },
    close,
  }
}

/** What passes means that this line is gone, and that another may do. All else is the end. */
const lineFault = (fault: unknown): unknown =>
  (Object(fault) as { readonly retryable?: unknown }).retryable === true && !(fault instanceof TransferError)
    ? new LineBroken('the connection broke', { cause: fault })
    : fault

/** Holds one message between who reads it and who needs it. */
const createMailbox = () => {
  let waiting: Message | undefined
  let ended = false
  const arrival = createWake()
  const collection = createWake()
  return {
    async put(message: Message): Promise<void> {
      waiting = message
      arrival.notify()
      await collection.until(() => waiting === undefined)
    },
    async take(): Promise<Message | undefined> {
      await arrival.until(() => waiting !== undefined || ended)
      const message = waiting
      waiting = undefined
      collection.notify()
      return message
    },
    end() {
      ended = true
      arrival.notify()
    },
  }
}
