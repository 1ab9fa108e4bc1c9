/** Reading sockets by the byte, out of one piece of memory for the life of the connection. */
import { type CreateByteReader, createByteReader } from './byte-reader.ts'
import { asSocket, READ_BYTES, readInto } from './socket-memory.ts'

export const createSocketReader: CreateByteReader = (connection, bytesMax) => {
  const socket = asSocket(connection)
  if (!socket) return createByteReader(connection, bytesMax)
  // Room for what is asked for, behind what was given out before, and for one more read; and a spare place behind all.
  const room = 2 * bytesMax + 2 * READ_BYTES
  const memory = Buffer.allocUnsafeSlow(room + READ_BYTES)
  /** What has come and was not taken lies between these. */
  let start = 0
  let end = 0
  let wake = () => {}
  let isDropped = false
  const onChange = () => wake()
  const hasRoom = () => room - end >= READ_BYTES
  readInto(socket, {
    early(bytes) {
      memory.set(bytes)
      end = bytes.length
    },
    memory: () => memory.subarray(hasRoom() ? end : room, (hasRoom() ? end : room) + READ_BYTES),
    read(length, bytes) {
      if (isDropped) return true
      const at = bytes.byteOffset - memory.byteOffset
      // The place was chosen before what lies before it was moved.
      if (at !== end) memory.copyWithin(end, at, at + length)
      end += length
      wake()
      if (hasRoom()) return true
      // Before it reads on, what is there has to be moved, which waits for whoever reads it.
      socket.pause()
      return false
    },
  })
  socket.on('end', onChange).on('close', onChange)
  const moveUp = () => {
    if (start === 0) return
    memory.copyWithin(0, start, end)
    end -= start
    start = 0
  }
  return {
    async take(length) {
      for (;;) {
        if (end - start >= length) break
        if (!hasRoom() || start + length > room - READ_BYTES) moveUp()
        // What came before the end is still here.
        if (socket.readableEnded || socket.destroyed) return undefined
        socket.resume()
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
      const taken = memory.subarray(start, start + length)
      start += length
      return taken
    },
    drop() {
      isDropped = true
      socket.resume()
    },
  }
}
