/** A stream through a relay as a connection, so that two clients prove themselves on it as they do on a direct one. */
import { Duplex } from 'node:stream'
import { RECORD_BYTES_MAX } from '../../protocol/limits.ts'
import type { PeerStream } from './effects.ts'

/** @param close gives the channel back; called once */
export const relayDuplex = (stream: PeerStream, close: () => void): Duplex => {
  const sendAll = async (chunks: readonly Uint8Array[]): Promise<void> => {
    const bytes = Buffer.concat(chunks)
    for (let at = 0; at < bytes.length; at += RECORD_BYTES_MAX)
      await stream.send(bytes.subarray(at, at + RECORD_BYTES_MAX))
  }
  const duplex = new Duplex({
    allowHalfOpen: true,
    read() {
      stream.receive().then(
        (record) => duplex.push(record ?? null),
        (error: unknown) => duplex.destroy(error as Error),
      )
    },
    write: (chunk: Uint8Array, _encoding, done) => void sendAll([chunk]).then(() => done(), done),
    writev: (chunks, done) => void sendAll(chunks.map(({ chunk }) => chunk as Uint8Array)).then(() => done(), done),
    final: (done) => void stream.end().then(() => done(), done),
    destroy(error, done) {
      stream.close()
      close()
      done(error)
    },
  })
  // A connection that breaks is destroyed; it never throws for want of a listener.
  return duplex.on('error', () => {})
}
