/**
 * Sends and receives files, folders, texts and streams from one machine to another, through a relay that learns nothing:
 *
 *   const transfer = createTransfer(effects, { relay: 'https://relay.example', streams: 4 })
 *   await transfer.send({ paths: ['photos'] }, { onCode: (code) => tell(code) })
 *   await transfer.receive(code, { into: { folder: '.' }, accept: async () => ({ mayReplace: false, resume: true }) })
 *
 * What arrives is exactly what was sent, once and whole, or both sides are told why not. A broken connection is waited
 * out; after the end of either process the same is sent again with a new code, and goes on where it was.
 *
 * @see SEED 003, croc as a library
 */
import { joinRelay, type RelayClientEffects, type RelayLink } from '../client/index.ts'
import type { Connect } from './attempts.ts'
import type { TransferEffects } from './effects.ts'
import { receiveThrough, type Received, type ReceiveOptions } from './receive.ts'
import { sendThrough, type SendOptions, type Sent } from './send.ts'
import type { Sendable } from './source.ts'

export interface TransferOptions {
  /** URL of the relay, the same for both. */
  readonly relay: string
  /** Most connections at once; both sides use the smaller number of the two. */
  readonly streams: number
}

export interface Transfer {
  /**
   * Resolves when the recipient has everything in its place.
   * @param options `onCode` is told what the recipient has to be told
   * @throws TransferError | RelayClientError | ProtocolError; the system's own error; the signal's reason
   */
  send(sendable: Sendable, options: SendOptions & { readonly onCode: (code: string) => void }): Promise<Sent>
  /**
   * Resolves when everything is in its place.
   * @throws TransferError | RelayClientError | ProtocolError; the system's own error; the signal's reason
   */
  receive(code: string, options: ReceiveOptions): Promise<Received>
}

export const createTransfer = (
  effects: TransferEffects & RelayClientEffects,
  { relay, streams }: TransferOptions,
): Transfer => {
  /** Joins the relay first, and connects anew through the same channel after a break. */
  const through = async <T>(
    join: (signal: AbortSignal) => Promise<RelayLink>,
    use: (connect: Connect) => Promise<T>,
  ): Promise<T> => {
    let link: RelayLink | undefined
    try {
      return await use(async (signal) => {
        if (link) return link.reconnect(signal)
        link = await join(signal)
        return link.streams
      })
    } finally {
      await link?.close()
    }
  }
  return {
    send: (sendable, { onCode, ...options }) =>
      through(
        (signal) => joinRelay(effects, { relay, streams, role: 'sender', onCode, signal }),
        (connect) => sendThrough(effects, connect, sendable, options),
      ),
    receive: (code, options) =>
      through(
        (signal) => joinRelay(effects, { relay, streams, role: 'recipient', code, signal }),
        (connect) => receiveThrough(effects, connect, options),
      ),
  }
}
