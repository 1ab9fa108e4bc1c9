/** The sender's part of one connection: offers, goes on where the recipient is, and ends when that has it all. */
import { ProtocolError } from '../../protocol/errors.ts'
import { TRANSFER_BLOCK_BYTES_MAX, TRANSFER_WINDOW_BYTES } from '../../protocol/limits.ts'
import type { Message } from '../../protocol/transfer/messages.ts'
import { createPacking } from '../../protocol/transfer/packing.ts'
import type { TransferEffects } from './effects.ts'
import { TransferError } from './errors.ts'
import type { Line } from './line.ts'
import { ACTION_MS, STEP_MS } from './patience.ts'
import { findMark } from './resume.ts'
import { openRow, type Mark, type Row } from './row.ts'
import type { Source } from './source.ts'
import { createWake } from './wake.ts'

/** What a sender knows beyond a single connection. */
export interface Sending {
  readonly source: Source
  /** Places that the recipient may have got to, none of them before what it acknowledged. */
  marks: Mark[]
  /** All has been sent, and only that it arrived has not been said. */
  isSent: boolean
}

export interface SenderOptions {
  readonly compress: boolean
  /** Told how much is known to have arrived, bytes of the row. */
  readonly onArrived: (length: number) => void
  /** Told how much of what arrived before has been compared, bytes of the row. */
  readonly onChecked: (length: number) => void
}

/**
 * Sends over one line, to its end.
 * @throws LineBroken, after which another line goes on; TransferError | ProtocolError; the system's own error
 */
export const sendOver = async (
  effects: TransferEffects,
  line: Line,
  sending: Sending,
  options: SenderOptions,
): Promise<void> => {
  const { source } = sending
  line.patience(ACTION_MS)
  await line.say(source.offer)
  const answer = await line.hear()
  if (answer.type !== 'answer') throw unexpected(answer)
  const from = await findMark(effects, source, answer.arrived, {
    known: sending.marks,
    signal: line.signal,
    onChecked: options.onChecked,
  })
  await line.say({ type: 'start', from: from.length })
  line.patience(STEP_MS)
  options.onArrived(from.length)

  sending.marks = [from]
  const row = openRow(effects, source, from)
  try {
    const flow = createFlow(row, source.offer.length, sending)
    const heard = hearAcks(line, sending, flow, options)
    await line.race(Promise.all([pump(effects, line, sending, flow, options.compress), heard]))
    await line.end()
  } finally {
    await row.close()
  }
}

const unexpected = ({ type }: Message): ProtocolError =>
  new ProtocolError('ERR_TRANSFER_SHAPE', `the recipient says ${type} where that means nothing`)

/** Blocks of the row in their order, no more at once than the window allows. */
interface Flow {
  take(): Promise<{ readonly position: number; readonly bytes: Uint8Array } | undefined>
  acknowledge(length: number): void
}

const createFlow = (row: Row, total: number, sending: Sending): Flow => {
  const { marks } = sending
  let acknowledged = row.mark().length
  let sent = acknowledged
  const { until, notify } = createWake()
  const hasRoom = () => sent + TRANSFER_BLOCK_BYTES_MAX <= acknowledged + TRANSFER_WINDOW_BYTES
  let turn: Promise<unknown> = Promise.resolve()
  const next = async () => {
    await until(hasRoom)
    const bytes = await row.next()
    const position = sent
    sent += bytes?.length ?? 0
    const isWrong = bytes === undefined ? sent !== total : sent > total
    if (isWrong) throw new TransferError('ERR_TRANSFER_CHANGED', 'files were added or removed meanwhile: send again')
    if (bytes === undefined) return undefined
    marks.push(row.mark())
    return { position, bytes }
  }
  return {
    // One at a time, whoever asks.
    take: () => {
      const block = turn.then(next)
      turn = block
      return block
    },
    acknowledge(length) {
      if (length < acknowledged || length > sent)
        throw new ProtocolError('ERR_TRANSFER_SHAPE', 'the recipient acknowledges what was not sent')
      acknowledged = length
      marks.splice(
        0,
        marks.findLastIndex((mark) => mark.length <= length),
      )
      notify()
    },
  }
}

/** Sends all blocks, each over the stream that is free first, and then says that they are all. */
const pump = async (
  { clock, packer }: TransferEffects,
  line: Line,
  sending: Sending,
  flow: Flow,
  compress: boolean,
): Promise<void> => {
  const packing = createPacking()
  const carry = async (stream: number): Promise<void> => {
    for (;;) {
      const block = await flow.take()
      if (!block) return
      const { position, bytes } = block
      let payload: Uint8Array | undefined
      if (compress && packing.tries()) {
        const beganMs = clock.nowMs()
        const packed = await packer.pack(bytes)
        if (packing.tried(bytes.length, packed.length, clock.nowMs() - beganMs)) payload = packed
      }
      const beganMs = clock.nowMs()
      const packed = payload !== undefined
      await line.sendBlock(stream, { position, length: bytes.length, packed, payload: payload ?? bytes })
      packing.sent((payload ?? bytes).length, clock.nowMs() - beganMs)
    }
  }
  await Promise.all(Array.from({ length: line.streams }, (_each, stream) => carry(stream)))
  const last = sending.marks.at(-1)
  if (!last) throw new TypeError('a row has an end')
  await line.say({ type: 'whole', length: last.length, digest: last.row.digest() })
  sending.isSent = true
  line.patience(ACTION_MS)
}

const hearAcks = async (line: Line, sending: Sending, flow: Flow, { onArrived }: SenderOptions): Promise<void> => {
  let arrived = -1
  for (;;) {
    const message = await line.hear()
    if (message.type === 'done' && sending.isSent) return
    if (message.type !== 'ack') throw unexpected(message)
    flow.acknowledge(message.length)
    if (message.length > arrived) line.moved()
    arrived = message.length
    onArrived(arrived)
  }
}
