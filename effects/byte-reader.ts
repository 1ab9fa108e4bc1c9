/** Reading a connection by the byte, for whoever reads much of it. */
import type { Duplex } from 'node:stream'

export interface ByteReader {
  /**
   * The next bytes, exactly so many; one question at a time.
   * @returns undefined when there will not be so many; else what is there until the next question, and then no more
   */
  take(length: number): Promise<Uint8Array | undefined>
  /** Nothing more is of interest, and the connection can close by itself once the peer has ended. */
  drop(): void
}

/** @param bytesMax of one question */
export type CreateByteReader = (connection: Duplex, bytesMax: number) => ByteReader

/** For streams of every kind. */
export const createByteReader: CreateByteReader = (connection) => {
  let wake = () => {}
  // Listens once for the life of the connection: questions are many.
  const onChange = () => wake()
  connection.on('readable', onChange).on('end', onChange).on('close', onChange)
  return {
    async take(length) {
      for (;;) {
        const bytes = connection.read(length) as Uint8Array | null
        // At the end of the data a read gives what is left.
        if (bytes !== null) return bytes.length === length ? bytes : undefined
        if (connection.readableEnded || connection.destroyed) return undefined
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
    },
    drop: () => void connection.off('readable', onChange).resume(),
  }
}
