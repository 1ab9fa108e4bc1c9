/**
 * One stapled connection as the two ends use it: records in, the same records out, and an end that cannot be faked. The
 * relay between them can cut it off, and nothing else.
 */
import type { Duplex } from 'node:stream'
import { ProtocolError } from '../../protocol/errors.ts'
import type { Aead } from '../../protocol/relay/aead.ts'
import { createOpener, createSealer, RECORD_HEADER_BYTES } from '../../protocol/relay/records.ts'
import { RelayClientError } from './errors.ts'

export interface SecureStream {
  /**
   * Resolves when there is room for the next; one at a time.
   * @param record at most 64 KiB; it arrives as one, and may be reused once this has resolved
   * @throws ERR_STREAM_BROKEN; ERR_RECORD when it is longer
   */
  send(record: Uint8Array): Promise<void>
  /**
   * The next record; one at a time.
   * @returns undefined at the end, when all that the peer sent has come
   * @throws ERR_STREAM_BROKEN when the connection is over before; ERR_STREAM_FORGED
   */
  receive(): Promise<Uint8Array | undefined>
  /**
   * Tells the peer that nothing follows; one can still receive. Resolves once it has left this process.
   * @throws ERR_STREAM_BROKEN
   */
  end(): Promise<void>
  /** Breaks the connection off, whatever its state. */
  close(): void
}

/** Ciphers of the two directions, each of a key of its own. */
export interface StreamCiphers {
  readonly sending: Aead
  readonly receiving: Aead
}

/** @param connection stapled, with nothing of it read */
export const createSecureStream = (connection: Duplex, ciphers: StreamCiphers): SecureStream => {
  const sealer = createSealer(ciphers.sending)
  const opener = createOpener(ciphers.receiving)
  const { take, drop } = reader(connection)
  const room = writer(connection)
  let hasEnded = false

  const write = (pieces: readonly Uint8Array[]): void => {
    if (connection.destroyed) throw broken()
    // In one system call.
    connection.cork()
    for (const piece of pieces) connection.write(piece)
    connection.uncork()
  }

  return {
    async send(record) {
      write(sealer.data(record))
      await room()
    },

    async receive() {
      if (hasEnded) return undefined
      try {
        const header = await take(RECORD_HEADER_BYTES)
        const record = opener.open(header, await take(opener.restLength(header)))
        hasEnded = record === undefined
        if (hasEnded) drop()
        return record
      } catch (error) {
        connection.destroy()
        if (!(error instanceof ProtocolError)) throw error
        throw new RelayClientError('ERR_STREAM_FORGED', 'what arrived was changed on the way', { cause: error })
      }
    },

    async end() {
      write(sealer.end())
      connection.end()
      await room()
    },

    close: () => void connection.destroy(),
  }
}

const broken = () => new RelayClientError('ERR_STREAM_BROKEN', 'the connection broke before the end')

/** Takes exactly so many bytes. Listens once for the life of the connection: records are many. */
const reader = (connection: Duplex) => {
  let wake = () => {}
  const onChange = () => wake()
  connection.on('readable', onChange).on('end', onChange).on('close', onChange)
  return {
    /** @throws ERR_STREAM_BROKEN when there will not be so many */
    async take(length: number): Promise<Uint8Array> {
      for (;;) {
        const bytes = connection.read(length) as Uint8Array | null
        // At the end of the data a read gives what is left.
        if (bytes !== null && bytes.length === length) return bytes
        if (bytes !== null || connection.readableEnded || connection.destroyed) throw broken()
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
    },
    /** Nothing more is of interest, and the connection can close by itself once the peer has ended. */
    drop(): void {
      connection.off('readable', onChange).resume()
    },
  }
}

/** Waits until what was written is on its way: all of it after the end, else enough to write more. */
const writer = (connection: Duplex): (() => Promise<void>) => {
  let wake = () => {}
  const onChange = () => wake()
  connection.on('drain', onChange).on('finish', onChange).on('close', onChange)
  const isWaiting = () => (connection.writableEnded ? !connection.writableFinished : connection.writableNeedDrain)
  return async () => {
    while (isWaiting()) {
      if (connection.destroyed) throw broken()
      await new Promise<void>((resolve) => {
        wake = resolve
      })
    }
  }
}
