/** Sends over whatever connects to the recipient. */
import { ProtocolError } from '../../protocol/errors.ts'
import type { Offer } from '../../protocol/transfer/messages.ts'
import { runAttempts, type Connect } from './attempts.ts'
import type { TransferEffects } from './effects.ts'
import { TransferError, transferFault } from './errors.ts'
import { GIVE_UP_MS } from './patience.ts'
import type { Progress } from './progress.ts'
import { sendOver, type Sending } from './sender.ts'
import { openSource, type LeftOut, type Sendable } from './source.ts'

export interface SendOptions {
  /** Compress what shrinks by it, where the network is slower than that. */
  readonly compress?: boolean
  /** Told what will be sent, before anybody is connected to. */
  readonly onOffer?: (offer: Offer, leftOut: LeftOut) => void
  readonly onProgress?: (progress: Progress) => void
  /** Told of each break of the connection that is waited out. */
  readonly onBroken?: () => void
  readonly signal?: AbortSignal
}

export interface Sent {
  readonly names: readonly string[]
  readonly files: number
  readonly folders: number
  readonly bytes: number
  readonly leftOut: LeftOut
}

/**
 * Resolves when the recipient has everything in its place.
 * @throws TransferError | ProtocolError; what `connect` throws at first; the system's own error; the signal's reason
 */
export const sendThrough = async (
  effects: TransferEffects,
  connect: Connect,
  sendable: Sendable,
  options: SendOptions = {},
): Promise<Sent> => {
  const { compress = true, onOffer, onProgress, onBroken, signal = new AbortController().signal } = options
  const source = await openSource(effects, sendable)
  try {
    const { offer, leftOut } = source
    onOffer?.(offer, leftOut)
    const sending: Sending = { source, marks: [], isSent: false }
    const total = offer.length
    let arrived = 0
    const onArrived = (length: number) => {
      arrived = length
      onProgress?.({ phase: 'moving', length, total })
    }
    const onChecked = (length: number) => onProgress?.({ phase: 'checking', length, total })
    const begin = () => ({
      onBlock: () => {
        throw new TransferError('ERR_TRANSFER_SHAPE', 'the recipient sends what only a sender may')
      },
      run: (line: Parameters<typeof sendOver>[1]) =>
        sendOver(effects, line, sending, { compress, onArrived, onChecked }).catch((fault: unknown) => {
          throw transferFault(fault)
        }),
    })
    try {
      const attempts = { progress: () => arrived, giveUpMs: () => GIVE_UP_MS, signal, ...(onBroken && { onBroken }) }
      await runAttempts(effects.clock, connect, begin, attempts)
    } catch (fault) {
      // What the recipient has told is the answer; all else is none.
      const isTold = fault instanceof TransferError && fault.code !== 'ERR_TRANSFER_BROKEN'
      if (!sending.isSent || isTold || fault instanceof ProtocolError || signal.aborted) throw fault
      const text = 'all was sent, but the recipient did not say that it has it: ask them, or send again'
      throw new TransferError('ERR_TRANSFER_UNCONFIRMED', text, { cause: fault })
    }
    const { names, files, folders, bytes } = offer
    return { names, files, folders, bytes, leftOut }
  } finally {
    await source.close()
  }
}
