/** Reading a connection by the byte, for handshakes: what follows a message stays where its next reader finds it. */
import type { Duplex } from 'node:stream'
import { NetworkError } from './network.ts'

/**
 * The next bytes, exactly so many.
 * @param length at least 1
 * @throws ERR_NETWORK_UNREACHABLE when the connection ends or closes before
 */
export const takeBytes = (connection: Duplex, length: number): Promise<Uint8Array> =>
  new Promise((resolve, reject) => {
    const stop = () => connection.off('readable', onReadable).off('end', onGone).off('close', onGone)
    const onGone = () => {
      stop()
      reject(new NetworkError('ERR_NETWORK_UNREACHABLE', 'the connection ended too early'))
    }
    const onReadable = () => {
      const bytes = connection.read(length) as Uint8Array | null
      if (bytes === null) return
      // At the end of the data a read gives what is left.
      if (bytes.length < length) return onGone()
      stop()
      resolve(bytes)
    }
    if (connection.destroyed || connection.readableEnded) return onGone()
    connection.on('readable', onReadable).on('end', onGone).on('close', onGone)
    onReadable()
  })
