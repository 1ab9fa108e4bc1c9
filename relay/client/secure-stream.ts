/**
 * One stapled connection as the two ends use it: records in, the same records out, and an end that cannot be faked. The
 * relay between them can cut it off, and nothing else.
 */
import type { Duplex } from 'node:stream'
import { type CreateByteReader, createByteReader } from '../../effects/byte-reader.ts'
import { ProtocolError } from '../../protocol/errors.ts'
import { RECORD_BYTES_MAX } from '../../protocol/limits.ts'
import { type Aead, AEAD_TAG_BYTES } from '../../protocol/relay/aead.ts'
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

/**
 * Sealed and not yet taken by the system, bytes: while one process waits for its turn the next has something to do, and
 * many records leave in one call.
 */
const AHEAD_BYTES = 512 * 1024

/** @param connection stapled, with nothing of it read */
export const createSecureStream = (
  connection: Duplex,
  ciphers: StreamCiphers,
  createReader: CreateByteReader = createByteReader,
): SecureStream => {
  const sealer = createSealer(ciphers.sending)
  const opener = createOpener(ciphers.receiving)
  const reader = createReader(connection, RECORD_BYTES_MAX + AEAD_TAG_BYTES)
  const take = async (length: number): Promise<Uint8Array> => {
    const bytes = await reader.take(length)
    if (bytes === undefined) throw broken()
    return bytes
  }
  const room = writer(connection)
  let hasEnded = false

  const write = (pieces: readonly Uint8Array[]): void => {
    if (connection.destroyed) throw broken()
    // In one system call.
    connection.cork()
    for (const piece of pieces) connection.write(piece, room.wake)
    connection.uncork()
  }

  return {
    async send(record) {
      write(sealer.data(record))
      await room.until(() => connection.writableLength < AHEAD_BYTES)
    },

    async receive() {
      if (hasEnded) return undefined
      try {
        const header = (await take(RECORD_HEADER_BYTES)).slice()
        const record = opener.open(header, await take(opener.restLength(header)))
        hasEnded = record === undefined
        if (hasEnded) reader.drop()
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
      await room.until(() => connection.writableFinished)
    },

    close: () => void connection.destroy(),
  }
}

const broken = () => new RelayClientError('ERR_STREAM_BROKEN', 'the connection broke before the end')

/** Waits until what was written has gone so far. */
const writer = (connection: Duplex) => {
  let wake = () => {}
  const onChange = () => wake()
  connection.on('finish', onChange).on('close', onChange)
  return {
    wake: onChange,
    async until(isFarEnough: () => boolean): Promise<void> {
      while (!isFarEnough()) {
        if (connection.destroyed) throw broken()
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
    },
  }
}
